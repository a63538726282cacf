import type { AcquireContext, DmaBuf, Domain, Fence, Reservation, ReservationLock } from "../../src/index.js";

/** Where a task plays: what the worker keeps from one task to the next, by names that the tests give. */
export interface Scene extends Kept {
  /** Tells that the task has come to the point where it waits. */
  begun(this: void): void;
}

export interface Kept {
  readonly domain: Domain;
  readonly fences: Map<string, Fence>;
  readonly buffers: Map<string, DmaBuf>;
  readonly contexts: Map<string, AcquireContext>;
  readonly locks: Map<string, ReservationLock>;
  readonly aborts: Map<string, AbortController>;
}

export function openScene(domain: Domain): Kept {
  return {
    domain,
    fences: new Map(),
    buffers: new Map(),
    contexts: new Map(),
    locks: new Map(),
    aborts: new Map(),
  };
}

export function reservationOf({ buffers }: Scene, name: string): Reservation {
  return buffers.get(name)!.reservation;
}

export function contextOf({ contexts }: Scene, name: string | undefined): AcquireContext | undefined {
  return name === undefined ? undefined : contexts.get(name)!;
}

/** Words of a buffer: how many rounds were counted, and who counts now. */
const COUNT = 0;
const WHO = 1;
const LOOKS = 8;

/** Counts one round with plain loads and stores; returns whether nobody else did so meanwhile. */
export function countAlone(buffer: DmaBuf, me: number): boolean {
  const words = wordsOf(buffer);
  words[WHO] = me;
  const count = words[COUNT]!;
  for (let look = 0; look < LOOKS; look++) if (words[WHO] !== me) return false;
  words[COUNT] = count + 1;
  return words[WHO] === me;
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
