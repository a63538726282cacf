import type { Substrate } from "../substrate/substrate.js";
import type { WasmMemory } from "../substrate/wasm-memory.js";
import { ATOMIC } from "./atomic-binary.js";
import { binder } from "./module.js";
import type { Places, Protocol } from "./protocol.js";

const bind = /* @__PURE__ */ binder(ATOMIC);

/** The `atomic` build on a memory of WebAssembly's own; `undefined` where it may not be compiled, as by a page's policy. */
export function bindAtomic(memory: Substrate, shared: WasmMemory, places: Places): Protocol | undefined {
  try {
    return bind(memory, shared, places);
  } catch {
    return undefined;
  }
}
