/** A shared memory that WebAssembly works on, as well as JavaScript does. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

declare const WebAssembly: {
  readonly Memory: new (terms: { initial: number; maximum: number; shared: true }) => WasmMemory;
};

const PAGE_BYTES = 65_536;

/** A shared memory of at least so many bytes; `undefined` where none can be had. */
export function createWasmMemory(bytes: number): WasmMemory | undefined {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    // No WebAssembly here, or not so much room for addresses: it takes gigabytes of them.
    return undefined;
  }
}

/** Whether a value, from another thread too, is such a memory. */
export function isWasmMemory(value: unknown): value is WasmMemory {
  return typeof WebAssembly !== "undefined" && value instanceof WebAssembly.Memory;
}
