import type { Substrate } from "../substrate/substrate.js";

/** Arrays with one bit for each agent slot, starting at a word. */

export function setBit(memory: Substrate, array: number, slot: number): void {
  memory.or(array + (slot >>> 5), 1 << (slot & 31));
}

/** Returns whether the bit was set. */
export function clearBit(memory: Substrate, array: number, slot: number): boolean {
  const mask = 1 << (slot & 31);
  const word = array + (slot >>> 5);
  return (memory.load(word) & mask) !== 0 && (memory.and(word, ~mask) & mask) !== 0;
}

export function testBit(memory: Substrate, array: number, slot: number): boolean {
  return (memory.load(array + (slot >>> 5)) & (1 << (slot & 31))) !== 0;
}

export function anyBit(memory: Substrate, array: number, words: number): boolean {
  for (let i = 0; i < words; i++) if (memory.load(array + i) !== 0) return true;
  return false;
}

/** Calls back for each slot whose bit is set, without changing it. */
export function forEachBit(memory: Substrate, array: number, words: number, visit: (slot: number) => void): void {
  for (let i = 0; i < words; i++) {
    for (let bits = memory.load(array + i); bits !== 0; bits &= bits - 1) visit(i * 32 + 31 - Math.clz32(bits & -bits));
  }
}
