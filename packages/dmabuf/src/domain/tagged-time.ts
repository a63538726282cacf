/**
 * A time that belongs to one generation of a slot, in one 64-bit word: the generation's low 10 bits, one bit that says
 * which unit, and 53 bits of that. So a time that is written or read too late is not the next generation's.
 *
 * The unit is a nanosecond up to 104 days. A browser's clock counts from 1970, and a machine may run for longer: their times
 * are in steps of 256 ns, which is as exact as a number is there.
 */
const VALUE_BITS = 53n;
const VALUE_MASK = (1n << VALUE_BITS) - 1n;
const IN_STEPS = 1n << VALUE_BITS;
const TAG_BITS = 54n;
const STEP = 256;

/** The word of a generation of which no time is known. */
export function timeless(generation: number): bigint {
  return BigInt.asUintN(64, BigInt(generation) << TAG_BITS);
}

/** A later time of the same generation is a greater word. @param nanoseconds At least 1, so that it is told from no time. */
export function timed(generation: number, nanoseconds: number): bigint {
  const whole = Math.max(1, Math.floor(nanoseconds));
  if (whole <= Number.MAX_SAFE_INTEGER) return timeless(generation) | BigInt(whole);
  const steps = Math.min(Math.floor(whole / STEP), Number.MAX_SAFE_INTEGER);
  return timeless(generation) | IN_STEPS | BigInt(steps);
}

/** The nanoseconds, 0 for none; `undefined` for another generation's word. */
export function timeIn(word: bigint, generation: number): number | undefined {
  if (word >> TAG_BITS !== timeless(generation) >> TAG_BITS) return undefined;
  return Number(word & VALUE_MASK) * ((word & IN_STEPS) === 0n ? 1 : STEP);
}
