import { ring } from "./agent-slot";
import { IDENTITY, ONE_SHOT, TIMELINE } from "./layout";
import { isTimeline, oneShotAt, timelineAt } from "./places";
import * as oneShot from "./one-shot-slot";
import { timed, timeIn } from "./tagged-time";
import * as timeline from "./timeline-slot";
import { compareExchange64, load64, loadWord } from "./words";

/** What any agent can ask of a fence it knows by its key, whichever kind of slot it has; see domain/fence-slot.ts. */

export function isKeySignaled(slot: i32, generation: i32, sequence: f64): bool {
  if (isTimeline(slot)) return timeline.isTimelineSignaled(slot, generation, <i64>sequence);
  return oneShot.isOneShotSignaled(slot, generation);
}

/** As `isKeySignaled`, looked at again and again while it is pending, up to `looks` times. */
export function spinSignaled(slot: i32, generation: i32, sequence: f64, looks: i32): bool {
  for (; looks > 0; looks--) if (isKeySignaled(slot, generation, sequence)) return true;
  return false;
}

export function isKeyFinished(slot: i32, generation: i32, sequence: f64): bool {
  if (isTimeline(slot)) return timeline.isTimelineFinished(slot, generation, <i64>sequence);
  return oneShot.isOneShotFinished(slot, generation);
}

/** 0 pending, 1 signaled, a negative errno if the fence failed. */
export function keyStatus(slot: i32, generation: i32, sequence: f64): i32 {
  if (isTimeline(slot)) return timeline.timelineStatus(slot, generation, <i64>sequence);
  return oneShot.oneShotStatus(slot, generation);
}

/** When the fence signaled, in nanoseconds; -1 if that is no longer kept. */
export function keyTime(slot: i32, generation: i32, sequence: f64): f64 {
  if (isTimeline(slot)) return timeline.timelineTime(slot, generation, <i64>sequence);
  return oneShot.oneShotTime(slot, generation);
}

export function armKey(slot: i32, sequence: f64, identity: i32): void {
  const agent = IDENTITY.slot(identity);
  if (isTimeline(slot)) timeline.armTimeline(slot, <i64>sequence, agent);
  else oneShot.armOneShot(slot, agent);
}

/** A number that changes with every step forward of the fence's context. */
export function keyProgress(slot: i32): f64 {
  return isTimeline(slot) ? <f64>timeline.timelineProgress(slot) : 0;
}

/**
 * Tells the fence's owner that another agent needs it by then. The earliest deadline counts, until it has passed: then
 * the owner has been told, and later ones must not be hidden behind it.
 */
export function hintDeadline(slot: i32, generation: i32, deadlineNs: f64, now: f64): void {
  const word = deadlineWord(slot);
  const deadline = timed(generation, deadlineNs);
  for (;;) {
    const earliest = load64(word);
    const time = timeIn(earliest, generation);
    // The slot has moved on: the fence has signaled, and this is nothing for the next owner.
    if (time < 0) return;
    if (time != 0 && (earliest == deadline || (<u64>earliest < <u64>deadline && time >= now))) return;
    if (compareExchange64(word, earliest, deadline) == earliest) break;
  }
  const owner = keyOwner(slot, generation);
  if (owner != 0) ring(IDENTITY.slot(owner));
}

/** The earliest deadline that has been asked of the fence's context, in nanoseconds; 0 for none. */
export function keyDeadline(slot: i32, generation: i32): f64 {
  return max<f64>(0, timeIn(load64(deadlineWord(slot)), generation));
}

/** The agent that signals the fence, 0 if its slot is free or has moved on. */
export function keyOwner(slot: i32, generation: i32): i32 {
  const base = isTimeline(slot) ? timelineAt(slot) : oneShotAt(slot);
  const owner = loadWord(base + (isTimeline(slot) ? TIMELINE.OWNER : ONE_SHOT.OWNER));
  // Looked at afterwards: the next owner comes before its generation.
  const now = loadWord(base + (isTimeline(slot) ? TIMELINE.GENERATION : ONE_SHOT.GENERATION));
  return now == generation ? owner : 0;
}

function deadlineWord(slot: i32): i32 {
  return isTimeline(slot) ? timelineAt(slot) + TIMELINE.DEADLINE : oneShotAt(slot) + ONE_SHOT.DEADLINE;
}
