import { bindAtomic, WordsBuild, type Protocol } from "../protocol/protocol.js";
import { AtomicWords } from "../substrate/atomic-words.js";
import type { Layout, Segment } from "./layout.js";

/** The protocols on a segment's words. An agent has its own at hand. */
export function protocolOf(segment: Segment): Protocol {
  return segment.protocol ?? boundTo(segment);
}

/** One for each memory that lasts: it has one layout. */
const bound = new WeakMap<AtomicWords, Protocol>();
const builds = new WeakMap<Layout, WordsBuild>();

/** Binds the protocols to a segment. */
export function boundTo({ memory, layout }: Segment): Protocol {
  if (!(memory instanceof AtomicWords)) return buildOf(layout).bind(memory);
  let protocol = bound.get(memory);
  if (protocol === undefined) {
    const { wasmMemory } = memory;
    protocol =
      wasmMemory === undefined ? buildOf(layout).bind(memory) : bindAtomic(memory, wasmMemory, placesOf(layout));
    bound.set(memory, protocol);
  }
  return protocol;
}

function buildOf(layout: Layout): WordsBuild {
  return builds.get(layout) ?? useBuild(layout);
}

/** Makes the `words` build of a layout. @param binary Default: the library's own. A test plants bugs in it. */
export function useBuild(layout: Layout, binary?: string): WordsBuild {
  const build = new WordsBuild(placesOf(layout), binary);
  builds.set(layout, build);
  return build;
}

/** The numbers that the modules import: see scripts/layout.mjs. */
function placesOf(layout: Layout): (record: string, name: string) => number {
  const lists: Record<string, unknown> = { ...layout, COUNT: layout.counts, LAYOUT: layout };
  return (record, name) => {
    if (record === "START") return layout.start(name as never);
    return (lists[record] as Record<string, number>)[name]!;
  };
}
