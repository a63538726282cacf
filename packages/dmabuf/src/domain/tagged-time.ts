import { TAGGED_TIME } from "./layout.js";
import { pairOf } from "./packing.js";

/**
 * A time that belongs to one generation of a slot, in one 64-bit word: so a time that is written or read too late is
 * not the next generation's.
 *
 * The unit is a nanosecond up to 104 days. A browser's clock counts from 1970, and a machine may run for longer: their
 * times are in steps of 256 ns, which is as exact as a number is there.
 */
const { value, inSteps, generation: tag } = TAGGED_TIME;
const STEP = 256;

/** The word of a generation of which no time is known. */
export function timeless(generation: number): bigint {
  return tag.of(generation);
}

/** A later time of the same generation is a greater word. @param nanoseconds At least 1, so that it is told from no time. */
export function timed(generation: number, nanoseconds: number): bigint {
  const whole = Math.max(1, Math.floor(nanoseconds));
  if (whole <= Number.MAX_SAFE_INTEGER) return pairOf(value, whole, tag, generation);
  const steps = Math.min(Math.floor(whole / STEP), Number.MAX_SAFE_INTEGER);
  return pairOf(value, steps, tag, generation) | inSteps.mask;
}

/** The nanoseconds, 0 for none; `undefined` for another generation's word. */
export function timeIn(word: bigint, generation: number): number | undefined {
  if (tag.in(word) !== tag.in(timeless(generation))) return undefined;
  return value.in(word) * (inSteps.in(word) === 0 ? 1 : STEP);
}
