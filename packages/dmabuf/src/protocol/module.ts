import type { Substrate } from "../substrate/substrate.js";
import type { WasmMemory } from "../substrate/wasm-memory.js";
import type { Places, Protocol } from "./protocol.js";

/** WebAssembly as far as the library uses it: its types are not in every program that uses the library. */

/** A function of a module. */
export type Call = (...args: number[]) => unknown;

interface WasmModule {
  readonly [MODULE]: never;
}

declare const MODULE: unique symbol;
declare const WebAssembly: {
  readonly Module: new (binary: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
};

/** Binds a build to a memory of WebAssembly's own. @throws {Error} Where it may not be compiled, as by the policy of a page. */
export type Binder = (memory: Substrate, shared: WasmMemory, places: Places) => Protocol;

/** The build that a binary is, compiled when it is first needed. @param binary As scripts/protocol.mjs writes it. */
export function binder(binary: string): Binder {
  let compiled: WasmModule | undefined;
  return (memory, shared, places) => {
    compiled ??= new WebAssembly.Module(bytesFrom(binary));
    const words = { ...places, wake: (word: number) => memory.wake(word) };
    return new WebAssembly.Instance(compiled, { words, env: { memory: shared } }).exports as unknown as Protocol;
  };
}

/** How many bytes one character can stand for: those from "#" to "~" without "\\". */
const CHARACTERS = 91;

/**
 * A byte is one character or, if it is large, a blank or "!" and another one. It is compressed by the byte, as WebAssembly itself
 * is: a quarter less than base64. An AudioWorklet has no atob(), either.
 */
function bytesFrom(text: string): Uint8Array {
  const bytes: number[] = [];
  let above = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 34) {
      above = (code - 31) * CHARACTERS;
    } else {
      bytes.push(above + code - (code > 92 ? 36 : 35));
      above = 0;
    }
  }
  return new Uint8Array(bytes);
}
