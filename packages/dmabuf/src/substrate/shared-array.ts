import { DmaBufError } from "../errors.js";
import type { WasmMemory } from "./wasm-memory.js";
import { AtomicWords, bufferOf } from "./atomic-words.js";
import type { ParkResult } from "./substrate.js";

/**
 * The threads substrate: shared memory and `Atomics`.
 *
 * @param memory Its length is a multiple of 8 bytes.
 * @param mayBlock Whether this thread may block; where it may not, `park` throws `EOPNOTSUPP`.
 */
export function createSharedSubstrate(memory: SharedArrayBuffer | WasmMemory, mayBlock = true): AtomicWords {
  return new SharedArraySubstrate(memory, mayBlock);
}

class SharedArraySubstrate extends AtomicWords {
  readonly #words: Int32Array;
  readonly #mayBlock: boolean;

  constructor(memory: SharedArrayBuffer | WasmMemory, mayBlock: boolean) {
    super(memory);
    this.#words = new Int32Array(bufferOf(memory));
    this.#mayBlock = mayBlock;
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
}

/** Whether this thread may block: no name of a global tells it for all kinds of threads. */
export function canBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether what is waited for is told to the event loop. */
export function hasWaitAsync(): boolean {
  return typeof Atomics.waitAsync === "function";
}

/** Resolves after some milliseconds, where there are no timers. */
export async function sleep(ms: number): Promise<void> {
  await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms).value;
}

function ignore(): void {}
