/** One unsigned 64-bit word in memory that anything may change at any time: a buffer's. */
export class MemoryWord {
  readonly #word: BigUint64Array;

  /** @param offset Bytes; a multiple of 8. */
  constructor(memory: ArrayBufferLike, offset: number) {
    this.#word = new BigUint64Array(memory, offset, 1);
  }

  load(): bigint {
    return Atomics.load(this.#word, 0);
  }

  /** Raises it to a value, and never lowers it; returns false if it was as high. */
  raise(value: bigint): boolean {
    for (;;) {
      const old = this.load();
      if (old >= value) return false;
      if (Atomics.compareExchange(this.#word, 0, old, value) === old) return true;
    }
  }
}
