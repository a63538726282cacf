import { canBlock, hasWaitAsync } from "../substrate/shared-array.js";

/** Whether something is there, where `capabilities()` was called. */
export interface WebCapability {
  /** Whether it is there. */
  readonly has: boolean;
  /** Why not. */
  readonly reason?: string;
  /** What helps, if a program or its server can do something. */
  readonly remedy?: string;
}

/** What a page, a worker or a worklet has for `dmabuf`. */
export interface WebCapabilities {
  /** It is cross-origin isolated, as a browser wants it for shared memory. */
  readonly isolated: WebCapability;
  /** Shared memory: without it there is no domain. */
  readonly sharedMemory: WebCapability;
  /** `Atomics.waitAsync()`: without it there is no domain either. */
  readonly waitAsync: WebCapability;
  /** This thread may block: `nextSync()` and the others wait here. */
  readonly mayBlock: WebCapability;
  /** Web Locks, by which browsers tell of the end of a thread. */
  readonly locks: WebCapability;
  /** WebAssembly, which a page's policy may forbid. */
  readonly wasm: WebCapability;
  /** `VideoFrame` and `VideoDecoder`. */
  readonly webCodecs: WebCapability;
  /** WebGPU; whether there is an adapter only `requestAdapter()` tells. */
  readonly webGpu: WebCapability;
  /** WebGL 2. */
  readonly webGl: WebCapability;
  /** The private files of the origin, for recordings. */
  readonly opfs: WebCapability;
  /** AudioWorklets can be made here. */
  readonly audioWorklet: WebCapability;
  /** `Symbol.dispose`, by which `using` gives back. */
  readonly dispose: WebCapability;
}

/** All of it may be missing. */
type Surroundings = Partial<Omit<typeof globalThis, "navigator">> & { readonly navigator?: Partial<Navigator> };

const SECURE = "Serve the page by https, or from localhost";

/**
 * What there is for `dmabuf` in this page, worker or worklet; of what is missing, why, and what helps. It asks for no
 * permission, and keeps nothing.
 *
 * @example
 * ```ts page
 * import { capabilities } from "dmabuf/web";
 *
 * for (const [name, { has, reason, remedy }] of Object.entries(capabilities())) {
 *   if (!has) console.log(`${name} is missing: ${reason}. ${remedy ?? ""}`);
 * }
 * ```
 */
export function capabilities(): WebCapabilities {
  const here: Surroundings = globalThis;
  const { navigator } = here;
  const isSecure = here.isSecureContext !== false;
  /** @param why What it lacks here, besides a secure context. */
  const secured = (has: unknown, why = "this browser does not have it"): WebCapability =>
    capability(has, isSecure ? why : "the page is not secure", isSecure ? undefined : SECURE);
  return {
    isolated: capability(
      here.crossOriginIsolated ?? here.SharedArrayBuffer,
      "the page is not cross-origin isolated",
      'Send the headers "Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"',
    ),
    sharedMemory: capability(here.SharedArrayBuffer, "there is no SharedArrayBuffer", 'See "isolated"'),
    waitAsync: capability(hasWaitAsync(), "there is no Atomics.waitAsync()", "Take a newer browser"),
    mayBlock: capability(canBlock(), "this thread must not block", "Wait in a worker, or by the asynchronous calls"),
    locks: secured(navigator?.locks),
    wasm: capability(
      allowsWasm(here.WebAssembly),
      "the page's policy forbids WebAssembly",
      "Allow 'wasm-unsafe-eval' in script-src of its Content-Security-Policy",
    ),
    webCodecs: secured(here.VideoFrame && here.VideoDecoder),
    webGpu: secured(navigator?.gpu),
    webGl: capability(drawsWebGl(here.OffscreenCanvas), "there is no context of WebGL 2"),
    opfs: secured(navigator?.storage && "getDirectory" in navigator.storage),
    audioWorklet: secured(here.AudioWorkletNode, "only pages make them"),
    dispose: capability(
      (Symbol as Partial<SymbolConstructor>).dispose,
      "there is no Symbol.dispose",
      "Have `using` compiled, or call close()",
    ),
  };
}

function capability(has: unknown, reason: string, remedy?: string): WebCapability {
  if (has) return { has: true };
  return { has: false, reason, ...(remedy !== undefined && { remedy }) };
}

/** Whether the smallest module compiles. */
function allowsWasm(wasm: typeof WebAssembly | undefined): boolean {
  try {
    return wasm !== undefined && new wasm.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)) instanceof wasm.Module;
  } catch {
    return false;
  }
}

/** Whether there is a context: its interface may be there without. */
function drawsWebGl(canvas: typeof OffscreenCanvas | undefined): boolean {
  const context = canvas && new canvas(1, 1).getContext("webgl2");
  // A page may have only a few of them.
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}
