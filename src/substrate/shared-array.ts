import { DmaBufError } from "../errors.js";
import type { ParkResult, Substrate } from "./substrate.js";

/**
 * The threads substrate: a `SharedArrayBuffer` and `Atomics`.
 *
 * @param buffer Its length is a multiple of 8 bytes.
 * @param mayBlock Whether this thread may block; where it may not, `park` throws `EOPNOTSUPP`.
 */
export function createSharedSubstrate(buffer: SharedArrayBuffer, mayBlock = true): Substrate {
  return new SharedArraySubstrate(buffer, mayBlock);
}

class SharedArraySubstrate implements Substrate {
  readonly words: number;
  readonly #words: Int32Array;
  readonly #doubles: BigUint64Array;
  readonly #mayBlock: boolean;

  constructor(buffer: SharedArrayBuffer, mayBlock: boolean) {
    this.#words = new Int32Array(buffer);
    this.#doubles = new BigUint64Array(buffer);
    this.#mayBlock = mayBlock;
    this.words = this.#words.length;
  }

  load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  store(word: number, value: number): void {
    Atomics.store(this.#words, word, value);
  }

  add(word: number, amount: number): number {
    return Atomics.add(this.#words, word, amount);
  }

  or(word: number, bits: number): number {
    return Atomics.or(this.#words, word, bits);
  }

  and(word: number, bits: number): number {
    return Atomics.and(this.#words, word, bits);
  }

  exchange(word: number, value: number): number {
    return Atomics.exchange(this.#words, word, value);
  }

  compareExchange(word: number, expected: number, replacement: number): number {
    return Atomics.compareExchange(this.#words, word, expected, replacement);
  }

  load64(word: number): bigint {
    return Atomics.load(this.#doubles, word >>> 1);
  }

  store64(word: number, value: bigint): void {
    Atomics.store(this.#doubles, word >>> 1, value);
  }

  exchange64(word: number, value: bigint): bigint {
    return Atomics.exchange(this.#doubles, word >>> 1, value);
  }

  compareExchange64(word: number, expected: bigint, replacement: bigint): bigint {
    return Atomics.compareExchange(this.#doubles, word >>> 1, expected, replacement);
  }

  park(word: number, expected: number, timeoutMs: number): ParkResult {
    if (!this.#mayBlock) {
      throw new DmaBufError("EOPNOTSUPP", "Cannot block this thread: use the asynchronous form of the call");
    }
    const result = Atomics.wait(this.#words, word, expected, timeoutMs);
    return result === "ok" ? "woken" : result;
  }

  parkAsync(word: number, expected: number): Promise<void> | undefined {
    const waiting = Atomics.waitAsync(this.#words, word, expected);
    return waiting.async ? waiting.value.then(ignore) : undefined;
  }

  wake(word: number): number {
    return Atomics.notify(this.#words, word);
  }

  pause(): void {
    // Atomics.pause() is not in Node 20; a spinning wait is bounded and looks at shared words anyway.
  }
}

function ignore(): void {}
