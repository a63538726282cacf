import { DmaBufError, ERRNO } from "../errors.js";
import { isLive, ringAll, slotOf, type Identity, type Member } from "./agent-slot.js";
import { setBit } from "./bits.js";
import {
  endError,
  findFailure,
  findRetired,
  forgetTooOld,
  recordEnd,
  recordFailure,
  resetEnd,
  retireFailures,
} from "./failures.js";
import { COMPLETED, HEADER, TIME, TIME_ENTRY, TIMELINE, TIMES_KEPT, type Layout, type Segment } from "./layout.js";
import { pairOf } from "./packing.js";
import { addNumber, loadNumber, storeNumber, toNumber, toWord64 } from "./record.js";
import { claimFree } from "./table.js";
import { timeless } from "./tagged-time.js";
import { writeName } from "./text.js";

/**
 * A timeline's slot: what a sequence-number page and an interrupt are to a GPU's driver.
 *
 * timeline-slot.1. COMPLETED holds generation, ended and sequence number in one 64-bit word. A fence is decided by the
 *     one compare-exchange that moves the number past it or sets ended: the owner and hang recovery never both decide
 *     it.
 * timeline-slot.2. Within a generation the number only rises, and not at all once ended.
 * timeline-slot.3. An error, and the reason of the end, are written before the exchange that makes them visible.
 * timeline-slot.4. A slot whose GENERATION differs from a fence's has moved on: that fence is signaled.
 * timeline-slot.5. A waiter sets its bit, then lowers AWAITED, then looks again; a signaler raises COMPLETED, then
 *     looks at AWAITED, clears it and takes the bits, in this order. So one of them sees the other.
 * timeline-slot.6. A signal below AWAITED rings no agent.
 * timeline-slot.7. A software timeline has no single signaler: any agent may advance it, and repeats its exchange until
 *     none was faster. The time that is stored for a number may then be that of a call that was slower, as a whole.
 * timeline-slot.8. A fence that hang recovery has ended is overdue, while its owner lives, until the owner says that
 *     the work has finished: by a number in ACKNOWLEDGED, or by giving the slot back. Its status stays what it was.
 * timeline-slot.9. An agent that waits for that sets its bit, then looks again; the one that raises ACKNOWLEDGED then
 *     takes the bits. All numbers are acknowledged before the slot is free: its next owner is not taken for the overdue
 *     one.
 */

const ENDED = COMPLETED.ended.mask;

/** The highest number of a timeline's fence. */
export const LAST_SEQUENCE = 2 ** COMPLETED.sequence.width - 2;

/** A `COMPLETED` word of a timeline that has not ended. */
export function completedWord(generation: number, sequence: number): bigint {
  return pairOf(COMPLETED.sequence, sequence, COMPLETED.generation, generation);
}

export interface TimelineOptions {
  readonly name: string;
  readonly driverName: string;
  /** Milliseconds without progress after which hang recovery may end the timeline. */
  readonly timeLimit: number;
}

/** Names a fence of the table to every agent. */
export interface FenceKey {
  /** Fence slot: timelines first, then one-shots. */
  readonly slot: number;
  readonly generation: number;
  readonly sequence: number;
}

