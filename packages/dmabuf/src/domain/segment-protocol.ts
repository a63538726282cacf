import { bindAtomic, WordsBuild, type MakeWords, type Places, type Protocol } from "../protocol/protocol.js";
import { AtomicWords } from "../substrate/atomic-words.js";
import type { Layout, Segment, TableName } from "./layout.js";

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

/** What scripts/layout.mjs lets the builds import. */
function placesOf(layout: Layout): Places {
  const tables = Object.keys(layout.counts) as TableName[];
  const START = Object.fromEntries(tables.map((table) => [table, layout.start(table)]));
  const lists: object = { ...layout, COUNT: layout.counts, LAYOUT: layout, START };
  return Object.fromEntries(
    Object.entries(lists).flatMap(([record, places]) =>
      Object.entries(places as object).map(([name, place]) => [`${record}.${name}`, place as number]),
    ),
  );
}
