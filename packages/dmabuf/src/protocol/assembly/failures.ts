import {
  COUNT,
  END_ERROR,
  ERRNO,
  FAILURE,
  FAILURES_KEPT,
  HEADER,
  INDEX,
  ONE_SHOT,
  RETIRED,
  START,
  TIMELINE,
} from "./layout";
import { isTimeline, oneShotAt, timelineAt } from "./places";
import { loadNumber, loadWord } from "./words";

/** How fences failed, for those that ask; see domain/failures.ts for the rules. */

/** The positive errno a completed fence of a timeline failed with, 0 for none, `ESTALE` if that is no longer known. */
export function findFailure(base: i32, sequence: i64): i32 {
  for (;;) {
    const count = loadWord(base + TIMELINE.FAILURES);
    if (count == 0) return 0;
    let error = 0;
    for (let n = count - 1; n >= max(0, count - FAILURES_KEPT) && error == 0; n--) {
      const entry = base + TIMELINE.FAILED + (n % (FAILURES_KEPT + 1)) * FAILURE.WORDS;
      const isInside = loadNumber(entry + FAILURE.FIRST) <= sequence && sequence <= loadNumber(entry + FAILURE.LAST);
      if (isInside) error = loadWord(entry + FAILURE.ERROR);
    }
    // SYNC POINT failure-before-count: if the count has not changed, no entry that was read was being rewritten.
    if (loadWord(base + TIMELINE.FAILURES) != count) continue;
    if (error != 0) return error;
    return sequence <= loadNumber(base + TIMELINE.FORGOTTEN) ? ERRNO.ESTALE : 0;
  }
}

/** The positive errno that the pending fences of an ended timeline failed with. */
export function endError(base: i32): i32 {
  return END_ERROR.error(loadWord(base + TIMELINE.END_ERROR));
}

/** As `findFailure`, for a fence whose slot has moved on to another generation. */
export function findRetired(slot: i32, generation: i32, sequence: f64): i32 {
  const used = loadWord(HEADER.USED + INDEX.retired);
  const count = <u32>used < <u32>COUNT.retired ? used : COUNT.retired;
  for (let i = 0; i < count; i++) {
    const entry = START.retired + i * RETIRED.WORDS;
    const tag = loadWord(entry + RETIRED.TAG);
    if (tag <= 0 || loadWord(entry + RETIRED.SLOT) != slot) continue;
    if (loadWord(entry + RETIRED.GENERATION) != generation) continue;
    const error = loadWord(entry + RETIRED.ERROR);
    const isInside =
      loadNumber(entry + RETIRED.FIRST) <= <i64>sequence && <i64>sequence <= loadNumber(entry + RETIRED.LAST);
    if (isInside && loadWord(entry + RETIRED.TAG) == tag) return error;
  }
  const forgotten = loadWord(forgottenWord(slot));
  return generation - forgotten > 0 ? 0 : ERRNO.ESTALE;
}

function forgottenWord(slot: i32): i32 {
  return isTimeline(slot)
    ? timelineAt(slot) + TIMELINE.FORGOTTEN_GENERATION
    : oneShotAt(slot) + ONE_SHOT.FORGOTTEN_GENERATION;
}
