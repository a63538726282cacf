import type { DmaBuf } from "./buffer/buffer.js";
import type { BufferHandleData } from "./buffer/handle.js";
import type { Fence } from "./fence/fence.js";
import type { FenceHandle } from "./fence/fence-handle.js";
import type { SoftwareTimeline, SoftwareTimelineHandle } from "./fence/software-timeline.js";
import type { SyncFile, SyncFileHandle } from "./fence/sync-file.js";
import type { Syncobj } from "./fence/syncobj.js";
import type { SyncobjHandleData } from "./fence/syncobj-handle.js";
import type { UserFence } from "./fence/user-fence.js";
import type { UserFenceHandleData } from "./fence/user-fence-handle.js";
import type { FrameStream } from "./stream/frame-stream.js";
import type { StreamHandleData } from "./stream/stream-handle.js";
import { COPIES, type CopyMembers } from "./buffer/copies-feature.js";
import { BUFFERS, type BufferMembers } from "./buffer/feature.js";
import type { DomainBase } from "./domain-base.js";
import type { JoinOptions } from "./join-options.js";
import type { Feature } from "./domain/feature.js";
import { wantsValidation } from "./host/environment.js";
import { EXPLANATIONS, type ExplainMembers } from "./explain/feature.js";
import { FENCES, type FenceMembers } from "./fence/feature.js";
import { SYNCOBJS, type SyncobjMembers } from "./fence/syncobj-feature.js";
import { USER_FENCES, type UserFenceMembers } from "./fence/user-fence-feature.js";
import { QUEUES, type QueueMembers } from "./queue/feature.js";
import { STREAMS, type StreamMembers } from "./stream/feature.js";
import { VALIDATOR, type ValidatorMembers } from "./validator/feature.js";
import { WINDOWS, type WindowMembers } from "./window/feature.js";

/** All that the library has, each after what it needs. */
export const FEATURES: readonly Feature[] = [
  FENCES,
  SYNCOBJS,
  USER_FENCES,
  BUFFERS,
  COPIES,
  STREAMS,
  QUEUES,
  WINDOWS,
  EXPLANATIONS,
  VALIDATOR,
];

/** Those that the members of a new domain must know: that of the validator only if it is to be there. */
export function featuresOfNew({ validate = wantsValidation() }: JoinOptions): readonly Feature[] {
  return validate === false ? FEATURES.filter((feature) => feature !== VALIDATOR) : FEATURES;
}

/** What all features together give a domain. */
export interface AllMembers
  extends
    FenceMembers,
    SyncobjMembers,
    UserFenceMembers,
    BufferMembers,
    CopyMembers,
    StreamMembers,
    QueueMembers,
    WindowMembers,
    ExplainMembers,
    ValidatorMembers {
  /**
   * What a handle is to, in this thread.
   *
   * @throws {DmaBufError} `EINVAL` if it is no handle, damaged, or of another domain; `ESTALE` if what it is to is gone;
   *   `ENOSPC` if there is no room for what is needed of it here; `EBADF` if this thread has left the domain.
   */
  import<H extends AnyHandle>(handle: H): Imported[H["kind"]];
}

/** A handle to anything that can be sent. */
export type AnyHandle =
  | BufferHandleData
  | FenceHandle
  | SyncFileHandle
  | SyncobjHandleData
  | UserFenceHandleData
  | SoftwareTimelineHandle
  | StreamHandleData;

/** What handles are to, by their kind. */
export interface Imported {
  /** Of `buffer.handle()`. */
  readonly buffer: DmaBuf;
  /** Of `fence.handle()`. */
  readonly fence: Fence;
  /** Of `syncFile.handle()`. */
  readonly "sync-file": SyncFile;
  /** Of `syncobj.handle()`. */
  readonly syncobj: Syncobj;
  /** Of `userFence.handle()`. */
  readonly "user-fence": UserFence;
  /** Of `timeline.handle()`. */
  readonly "software-timeline": SoftwareTimeline;
  /** Of `stream.handle()`. */
  readonly stream: FrameStream;
}

/** A domain with all features, whether its agents are threads or processes. */
export interface JoinedDomain extends DomainBase, AllMembers {}
