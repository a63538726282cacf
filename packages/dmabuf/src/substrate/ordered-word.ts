/**
 * Words that say whether what is written beside them is whole: what was written before a store is seen by who sees the store,
 * and nothing that is written after it is seen without it.
 */
export function storeOrdered(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}
