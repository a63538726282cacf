import { after } from "node:test";
import { MemoryObject } from "../src/node/memory/memory-object.js";
import { createProcessSubstrate, type ProcessSubstrate } from "../src/node/waiting/process-substrate.js";
import { ResourceLedger } from "../src/node/resources/resource-ledger.js";
import { closeDescriptor, createPipe, pageSize, viewOf } from "../src/node/system-calls/index.js";

/**
 * A segment for tests of the process substrate: the doorbells are the first words, each with its count of sleepers
 * `words / 2` words later.
 */
export interface ProcessSegment {
  readonly memory: ProcessSubstrate;
  /** What another process or thread needs to join: the memory file, and the slots' pipes. */
  readonly fd: number;
  readonly pipes: readonly number[];
}

export interface SegmentPlan {
  /** At most a page. */
  readonly words: number;
  readonly slots: number;
  readonly onSlice?: () => void;
}

const ledger = new ResourceLedger();

/** Makes a segment that is closed when the tests are over. */
export function processSegment(plan: SegmentPlan): ProcessSegment {
  const object = MemoryObject.create(ledger, { name: "test-segment", length: pageSize() });
  const ends = Array.from({ length: plan.slots }, () => createPipe());
  const pipes = ends.map(({ writer }) => writer);
  const memory = joinSegment(object.fd, pipes, plan);
  after(() => {
    memory.close();
    for (const { reader, writer } of ends) [reader, writer].forEach(closeDescriptor);
    object.close();
  });
  return { memory, fd: object.fd, pipes };
}

/** The same segment, in whatever thread or process has its descriptors. */
export function joinSegment(fd: number, pipes: readonly number[], plan: SegmentPlan): ProcessSubstrate {
  const { words, slots, onSlice } = plan;
  const entry = ledger.map({ fd, length: pageSize(), isWritable: true });
  return createProcessSubstrate({
    memory: viewOf(ledger.addressOf(entry), pageSize()),
    doorbells: { slots, bell: 0, sleepers: words / 2, stride: 1, pipeOf: (slot) => pipes[slot]! },
    ...(onSlice !== undefined && { onSlice }),
  });
}
