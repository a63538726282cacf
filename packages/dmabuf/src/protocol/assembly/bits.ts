import { andWord, loadWord, orWord } from "./words";

/** Arrays with one bit for each agent slot; see domain/bits.ts. */

export function setBit(array: i32, slot: i32): void {
  orWord(array + (slot >>> 5), 1 << (slot & 31));
}

export function clearBit(array: i32, slot: i32): void {
  const word = array + (slot >>> 5);
  const mask = 1 << (slot & 31);
  if ((loadWord(word) & mask) != 0) andWord(word, ~mask);
}
