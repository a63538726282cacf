import { isWasmMemory, type WasmMemory } from "./wasm-memory.js";
import type { ParkResult, Substrate } from "./substrate.js";

/** The operations on words of every substrate whose memory JavaScript can see; parking and waking differ. */
export abstract class AtomicWords implements Substrate {
  readonly words: number;
  /** The memory that these words are in, if it is WebAssembly's. */
  readonly wasmMemory: WasmMemory | undefined;
  #words: Int32Array;
  #doubles: BigUint64Array;

  /** @param memory Its length is a multiple of 8 bytes. */
  protected constructor(memory: ArrayBufferLike | WasmMemory) {
    this.wasmMemory = isWasmMemory(memory) ? memory : undefined;
    const buffer = bufferOf(memory);
    this.#words = new Int32Array(buffer);
    this.#doubles = new BigUint64Array(buffer);
    this.words = this.#words.length;
  }

  /** From now on the words are those of this memory, of the same length. */
  protected moveTo(buffer: ArrayBufferLike): void {
    this.#words = new Int32Array(buffer);
    this.#doubles = new BigUint64Array(buffer);
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

  abstract park(word: number, expected: number, timeoutMs: number): ParkResult;

  abstract parkAsync(word: number, expected: number): Promise<void> | undefined;

  abstract wake(word: number): number;

  pause(): void {
    // Atomics.pause() is not in Node 20; a spinning wait is bounded and looks at shared words anyway.
  }
}

/** The bytes of a memory. */
export function bufferOf<B extends ArrayBufferLike>(memory: B | WasmMemory): B | SharedArrayBuffer {
  return isWasmMemory(memory) ? memory.buffer : memory;
}
