import { DmaBufError } from "../errors.js";
import { bindStreams } from "../protocol/streams-build.js";
import type { Protocol } from "../protocol/protocol.js";
import { createWasmMemory } from "../substrate/wasm-memory.js";
import type { ControlWords } from "./control-words.js";
import { StreamLayout, type Layout } from "./layout.js";
import { placesOf } from "./protocol-places.js";

/** Those of `dmabuf/streams`: memory of WebAssembly's own and its `streams` build, and nothing in their place. */
export const STREAM_WORDS: ControlWords = {
  // Only a feature looks for its own tables, and those that have more tables are not there.
  layout: (sizes) => new StreamLayout(sizes) as Layout,
  allocate: (bytes) => createWasmMemory(bytes) ?? refuse("there is no shared WebAssembly.Memory to be had"),
  open(memory, layout) {
    const { wasmMemory } = memory;
    if (wasmMemory === undefined) refuse("its words are in no WebAssembly.Memory");
    let protocol: Protocol;
    try {
      protocol = bindStreams(memory, wasmMemory, placesOf(layout));
    } catch (cause) {
      refuse("WebAssembly may not be compiled here (allow it by 'wasm-unsafe-eval' in the page's policy)", cause);
    }
    return { memory, layout, protocol };
  },
};

function refuse(reason: string, cause?: unknown): never {
  const message = `Cannot use a domain of "dmabuf/streams": ${reason}. The Domain of "dmabuf" does without it`;
  throw new DmaBufError("EOPNOTSUPP", message, { cause });
}
