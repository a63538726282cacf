/**
 * Shared words, parking and waking: all that the layers above know of shared memory.
 *
 * substrate.1. Every operation is atomic and sequentially consistent with every other one, in all agents.
 * substrate.2. `park` compares and goes to sleep in one step: a `wake` after the comparison is not lost.
 * substrate.3. `wake` wakes synchronous and asynchronous sleepers alike, all of them.
 * substrate.4. `park` may return early ("woken" without a `wake`); callers look again.
 *
 * Indices count 32-bit words from the start of the segment. A 64-bit word is at an even index,
 * its low half first.
 */
export interface Substrate {
  /** How many 32-bit words the segment has. */
  readonly words: number;

  /** Returns what the word holds. */
  load(word: number): number;
  /** Replaces what the word holds. */
  store(word: number, value: number): void;
  /** Adds, wrapping at 32 bits, and returns the old value. */
  add(word: number, amount: number): number;
  /** Sets bits and returns the old value. */
  or(word: number, bits: number): number;
  /** Keeps only the given bits and returns the old value. */
  and(word: number, bits: number): number;
  /** Stores a value and returns the old one. */
  exchange(word: number, value: number): number;
  /** Stores `replacement` if the word holds `expected`; returns what it held before. */
  compareExchange(word: number, expected: number, replacement: number): number;

  /** 64-bit words are unsigned. */
  load64(word: number): bigint;
  /** As `store`, of 64 bits. */
  store64(word: number, value: bigint): void;
  /** As `exchange`, of 64 bits. */
  exchange64(word: number, value: bigint): bigint;
  /** As `compareExchange`, of 64 bits. */
  compareExchange64(word: number, expected: bigint, replacement: bigint): bigint;

  /**
   * Blocks this thread until the word is woken, unless it no longer holds `expected`.
   *
   * @param timeoutMs Milliseconds; `Infinity` for no limit.
   * @throws {DmaBufError} `EOPNOTSUPP` where blocking is forbidden (a browser's main thread).
   */
  park(word: number, expected: number, timeoutMs: number): ParkResult;
  /** As `park`, but returns to the event loop: `undefined` if the word differs already. */
  parkAsync(word: number, expected: number): Promise<void> | undefined;
  /** Wakes all sleepers on the word; returns how many sleepers there were. */
  wake(word: number): number;
  /** A hint between two looks of a spinning wait. */
  pause(): void;
}

/** How a park ended: it was woken (or woke early), the word had another value, or the time passed. */
export type ParkResult = "woken" | "not-equal" | "timed-out";