/**
 * Takes a free slot for the calling agent.
 *
 * @returns The slot and its new generation.
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimTimeline(member: Member, options: TimelineOptions): { slot: number; generation: number } {
  const { memory, layout } = member;
  const slot = claimFree(member, "timelines", "create the timeline", (slot) => {
    const owner = layout.timeline(slot) + TIMELINE.OWNER;
    const isTaken = memory.load(owner) === 0 && memory.compareExchange(owner, 0, member.identity) === 0;
    return isTaken ? slot : undefined;
  });
  return { slot, generation: openTimeline(member, slot, options) };
}

function openTimeline(member: Member, slot: number, options: TimelineOptions): number {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  const generation = (memory.load(base + TIMELINE.GENERATION) + 1) | 0 || 1;
  retireFailures(member, slot, COMPLETED.sequence.in(memory.load64(base + TIMELINE.COMPLETED)));
  forgetTooOld(member, slot, generation);
  // SYNC POINT generation-before-reset: a reader that saw any of the words below finds another generation.
  // Pairs with timelineStatus().
  memory.store(base + TIMELINE.GENERATION, generation);
  memory.store64(base + TIMELINE.COMPLETED, completedWord(generation, 0));
  memory.store(base + TIMELINE.FAILURES, 0);
  memory.store64(base + TIMELINE.FORGOTTEN, 0n);
  resetEnd(member, slot, generation);
  memory.store64(base + TIMELINE.DEADLINE, timeless(generation));
  memory.store64(base + TIMELINE.ACKNOWLEDGED, 0n);
  for (let i = 0; i < TIMES_KEPT; i++) memory.store64(timeWord(layout, base, i), 0n);
  memory.store(base + TIMELINE.TIME_LIMIT, options.timeLimit);
  storeNumber(memory, base + TIMELINE.CONTEXT, allocateContexts(member, 1));
  writeName(memory, base + TIMELINE.DRIVER_NAME, options.driverName);
  writeName(memory, base + TIMELINE.NAME, options.name);
  return generation;
}

/** The first of `count` consecutive fence context numbers, never 0. */
export function allocateContexts({ memory }: Segment, count: number): number {
  return addNumber(memory, HEADER.CONTEXTS, count) + 1;
}

/**
 * Completes the fences up to `sequence`. Only the owner calls this.
 *
 * @param previous The `COMPLETED` word that the owner stored last.
 * @param next The same word with `sequence` in it.
 * @param timestamp Nanoseconds.
 * @param error Positive errno of the fences from `firstFailed` to `sequence`, 0 for success.
 * @returns Whether they are completed now; false if the timeline has ended before.
 */
export function completeTimeline(
  member: Member,
  slot: number,
  previous: bigint,
  next: bigint,
  sequence: number,
  timestamp: number,
  error: number,
  firstFailed: number,
): boolean {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  if (error !== 0) recordFailure(member, slot, firstFailed, sequence, error);
  const time = timeOf(sequence, memory.load(base + TIMELINE.GENERATION), timestamp);
  memory.store64(timeWord(layout, base, sequence), time);
  return moveOn(member, slot, previous, next, sequence);
}

/** timeline-slot.1. Rings the agents that wait for a number up to the new one. */
function moveOn(member: Member, slot: number, previous: bigint, next: bigint, sequence: number): boolean {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  if (memory.compareExchange64(base + TIMELINE.COMPLETED, previous, next) !== previous) return false;
  // SYNC POINT completed-before-awaited: pairs with armTimeline().
  const awaited = memory.load64(base + TIMELINE.AWAITED);
  if (awaited !== 0n && toNumber(awaited) <= sequence) ringTimeline(member, slot);
  return true;
}

/**
 * Completes the next `amount` fences of a software timeline. Any agent may call this, several at once.
 *
 * @param timestamp Nanoseconds.
 * @returns The number that it has now; `undefined` if the timeline has ended.
 * @throws {DmaBufError} `EOVERFLOW` if there are no such numbers.
 */
export function advanceTimeline(
  member: Member,
  { slot, generation }: { readonly slot: number; readonly generation: number },
  amount: number,
  timestamp: number,
): number | undefined {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  for (;;) {
    const word = memory.load64(base + TIMELINE.COMPLETED);
    // SYNC POINT generation-before-reset: a word of the slot's next timeline is not taken for this one's.
    if (memory.load(base + TIMELINE.GENERATION) !== generation || (word & ENDED) !== 0n) return undefined;
    const sequence = COMPLETED.sequence.in(word) + amount;
    if (sequence > LAST_SEQUENCE) {
      throw new DmaBufError("EOVERFLOW", `Cannot advance the timeline to ${sequence}: it ends at ${LAST_SEQUENCE}`);
    }
    // Several calls may write the time of one number at once.
    memory.store64(timeWord(layout, base, sequence), timeOf(sequence, generation, timestamp));
    if (moveOn(member, slot, word, word + toWord64(amount), sequence)) return sequence;
  }
}

/** Rings all agents that wait on the timeline; those that wait for more arm themselves again. */
function ringTimeline(segment: Segment, slot: number): void {
  const base = segment.layout.timeline(slot);
  segment.memory.store64(base + TIMELINE.AWAITED, 0n);
  ringAll(segment, base + segment.layout.TIMELINE.WAITERS);
}

