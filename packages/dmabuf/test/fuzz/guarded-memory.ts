import type { ParkResult, Substrate } from "../../src/substrate/substrate.js";

/** What no damage may bring the library to do. */
class GuardError extends Error {
  override readonly name = "GuardError";
}

/**
 * One agent's memory, in a world of its own: it knows when an index is wrong, and when the agent does not come to an
 * end. Time passes only while it sleeps, and no agent wakes it.
 */
export class GuardedMemory implements Substrate {
  readonly words: number;
  readonly #memory: Substrate;
  readonly #mostSteps: number;
  #steps = 0;
  #sleptMs = 0;

  /** @param mostSteps Operations between two calls of {@link begin}. */
  constructor(memory: Substrate, mostSteps: number) {
    this.words = memory.words;
    this.#memory = memory;
    this.#mostSteps = mostSteps;
  }

  /** Begins to count the operations anew. */
  begin(): void {
    this.#steps = 0;
  }

  get sleptMs(): number {
    return this.#sleptMs;
  }

  load(word: number): number {
    return this.#memory.load(this.#checked(word));
  }

  store(word: number, value: number): void {
    this.#memory.store(this.#checked(word), value);
  }

  add(word: number, amount: number): number {
    return this.#memory.add(this.#checked(word), amount);
  }

  or(word: number, bits: number): number {
    return this.#memory.or(this.#checked(word), bits);
  }

  and(word: number, bits: number): number {
    return this.#memory.and(this.#checked(word), bits);
  }

  exchange(word: number, value: number): number {
    return this.#memory.exchange(this.#checked(word), value);
  }

  compareExchange(word: number, expected: number, replacement: number): number {
    return this.#memory.compareExchange(this.#checked(word), expected, replacement);
  }

  load64(word: number): bigint {
    return this.#memory.load64(this.#even(word));
  }

  store64(word: number, value: bigint): void {
    this.#memory.store64(this.#even(word), value);
  }

  exchange64(word: number, value: bigint): bigint {
    return this.#memory.exchange64(this.#even(word), value);
  }

  compareExchange64(word: number, expected: bigint, replacement: bigint): bigint {
    return this.#memory.compareExchange64(this.#even(word), expected, replacement);
  }

  park(word: number, expected: number, timeoutMs: number): ParkResult {
    if (this.load(word) !== expected) return "not-equal";
    if (!(timeoutMs < Infinity)) throw new GuardError(`It sleeps on word ${word} for ${timeoutMs} ms`);
    this.#sleptMs += Math.max(0, timeoutMs);
    return "timed-out";
  }

  parkAsync(word: number, expected: number): Promise<void> | undefined {
    return this.load(word) === expected ? new Promise(() => {}) : undefined;
  }

  wake(word: number): number {
    this.#checked(word);
    return 0;
  }

  pause(): void {
    this.#count();
  }

  #even(word: number): number {
    if (word % 2 !== 0) throw new GuardError(`It takes word ${word} for one of 64 bits`);
    this.#checked(word + 1);
    return word;
  }

  #checked(word: number): number {
    this.#count();
    if (Number.isInteger(word) && word >= 0 && word < this.words) return word;
    throw new GuardError(`It reaches for word ${word} of ${this.words}`);
  }

  #count(): void {
    if (++this.#steps > this.#mostSteps) throw new GuardError(`It has not ended after ${this.#mostSteps} steps`);
  }
}
