/** A 64-bit word and its halves in one place: `BigInt()`, a shift and a sum take several times as long. */
const word = new BigUint64Array(1);
const halves = new Uint32Array(word.buffer);

/** The unsigned 64-bit word of two halves. Of each of them 32 bits count. */
export function joinHalves(low: number, high: number): bigint {
  halves[0] = low;
  halves[1] = high;
  return word[0]!;
}

/** The low half of a 64-bit word, unsigned. */
export function lowHalf(value: bigint): number {
  word[0] = value;
  return halves[0]!;
}

/** The high half of a 64-bit word, unsigned. */
export function highHalf(value: bigint): number {
  word[0] = value;
  return halves[1]!;
}