/**
 * Ends a timeline: its pending fences fail with `error`. Whichever agent has the right to may do it (the owner, hang
 * recovery, recovery after a death), at once and twice: the first reason stays.
 */
export function endTimeline(segment: Segment, slot: number, generation: number, error: number): void {
  const { memory, layout } = segment;
  const base = layout.timeline(slot);
  if (memory.load(base + TIMELINE.GENERATION) !== generation) return;
  recordEnd(segment, slot, generation, error);
  for (;;) {
    const word = memory.load64(base + TIMELINE.COMPLETED);
    if ((word & ENDED) !== 0n) break;
    const open = completedWord(generation, 0);
    const isOurs = COMPLETED.generation.in(word) === COMPLETED.generation.in(open);
    // Another generation's word is the next timeline's. If the slot has not moved on, it is damaged: then this end must
    // be stored even so, or the agents that wait would look again without end.
    if (!isOurs && memory.load(base + TIMELINE.GENERATION) !== generation) break;
    const ended = (isOurs ? word : open) | ENDED;
    if (memory.compareExchange64(base + TIMELINE.COMPLETED, word, ended) === word) break;
  }
  ringTimeline(segment, slot);
}

/**
 * The owner says that the work of an ended timeline's fences has finished, up to a number. No other agent may say so.
 *
 * @param generation Of the owner's timeline: what has become of its slot since does not matter.
 */
export function acknowledgeTimeline(member: Member, slot: number, generation: number, sequence: number): void {
  const { memory, layout, identity } = member;
  const base = layout.timeline(slot);
  if (memory.load(base + TIMELINE.OWNER) !== identity || memory.load(base + TIMELINE.GENERATION) !== generation) return;
  if (loadNumber(memory, base + TIMELINE.ACKNOWLEDGED) < sequence) acknowledge(member, base, sequence);
}

/** Gives an ended slot back, if `owner` has it still. Only the owner, or the reaper of the dead owner. */
export function freeTimeline(segment: Segment, slot: number, owner: Identity): void {
  const base = segment.layout.timeline(slot);
  if (segment.memory.load(base + TIMELINE.OWNER) !== owner) return;
  // SYNC POINT acknowledged-before-free: until the next owner has raised the generation, all fences seem to be its own.
  acknowledge(segment, base, LAST_SEQUENCE + 1);
  segment.memory.compareExchange(base + TIMELINE.OWNER, owner, 0);
}

function acknowledge(segment: Segment, base: number, sequence: number): void {
  storeNumber(segment.memory, base + TIMELINE.ACKNOWLEDGED, sequence);
  ringAll(segment, base + segment.layout.TIMELINE.WAITERS);
}

/** Whether a fence is signaled; does not ask for its error. */
export function isTimelineSignaled({ memory, layout }: Segment, key: FenceKey): boolean {
  const base = layout.timeline(key.slot);
  const word = memory.load64(base + TIMELINE.COMPLETED);
  if (COMPLETED.sequence.in(word) >= key.sequence || (word & ENDED) !== 0n) return true;
  return memory.load(base + TIMELINE.GENERATION) !== key.generation;
}

/** Whether a fence is signaled and its work has finished: it is not overdue (timeline-slot.8). */
export function isTimelineFinished(segment: Segment, key: FenceKey): boolean {
  const { memory, layout } = segment;
  const base = layout.timeline(key.slot);
  const word = memory.load64(base + TIMELINE.COMPLETED);
  if (COMPLETED.sequence.in(word) >= key.sequence) return true;
  if ((word & ENDED) !== 0n && !isUnacknowledged(segment, key)) return true;
  return memory.load(base + TIMELINE.GENERATION) !== key.generation;
}

/** Of a fence that was pending when its timeline ended: whether a live owner may still be at its work. */
function isUnacknowledged(segment: Segment, { slot, sequence }: FenceKey): boolean {
  const { memory, layout } = segment;
  const base = layout.timeline(slot);
  if (endError(segment, slot) !== ERRNO.ETIMEDOUT) return false;
  if (loadNumber(memory, base + TIMELINE.ACKNOWLEDGED) >= sequence) return false;
  // SYNC POINT acknowledged-before-free: the agent that owns the slot now may be the next owner only if there was an acknowledgement
  // after this look at it, and then this agent is rung.
  return isLive(segment, memory.load(base + TIMELINE.OWNER));
}

