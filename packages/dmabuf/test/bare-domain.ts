import { sharedMemory } from "../src/buffer/shared-memory.js";
import { CARRIER, type StorageCarrier } from "../src/buffer/storage-carrier.js";
import { Agent } from "../src/domain/agent.js";
import { Core } from "../src/domain/feature.js";
import { claimAgentSlot, type Identity } from "../src/domain/agent-slot.js";
import { readHeader, writeHeader } from "../src/domain/header.js";
import { checkSizes, Layout, type Sizes } from "../src/domain/layout.js";
import { absentTables, ALL_FEATURES, featureBits } from "../src/domain/shared-features.js";
import { without } from "../src/domain/sizes.js";
import { threadsHost } from "../src/host/threads.js";
import { DomainBase, putTogether } from "../src/domain-base.js";
import { FEATURES, type AllMembers } from "../src/features.js";
import type { Host } from "../src/host/host.js";
import type { Substrate } from "../src/substrate/substrate.js";
import { createSharedSubstrate } from "../src/substrate/shared-array.js";
import { segmentOf } from "../src/domain/segment-protocol.js";

export interface BareDomain extends AllMembers {}

/** A domain on any memory, whose agents' deaths are told by the test. No timer of it ever fires. */
export class BareDomain extends DomainBase {
  constructor(memory: Substrate, name: string, host: Partial<Host> = {}, carrier: StorageCarrier = sharedMemory) {
    super();
    const segment = segmentOf(memory, readHeader(memory));
    const core = new Core(new Agent(segment, claimAgentSlot(segment, name), { ...HOST, ...host }), {});
    core.provide(CARRIER, carrier);
    putTogether(this, core, FEATURES);
  }

  /** Gives back what an agent held that will not run again. */
  bury(dead: Identity): void {
    this.recover(dead);
  }

  protected override left(): void {}
}

/** A new control segment, of a domain that is not validated. */
export function createMemory(sizes: Partial<Sizes>): Substrate {
  const features = ALL_FEATURES & ~featureBits(["validator"]);
  const layout = new Layout(without(checkSizes(sizes), absentTables(features)));
  const memory = createSharedSubstrate(new SharedArrayBuffer(layout.words * 4));
  writeHeader(memory, layout.sizes, [1, 2, 3, 4], features);
  return memory;
}

const HOST = { ...threadsHost(), spinNs: 0, after: () => () => {}, warn: () => {} };
