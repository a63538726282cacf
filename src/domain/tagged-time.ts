/**
 * A time that belongs to one generation of a slot, in one 64-bit word: the generation's low 11 bits, and 53 bits of
 * nanoseconds. So a time that is written or read too late is not the next generation's.
 */
const TIME_BITS = 53n;
const TIME_MASK = (1n << TIME_BITS) - 1n;
const LATEST = Number.MAX_SAFE_INTEGER;

/** The word of a generation of which no time is known. */
export function timeless(generation: number): bigint {
  return BigInt.asUintN(64, BigInt(generation) << TIME_BITS);
}

/** @param nanoseconds At least 1, so that it is told from no time. */
export function timed(generation: number, nanoseconds: number): bigint {
  return timeless(generation) | BigInt(Math.min(Math.max(1, Math.floor(nanoseconds)), LATEST));
}

/** The nanoseconds, 0 for none; `undefined` for another generation's word. */
export function timeIn(word: bigint, generation: number): number | undefined {
  return word >> TIME_BITS === timeless(generation) >> TIME_BITS ? Number(word & TIME_MASK) : undefined;
}
