import { bindAtomic } from "../protocol/atomic-build.js";
import type { Protocol } from "../protocol/protocol.js";
import { WordsBuild, type MakeWords } from "../protocol/words-build.js";
import { wantsAtomics } from "../host/environment.js";
import { AtomicWords } from "../substrate/atomic-words.js";
import { createWasmMemory } from "../substrate/wasm-memory.js";
import type { Substrate } from "../substrate/substrate.js";
import type { ControlWords } from "./control-words.js";
import { Layout, type Segment } from "./layout.js";
import { placesOf } from "./protocol-places.js";

/** A segment with all protocols, by the build that fits its memory. */
export function segmentOf(memory: Substrate, layout: Layout): Segment {
  return { memory, layout, protocol: protocolOn(memory, layout) };
}

/** Those of `dmabuf`: memory of WebAssembly's own unless `DMABUF_WORDS=atomics` says otherwise, and `Atomics` where none is. */
export const ANY_WORDS: ControlWords = {
  layout: (sizes) => new Layout(sizes),
  allocate: (bytes) => (wantsAtomics() ? undefined : createWasmMemory(bytes)) ?? new SharedArrayBuffer(bytes),
  open: segmentOf,
};

/** One for each memory that lasts: it has one layout. */
const bound = new WeakMap<AtomicWords, Protocol>();
const builds = new WeakMap<Layout, WordsBuild>();

/** Binds the protocols to a memory. */
export function protocolOn(memory: Substrate, layout: Layout): Protocol {
  if (!(memory instanceof AtomicWords)) return buildOf(layout).bind(memory);
  let protocol = bound.get(memory);
  if (protocol === undefined) {
    const { wasmMemory } = memory;
    protocol = wasmMemory && bindAtomic(memory, wasmMemory, placesOf(layout));
    protocol ??= buildOf(layout).bind(memory);
    bound.set(memory, protocol);
  }
  return protocol;
}

function buildOf(layout: Layout): WordsBuild {
  return builds.get(layout) ?? useBuild(layout);
}

/** Makes the `words` build of a layout. @param make Default: the library's own. A test plants bugs in it. */
export function useBuild(layout: Layout, make?: MakeWords): WordsBuild {
  const build = new WordsBuild(placesOf(layout), make);
  builds.set(layout, build);
  return build;
}
