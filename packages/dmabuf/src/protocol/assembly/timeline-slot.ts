import { isLive, ringAll } from "./agent-slot";
import { setBit } from "./bits";
import { endError, findFailure, findRetired } from "./failures";
import { COMPLETED, ERRNO, TIME, TIME_ENTRY, TIMELINE, TIMES_KEPT } from "./layout";
import { timelineAt } from "./places";
import { inNanoseconds, inUnits } from "./tagged-time";
import { compareExchange64, load64, loadNumber, loadWord, store64, toNumber } from "./words";

/** The hot part of a timeline; see domain/timeline-slot.ts for the rules. */

/** The highest number of a timeline's fence. */
function lastSequence(): i64 {
  return COMPLETED.sequence(-1) - 1;
}

/** The COMPLETED word of a timeline that has not ended. */
function completedWord(generation: i32, sequence: i64): i64 {
  return COMPLETED.ofGeneration(generation) | COMPLETED.ofSequence(sequence);
}

/**
 * Completes the fences up to `sequence`. Only the owner calls this.
 *
 * @param completed The number that the owner stored last.
 * @returns False if the timeline has ended before.
 */
export function completeTimeline(slot: i32, generation: i32, completed: f64, sequence: f64, timestamp: f64): bool {
  const base = timelineAt(slot);
  storeTime(base, generation, <i64>sequence, timestamp);
  // timeline-slot.10. Tags repeat themselves after so many numbers.
  const isNear = sequence - completed < <f64>tags();
  store64(base + TIMELINE.LATEST, isNear ? timeOf(timestamp, <i64>sequence, generation) : 0);
  return moveOn(base, completedWord(generation, <i64>completed), completedWord(generation, <i64>sequence));
}

/** timeline-slot.1. Rings the agents that wait for a number up to the new one. */
function moveOn(base: i32, previous: i64, next: i64): bool {
  if (compareExchange64(base + TIMELINE.COMPLETED, previous, next) != previous) return false;
  // SYNC POINT completed-before-awaited: pairs with armTimeline().
  const awaited = load64(base + TIMELINE.AWAITED);
  if (awaited != 0 && toNumber(awaited) <= COMPLETED.sequence(next)) ringWaiters(base);
  return true;
}

/**
 * Completes the next `amount` fences of a software timeline. Any agent may call this, several at once.
 *
 * @returns The number that it has now; -1 if the timeline has ended; what is beyond the last number if there are no such.
 */
export function advanceTimeline(slot: i32, generation: i32, amount: f64, timestamp: f64): f64 {
  const base = timelineAt(slot);
  while (true) {
    const word = load64(base + TIMELINE.COMPLETED);
    // SYNC POINT generation-before-reset: a word of the slot's next timeline is not taken for this one's.
    if (loadWord(base + TIMELINE.GENERATION) != generation || hasEnded(word)) return -1;
    const sequence = COMPLETED.sequence(word) + <i64>amount;
    // Several calls may write the time of one number at once.
    if (sequence <= lastSequence()) storeTime(base, generation, sequence, timestamp);
    if (sequence > lastSequence() || moveOn(base, word, word + <i64>amount)) return <f64>sequence;
  }
}

function hasEnded(word: i64): bool {
  return COMPLETED.ended(word) != 0;
}

/** Rings all agents that wait on the timeline; those that wait for more arm themselves again. */
export function ringTimeline(slot: i32): void {
  ringWaiters(timelineAt(slot));
}

function ringWaiters(base: i32): void {
  store64(base + TIMELINE.AWAITED, 0);
  ringAll(base + TIMELINE.WAITERS);
}

export function isTimelineSignaled(slot: i32, generation: i32, sequence: i64): bool {
  const base = timelineAt(slot);
  const word = load64(base + TIMELINE.COMPLETED);
  if (COMPLETED.sequence(word) >= sequence || hasEnded(word)) return true;
  return loadWord(base + TIMELINE.GENERATION) != generation;
}

/** Whether a fence is signaled and its work has finished: it is not overdue (timeline-slot.8). */
export function isTimelineFinished(slot: i32, generation: i32, sequence: i64): bool {
  const base = timelineAt(slot);
  const word = load64(base + TIMELINE.COMPLETED);
  if (COMPLETED.sequence(word) >= sequence) return true;
  if (hasEnded(word) && !isUnacknowledged(base, sequence)) return true;
  return loadWord(base + TIMELINE.GENERATION) != generation;
}

/** Of a fence that was pending when its timeline ended: whether a live owner may still be at its work. */
function isUnacknowledged(base: i32, sequence: i64): bool {
  if (endError(base) != ERRNO.ETIMEDOUT) return false;
  if (loadNumber(base + TIMELINE.ACKNOWLEDGED) >= sequence) return false;
  // SYNC POINT acknowledged-before-free: the agent that owns the slot now may be the next owner only if there was an
  // acknowledgement after this look at it, and then this agent is rung.
  return isLive(loadWord(base + TIMELINE.OWNER));
}

