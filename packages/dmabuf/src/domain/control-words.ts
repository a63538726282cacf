import type { AtomicWords } from "../substrate/atomic-words.js";
import type { WasmMemory } from "../substrate/wasm-memory.js";
import type { Layout, Segment, Sizes } from "./layout.js";

/** The shared words of a domain of threads, for the builds of the protocols that an entry brings. */
export interface ControlWords {
  layout(sizes: Sizes): Layout;
  /** @throws {RangeError} If there is not so much memory. @throws {DmaBufError} `EOPNOTSUPP` where none fits the builds. */
  allocate(bytes: number): SharedArrayBuffer | WasmMemory;
  /** @throws {DmaBufError} `EOPNOTSUPP` where no build fits the memory, or may be compiled. */
  open(memory: AtomicWords, layout: Layout): Segment;
}
