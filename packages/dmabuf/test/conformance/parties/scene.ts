import type { Agent } from "../../../src/domain/agent.js";
import type {
  AcquireContext,
  Attachment,
  DmaBuf,
  Fence,
  JoinedDomain,
  Reservation,
  ReservationLock,
  StorageSegment,
} from "../../../src/index.js";
import { createSharedSubstrate } from "../../../src/substrate/shared-array.js";

/** Where a task plays: what the worker keeps from one task to the next, by names that the tests give. */
export interface Scene extends Kept {
  /** Tells that the task has come to the point where it waits. */
  begun(this: void): void;
}

export interface Kept {
  readonly domain: JoinedDomain;
  /** Zeroed memory that can be exported, so many bytes. */
  readonly createMemory: CreateMemory;
  readonly fences: Map<string, Fence>;
  readonly buffers: Map<string, DmaBuf>;
  readonly maps: Map<string, ReturnType<DmaBuf["mmap"]>>;
  readonly contexts: Map<string, AcquireContext>;
  readonly locks: Map<string, ReservationLock>;
  readonly aborts: Map<string, AbortController>;
  /** What an exporter's buffer is in, if it can move. */
  readonly memories: Map<string, StorageSegment>;
  readonly attachments: Map<string, Attachment>;
  /** The operations of an exporter that have run, by its buffer. */
  readonly calls: Map<string, string[]>;
}

export type CreateMemory = (length: number) => StorageSegment;

export function openScene(domain: JoinedDomain, createMemory: CreateMemory): Kept {
  return {
    domain,
    createMemory,
    fences: new Map(),
    buffers: new Map(),
    maps: new Map(),
    contexts: new Map(),
    locks: new Map(),
    aborts: new Map(),
    memories: new Map(),
    attachments: new Map(),
    calls: new Map(),
  };
}

export function reservationOf({ buffers }: Scene, name: string): Reservation {
  return buffers.get(name)!.reservation;
}

export function contextOf({ contexts }: Scene, name: string | undefined): AcquireContext | undefined {
  return name === undefined ? undefined : contexts.get(name)!;
}

/** For which accesses a buffer is ready. */
export interface Readiness {
  readonly read: boolean;
  readonly write: boolean;
}

export function readinessOf(buffer: DmaBuf): Readiness {
  return { read: buffer.isReady("read"), write: buffer.isReady("write") };
}

/** Words of a buffer: how many rounds were counted, and who counts now. */
const COUNT = 0;
const WHO = 1;
/** Long enough for another agent to come in if nothing keeps it out. */
const INSIDE_NS = 50_000;

/** Counts one round in each buffer with plain loads and stores; returns whether no other agent did so in between. */
export function countAlone({ host, identity }: Agent, buffers: readonly DmaBuf[]): boolean {
  const counters = buffers.map((buffer) => createSharedSubstrate(buffer.segments[0]!.memory as SharedArrayBuffer));
  for (const counter of counters) counter.store(WHO, identity);
  const counts = buffers.map(countedRounds);
  const alone = (): boolean => counters.every((counter) => counter.load(WHO) === identity);
  for (const end = host.nowNs() + INSIDE_NS; host.nowNs() < end && alone(););
  buffers.forEach((buffer, i) => (wordsOf(buffer)[COUNT] = counts[i]! + 1));
  return alone();
}

/** How many rounds were counted in a buffer. */
export function countedRounds(buffer: DmaBuf): number {
  return wordsOf(buffer)[COUNT]!;
}

export function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function wordsOf(buffer: DmaBuf): Int32Array {
  return new Int32Array(buffer.segments[0]!.memory, 0, 2);
}
