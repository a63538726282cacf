import { DmaBufError } from "../errors.js";
import { ringAll, type Identity, type Member } from "./agent-slot.js";
import { forgetTooOld, recordEnd, recordFailure, resetEnd, retireFailures } from "./failures.js";
import {
  COMPLETED,
  DEMAND,
  HEADER,
  TAGGED_TIME,
  TIME_ENTRY,
  TIMELINE,
  TIMELINE_KIND,
  TIMES_KEPT,
  type Segment,
} from "./layout.js";
import { pairOf } from "./packing.js";
import { addNumber, loadNumber, storeNumber } from "./record.js";
import { claimFree } from "./table.js";
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
 * timeline-slot.10. LATEST is stored before COMPLETED, and is the time of the number there if its tag is that number's and
 *     COMPLETED is the same before and after: so the time of the newest fence comes with it, in its cache line. A step
 *     over as many numbers as there are tags, and a software timeline, whose steps may cross, store none.
 */

const ENDED = COMPLETED.ended.mask;

/** The highest number of a timeline's fence. */
export const LAST_SEQUENCE = 2 ** COMPLETED.sequence.width - 2;

/** A `COMPLETED` word of a timeline that has not ended. */
function completedWord(generation: number, sequence: number): bigint {
  return pairOf(COMPLETED.sequence, sequence, COMPLETED.generation, generation);
}

export interface TimelineOptions {
  readonly name: string;
  readonly driverName: string;
  /** Milliseconds without progress after which hang recovery may end the timeline. */
  readonly timeLimit: number;
  /** Whether its fences signal only when an agent asks for them (timeline-demand.1). */
  readonly onDemand?: boolean;
  /** One of TIMELINE_KIND. Default PLAIN. */
  readonly kind?: number;
}

/** Names a timeline to every agent. */
export interface TimelineKey {
  readonly slot: number;
  readonly generation: number;
}

/** Names a fence to every agent: its slot is a timeline's or, counted on from those, a one-shot's. */
export interface FenceKey extends TimelineKey {
  readonly sequence: number;
}

/**
 * Takes a free slot for the calling agent.
 *
 * @returns The slot and its new generation.
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimTimeline(member: Member, options: TimelineOptions): TimelineKey {
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
  // Pairs with timelineStatus() in protocol/assembly.
  memory.store(base + TIMELINE.GENERATION, generation);
  memory.store64(base + TIMELINE.COMPLETED, completedWord(generation, 0));
  memory.store64(base + TIMELINE.LATEST, 0n);
  memory.store(base + TIMELINE.FAILURES, 0);
  memory.store64(base + TIMELINE.FORGOTTEN, 0n);
  resetEnd(member, slot, generation);
  memory.store64(base + TIMELINE.DEADLINE, TAGGED_TIME.generation.of(generation));
  memory.store64(base + TIMELINE.ACKNOWLEDGED, 0n);
  memory.store64(base + TIMELINE.DEMAND, options.onDemand === true ? demandWord(generation) : 0n);
  for (let i = 0; i < TIMES_KEPT; i++) memory.store64(base + layout.TIMELINE.TIMES + i * TIME_ENTRY.WORDS, 0n);
  memory.store(base + TIMELINE.TIME_LIMIT, options.timeLimit);
  storeNumber(memory, base + TIMELINE.CONTEXT, allocateContexts(member, 1));
  writeName(memory, base + TIMELINE.DRIVER_NAME, options.driverName);
  writeName(memory, base + TIMELINE.NAME, options.name);
  memory.store(base + TIMELINE.KIND, options.kind ?? TIMELINE_KIND.PLAIN);
  return generation;
}

/** The first of `count` consecutive fence context numbers, never 0. */
export function allocateContexts({ memory }: Segment, count: number): number {
  return addNumber(memory, HEADER.CONTEXTS, count) + 1;
}

/**
 * Completes the fences up to `sequence`. Only the owner calls this.
 *
 * @param completed The number that the owner stored last.
 * @param timestamp Nanoseconds.
 * @param error Positive errno of the fences from `firstFailed` to `sequence`, 0 for success.
 * @returns Whether they are completed now; false if the timeline has ended before.
 */
export function completeTimeline(
  member: Member,
  { slot, generation }: TimelineKey,
  completed: number,
  sequence: number,
  timestamp: number,
  error = 0,
  firstFailed = sequence,
): boolean {
  if (error !== 0) recordFailure(member, slot, firstFailed, sequence, error);
  return member.protocol.completeTimeline(slot, generation, completed, sequence, timestamp) !== 0;
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
  { slot, generation }: TimelineKey,
  amount: number,
  timestamp: number,
): number | undefined {
  const sequence = member.protocol.advanceTimeline(slot, generation, amount, timestamp);
  if (sequence > LAST_SEQUENCE) {
    throw new DmaBufError("EOVERFLOW", `Cannot advance the timeline to ${sequence}: it ends at ${LAST_SEQUENCE}`);
  }
  return sequence < 0 ? undefined : sequence;
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
  segment.protocol.ringTimeline(slot);
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

/** The word of a timeline whose owner listens, before any agent has asked for a fence (timeline-demand.1). */
export function demandWord(generation: number): bigint {
  return pairOf(DEMAND.listens, 1, DEMAND.generation, generation);
}
