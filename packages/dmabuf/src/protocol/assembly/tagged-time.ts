import { TAGGED_TIME } from "./layout";

/**
 * A time that belongs to one generation of a slot, in one 64-bit word: so a time that is written or read too late is
 * not the next generation's.
 *
 * The unit is a nanosecond up to 104 days. A browser's clock counts from 1970, and a machine may run for longer: their
 * times are in steps of 256 ns, which is as exact as a number is there.
 */
const STEP: f64 = 256;

/** The word of a generation of which no time is known. */
export function timeless(generation: i32): i64 {
  return TAGGED_TIME.ofGeneration(generation);
}

/** A later time of the same generation is a greater word. @param nanoseconds At least 1, so that it is told from no time. */
export function timed(generation: i32, nanoseconds: f64): i64 {
  return timeless(generation) | inUnits(max<f64>(1, nanoseconds));
}

/** The nanoseconds, 0 for none; -1 for another generation's word. */
export function timeIn(word: i64, generation: i32): f64 {
  if (TAGGED_TIME.generation(word) != TAGGED_TIME.generation(timeless(generation))) return -1;
  return inNanoseconds(word);
}

/** The value of a time and its unit, which are in the same bits of all words that hold a time. */
export function inUnits(nanoseconds: f64): i64 {
  if (nanoseconds <= f64.MAX_SAFE_INTEGER) return <i64>nanoseconds;
  const steps = min<f64>(floor(nanoseconds / STEP), f64.MAX_SAFE_INTEGER);
  return TAGGED_TIME.ofInSteps(1) | (<i64>steps);
}

export function inNanoseconds(word: i64): f64 {
  return <f64>TAGGED_TIME.value(word) * (TAGGED_TIME.inSteps(word) == 0 ? 1 : STEP);
}
