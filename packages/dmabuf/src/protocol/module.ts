/** WebAssembly as far as the library uses it: its types are not in every program that uses the library. */

export type WasmCall = (...args: number[]) => number;

/** The number that a module imports by the name of a record or list, and a name in it. */
export type Places = (record: string, name: string) => number;

interface WasmModule {
  readonly [MODULE]: never;
}

declare const MODULE: unique symbol;
declare const WebAssembly: {
  readonly Module: {
    new (binary: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly { readonly module: string; readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: Record<string, WasmCall> };
};

const modules = new Map<string, WasmModule>();

/** @param binary In base64. */
export function compiled(binary: string): WasmModule {
  let module = modules.get(binary);
  if (module === undefined) {
    module = new WebAssembly.Module(fromBase64(binary));
    modules.set(binary, module);
  }
  return module;
}

/** The functions of a module. @param imports What it imports besides places. */
export function instantiate(
  module: WasmModule,
  places: Places,
  imports: Readonly<Record<string, object>>,
): Readonly<Record<string, WasmCall>> {
  const all: Record<string, Record<string, unknown>> = { ...imports } as Record<string, Record<string, unknown>>;
  for (const { module: record, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === "global") (all[record] ??= {})[name] = places(record, name);
  }
  const { exports } = new WebAssembly.Instance(module, all);
  return Object.fromEntries(Object.entries(exports).filter(([, value]) => typeof value === "function"));
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** An AudioWorklet has no atob(). */
function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length * 3) / 4);
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    bits = (bits << 6) | Math.max(0, BASE64.indexOf(text[i]!));
    if (i % 4 === 3) bytes.set([bits >>> 16, bits >>> 8, bits], ((i - 3) * 3) / 4);
  }
  return bytes.subarray(0, bytes.length - (text.match(/=*$/)?.[0].length ?? 0));
}
