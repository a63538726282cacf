import { BUFFERS, type BufferMembers } from "./buffer/feature.js";
import type { DomainBase } from "./domain-base.js";
import { recoveryOf, type Feature } from "./domain/feature.js";
import { FENCES, type FenceMembers } from "./fence/feature.js";
import { SYNCOBJS, type SyncobjMembers } from "./fence/syncobj-feature.js";
import { QUEUES, type QueueMembers } from "./queue/feature.js";
import { STREAMS, type StreamMembers } from "./stream/feature.js";

/** All that the library has, each after what it needs. */
export const FEATURES: readonly Feature[] = [FENCES, SYNCOBJS, BUFFERS, STREAMS, QUEUES];

/** What is given back after a death in a domain with all features. */
export const RECOVERY = recoveryOf(FEATURES);

/** What all features together give a domain. */
export interface AllMembers extends FenceMembers, SyncobjMembers, BufferMembers, StreamMembers, QueueMembers {}

/** A domain with all features, whether its agents are threads or processes. */
export interface JoinedDomain extends DomainBase, AllMembers {}
