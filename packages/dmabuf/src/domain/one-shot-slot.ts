import { ringAll, type Identity, type Member } from "./agent-slot.js";
import { forgetTooOld, retireFailure } from "./failures.js";
import { ONE_SHOT, ONE_SHOT_NUMBER, ONE_SHOT_STATE as STATE, TAGGED_TIME, type Segment } from "./layout.js";
import { storeNumber } from "./record.js";
import { claimFree } from "./table.js";
import { writeName } from "./text.js";
import type { FenceKey } from "./timeline-slot.js";

/**
 * A published fence that is no timeline's: a promise, a GPU submission, a local fence that others must see.
 *
 * one-shot-slot.1. STATE holds generation, "signaled" and the error in one word; the exchange that sets "signaled"
 *     decides the fence, once, and its error with it. TIME is set before that, once.
 * one-shot-slot.2. A slot whose GENERATION differs from a fence's has moved on: that fence is signaled.
 * one-shot-slot.3. A signaled slot may be used again at once; an error is retired before the generation
 *      moves on.
 * one-shot-slot.4. A fence that hang recovery has ended is overdue, while its publisher lives, until the publisher
 *     gives the slot back: so it says that the work has finished. It stores the generation in ACKNOWLEDGED before that,
 *     and then takes the bits.
 */

const ONE_SHOT_SEQUENCE = 1;

export interface OneShotOptions {
  readonly driverName: string;
  readonly name: string;
  /** The fence's place among others, for a reservation that compares them. */
  readonly context: number;
  readonly seqno: number;
  readonly seqno32: boolean;
  /** Milliseconds after which hang recovery may end the fence. */
  readonly timeLimit: number;
}

/**
 * Takes a free slot for a pending fence.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimOneShot(member: Member, options: OneShotOptions): FenceKey {
  const { memory, layout } = member;
  const first = layout.sizes.timelines;
  const slot = claimFree(member, "oneShots", "publish the fence", (index) => {
    const owner = layout.oneShot(first + index) + ONE_SHOT.OWNER;
    const isTaken = memory.load(owner) === 0 && memory.compareExchange(owner, 0, member.identity) === 0;
    return isTaken ? first + index : undefined;
  });
  return { slot, generation: openOneShot(member, slot, options), sequence: ONE_SHOT_SEQUENCE };
}

function openOneShot(member: Member, slot: number, options: OneShotOptions): number {
  const { memory, layout } = member;
  const base = layout.oneShot(slot);
  const last = memory.load(base + ONE_SHOT.GENERATION);
  const error = STATE.error.in(memory.load(base + ONE_SHOT.STATE));
  if (error !== 0) retireFailure(member, { slot, generation: last, error, first: 1, last: 1 });
  const generation = (last + 1) | 0 || 1;
  forgetTooOld(member, slot, generation);
  memory.store(base + ONE_SHOT.GENERATION, generation);
  storeNumber(memory, base + ONE_SHOT.CONTEXT, options.context);
  const { seqno, wraps } = ONE_SHOT_NUMBER;
  memory.store64(base + ONE_SHOT.SEQUENCE, seqno.of(options.seqno) | wraps.of(options.seqno32 ? 1 : 0));
  memory.store64(base + ONE_SHOT.TIME, TAGGED_TIME.generation.of(generation));
  memory.store64(base + ONE_SHOT.DEADLINE, TAGGED_TIME.generation.of(generation));
  memory.store(base + ONE_SHOT.TIME_LIMIT, options.timeLimit);
  writeName(memory, base + ONE_SHOT.DRIVER_NAME, options.driverName);
  writeName(memory, base + ONE_SHOT.NAME, options.name);
  memory.store(base + ONE_SHOT.STATE, STATE.generation.of(generation));
  return generation;
}

/** What is in `SEQUENCE`: a fence's number, and whether its context counts in 32 bits. */
export function numberOf(word: bigint): { seqno: number; seqno32: boolean } {
  return { seqno: ONE_SHOT_NUMBER.seqno.in(word), seqno32: ONE_SHOT_NUMBER.wraps.in(word) === 1 };
}

/**
 * Signals the fence. Whichever agent has the right to may do it (the publisher, hang recovery, recovery after a death).
 *
 * @param error Positive errno, 0 for success.
 * @returns Whether this call decided the fence.
 */
export function completeOneShot(segment: Segment, key: FenceKey, error: number, timestamp: number): boolean {
  return segment.protocol.completeOneShot(key.slot, key.generation, error, timestamp) !== 0;
}

/** Gives a signaled slot back, if `owner` has it still. Only the publisher, or the reaper of the dead publisher. */
export function freeOneShot(segment: Segment, slot: number, owner: Identity): void {
  const { memory, layout } = segment;
  const base = layout.oneShot(slot);
  if (memory.load(base + ONE_SHOT.OWNER) !== owner) return;
  // SYNC POINT acknowledged-before-free, as for a timeline.
  memory.store(base + ONE_SHOT.ACKNOWLEDGED, memory.load(base + ONE_SHOT.GENERATION));
  ringAll(segment, base + layout.ONE_SHOT.WAITERS);
  memory.compareExchange(base + ONE_SHOT.OWNER, owner, 0);
}