/** 0 pending, 1 signaled, a negative errno if it failed, `-ESTALE` if more failures have followed than are kept. */
export function timelineStatus(slot: i32, generation: i32, sequence: i64): i32 {
  const base = timelineAt(slot);
  const word = load64(base + TIMELINE.COMPLETED);
  const isCompleted = COMPLETED.sequence(word) >= sequence;
  let error = 0;
  if (isCompleted) error = findFailure(base, sequence);
  else if (hasEnded(word)) error = endError(base);
  // SYNC POINT generation-before-reset: what was read above counts only if the slot has not moved on.
  if (loadWord(base + TIMELINE.GENERATION) != generation) error = findRetired(slot, generation, <f64>sequence);
  else if (!isCompleted && !hasEnded(word)) return 0;
  return error == 0 ? 1 : -error;
}

/** Asks that an agent's doorbell rings when `sequence` completes. The caller looks again afterwards (timeline-slot.5). */
export function armTimeline(slot: i32, sequence: i64, agent: i32): void {
  const base = timelineAt(slot);
  setBit(base + TIMELINE.WAITERS, agent);
  // SYNC POINT completed-before-awaited: the bit is set before the number that makes a signaler take it.
  lower(base + TIMELINE.AWAITED, sequence);
}

/** Lowers the number in a 64-bit word; 0 says that there is none yet. */
function lower(word: i32, value: i64): void {
  for (;;) {
    const lowest = load64(word);
    if (lowest != 0 && toNumber(lowest) <= value) return;
    if (compareExchange64(word, lowest, value) == lowest) return;
  }
}

/** The number of the last fence that completed. */
export function timelineProgress(slot: i32): i64 {
  return COMPLETED.sequence(load64(timelineAt(slot) + TIMELINE.COMPLETED));
}

/** When a completed fence signaled, in nanoseconds; -1 if that is no longer kept. */
export function timelineTime(slot: i32, generation: i32, sequence: i64): f64 {
  const base = timelineAt(slot);
  const word = load64(base + TIMELINE.COMPLETED);
  const completed = COMPLETED.sequence(word);
  if (completed == sequence) {
    const latest = load64(base + TIMELINE.LATEST);
    // SYNC POINT latest-before-completed: while COMPLETED stays as it is, LATEST is of its number or of the next one.
    const isIts = TIME.tag(latest) == tagOf(sequence, generation) && load64(base + TIMELINE.COMPLETED) == word;
    if (isIts) return timeIn(base, generation, latest);
  }
  if (completed - sequence >= <i64>tags() * TIMES_KEPT) return -1;
  // Fences that completed together have one time, which is stored for the last of them.
  const last = min(completed, sequence + TIMES_KEPT - 1);
  for (; sequence <= last; sequence++) {
    const time = load64(timeWord(base, sequence));
    if (TIME.tag(time) == tagOf(lapOf(sequence), generation)) return timeIn(base, generation, time);
  }
  return -1;
}

function timeIn(base: i32, generation: i32, time: i64): f64 {
  return loadWord(base + TIMELINE.GENERATION) == generation ? inNanoseconds(time) : -1;
}

/**
 * A time is stored before the completion, and tells by its tag, a lap of the ring, when it belongs to a later fence, or
 * to one of another generation, whose last call was overdue.
 */
function storeTime(base: i32, generation: i32, sequence: i64, timestamp: f64): void {
  store64(timeWord(base, sequence), timeOf(timestamp, lapOf(sequence), generation));
}

function timeWord(base: i32, sequence: i64): i32 {
  return base + TIMELINE.TIMES + (<u32>sequence % TIMES_KEPT) * TIME_ENTRY.WORDS;
}

/** How often the ring of times has gone round. */
function lapOf(sequence: i64): i64 {
  return <u64>sequence / TIMES_KEPT;
}

function timeOf(timestamp: f64, number: i64, generation: i32): i64 {
  return inUnits(timestamp) | TIME.ofTag(tagOf(number, generation));
}

/** How many tags there are: 0 is that of a time that was not written. */
function tags(): u32 {
  return <u32>TIME.tag(-1);
}

/** How far apart the tags of two generations are that follow each other. */
const APART: u32 = 509;

function tagOf(number: i64, generation: i32): i64 {
  // Its halves by themselves: a remainder of 64 bits takes long.
  const high = <u32>(number >>> 32) * <u32>(<i64>0x1_0000_0000 % <i64>tags());
  return 1 + (((<u32>number % tags()) + high + ((<u32>generation) & tags()) * APART) % tags());
}
