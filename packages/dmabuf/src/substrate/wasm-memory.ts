/** The memory of a WebAssembly module: a `WebAssembly.Memory`. */
export interface ModuleMemory {
  /** All of its bytes. */
  readonly buffer: ArrayBufferLike;
  /** Makes it longer by pages of 65,536 bytes, and returns how many it had. */
  grow(pages: number): number;
}

/** A shared memory that WebAssembly works on, as well as JavaScript does: a `WebAssembly.Memory`. */
export interface WasmMemory {
  /** All of its bytes. */
  readonly buffer: SharedArrayBuffer;
}

declare const WebAssembly: {
  readonly Memory: new (terms: { initial: number; maximum: number; shared: true }) => WasmMemory;
};

/** Bytes of a page of WebAssembly: whole pages of every processor. */
export const MODULE_PAGE = 65_536;

const MOST_PAGES = 65_536;

/** A refusal takes a tenth of a second: the engine first collects all garbage, several times. */
let isRefused = false;

/** A shared memory of at least so many bytes; `undefined` where none can be had. */
export function createWasmMemory(bytes: number): WasmMemory | undefined {
  const pages = Math.ceil(bytes / MODULE_PAGE);
  if (isRefused || pages > MOST_PAGES) return undefined;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    // No WebAssembly here, or no room for addresses: each memory takes gigabytes of them, however long it is.
    isRefused = true;
    return undefined;
  }
}

/** Whether a value, from another thread too, is such a memory. */
export function isWasmMemory(value: unknown): value is WasmMemory {
  return typeof WebAssembly !== "undefined" && value instanceof WebAssembly.Memory;
}
