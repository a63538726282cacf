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
 * @param binary In base64.
 * @throws {Error} Where it may not be compiled, as by the policy of a page.
 */
export function instantiate(binary: string, imports: object): Readonly<Record<string, Call>> {
  return new WebAssembly.Instance((compiled ??= new WebAssembly.Module(fromBase64(binary))), imports).exports;
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
