import { ONE_SHOT, ONE_SHOT_NUMBER, TIMELINE } from "./layout";
import { isTimeline, oneShotAt, timelineAt } from "./places";
import { load64, loadNumber, loadWord } from "./words";

/** The order of fences in their contexts; see domain/fence-order.ts. */

/** The context of a fence, or -1 if its slot has moved on. */
export function keyContext(slot: i32, generation: i32): i64 {
  const base = isTimeline(slot) ? timelineAt(slot) : oneShotAt(slot);
  const context = loadNumber(base + (isTimeline(slot) ? TIMELINE.CONTEXT : ONE_SHOT.CONTEXT));
  const now = loadWord(base + (isTimeline(slot) ? TIMELINE.GENERATION : ONE_SHOT.GENERATION));
  return now == generation ? context : -1;
}

/** Whether a fence comes after another one in their context, or is the same. */
export function isLaterOrSame(
  slot: i32,
  generation: i32,
  sequence: i64,
  otherSlot: i32,
  otherGeneration: i32,
  otherSequence: i64,
): bool {
  // The fences of one slot are those of one timeline, whose numbers do not wrap, or the same.
  if (slot == otherSlot && generation == otherGeneration) return sequence >= otherSequence;
  // Two timelines are two contexts; published fences of one agent may share one.
  if (isTimeline(slot) || isTimeline(otherSlot)) return false;
  const number = load64(oneShotAt(slot) + ONE_SHOT.SEQUENCE);
  const otherNumber = load64(oneShotAt(otherSlot) + ONE_SHOT.SEQUENCE);
  const context = keyContext(slot, generation);
  return context >= 0 && context == keyContext(otherSlot, otherGeneration) && isLater(number, otherNumber);
}

function isLater(number: i64, other: i64): bool {
  const difference = ONE_SHOT_NUMBER.seqno(number) - ONE_SHOT_NUMBER.seqno(other);
  const wraps = (ONE_SHOT_NUMBER.wraps(number) | ONE_SHOT_NUMBER.wraps(other)) != 0;
  return wraps ? <i32>difference > 0 : difference > 0;
}