/**
 * A fence's status as the kernel counts it: 0 pending, 1 signaled, a negative errno if it failed, `-ESTALE` if more
 * failures have followed than are kept.
 */
export function timelineStatus(segment: Segment, key: FenceKey): number {
  const { memory, layout } = segment;
  const base = layout.timeline(key.slot);
  const word = memory.load64(base + TIMELINE.COMPLETED);
  let error = 0;
  let pending = false;
  if (COMPLETED.sequence.in(word) >= key.sequence) error = findFailure(segment, key.slot, key.sequence);
  else if ((word & ENDED) !== 0n) error = endError(segment, key.slot);
  else pending = true;
  // SYNC POINT generation-before-reset: what was read above counts only if the slot has not moved on.
  if (memory.load(base + TIMELINE.GENERATION) !== key.generation) {
    return -findRetired(segment, key.slot, key.generation, key.sequence) || 1;
  }
  return pending ? 0 : -error || 1;
}

/** Asks that this agent's doorbell rings when `sequence` completes. The caller looks again afterwards (timeline-slot.5). */
export function armTimeline(member: Member, slot: number, sequence: number): void {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  setBit(memory, base + layout.TIMELINE.WAITERS, slotOf(member.identity));
  // SYNC POINT completed-before-awaited: the bit is set before the number that makes a signaler take it.
  lower(member, base + TIMELINE.AWAITED, sequence);
}

/** The number of the last fence that completed, and whether the timeline has ended. */
export function timelineProgress({ memory, layout }: Segment, slot: number): { completed: number; ended: boolean } {
  const word = memory.load64(layout.timeline(slot) + TIMELINE.COMPLETED);
  return { completed: COMPLETED.sequence.in(word), ended: (word & ENDED) !== 0n };
}

/** Lowers the number in a 64-bit word; 0 says that there is none yet. */
function lower({ memory }: Segment, word: number, value: number): void {
  for (;;) {
    const lowest = memory.load64(word);
    if (lowest !== 0n && toNumber(lowest) <= value) return;
    if (memory.compareExchange64(word, lowest, toWord64(value)) === lowest) return;
  }
}

/** When a completed fence signaled, in nanoseconds, or `undefined` if that is no longer kept. */
export function timelineTime({ memory, layout }: Segment, key: FenceKey): number | undefined {
  const base = layout.timeline(key.slot);
  const completed = COMPLETED.sequence.in(memory.load64(base + TIMELINE.COMPLETED));
  if (completed - key.sequence >= TIME_LAPS * TIMES_KEPT) return undefined;
  // Fences that completed together have one time, which is stored for the last of them.
  const last = Math.min(completed, key.sequence + TIMES_KEPT - 1);
  for (let sequence = key.sequence; sequence <= last; sequence++) {
    const time = memory.load64(timeWord(layout, base, sequence));
    if (TIME.lap.in(time) !== lapOf(sequence, key.generation)) continue;
    return memory.load(base + TIMELINE.GENERATION) === key.generation ? TIME.nanoseconds.in(time) : undefined;
  }
  return undefined;
}

function timeWord(layout: Layout, base: number, sequence: number): number {
  return base + layout.TIMELINE.TIMES + (sequence % TIMES_KEPT) * TIME_ENTRY.WORDS;
}

/**
 * The word of a time. It is stored before the completion, and tells by its lap when it belongs to a later fence, or to
 * one of another generation, whose last call was overdue.
 */
function timeOf(sequence: number, generation: number, timestamp: number): bigint {
  return pairOf(TIME.nanoseconds, timestamp, TIME.lap, lapOf(sequence, generation));
}

const TIME_LAPS = 2 ** TIME.lap.width - 1;

/** Never 0, which is the lap of a time that was not written. */
function lapOf(sequence: number, generation: number): number {
  return 1 + ((Math.floor(sequence / TIMES_KEPT) + (generation & TIME_LAPS) * APART) % TIME_LAPS);
}

/** How far apart the laps of two generations are that follow each other. */
const APART = 1021;
