/** WebAssembly as far as the library uses it: its types are not in every program that uses the library. */

/** A function of a module. */
export type Call = (...args: number[]) => unknown;

interface WasmModule {
  readonly [MODULE]: never;
}

declare const MODULE: unique symbol;
declare const WebAssembly: {
  readonly Module: new (binary: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: Readonly<Record<string, Call>> };
};

let compiled: WasmModule | undefined;

/**
 * The functions of the one module of the library.
 *
 * @param binary In hexadecimal digits.
 * @throws {Error} Where it may not be compiled, as by the policy of a page.
 */
export function instantiate(binary: string, imports: object): Readonly<Record<string, Call>> {
  return new WebAssembly.Instance((compiled ??= new WebAssembly.Module(fromHex(binary))), imports).exports;
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
