import type { Places } from "../protocol/protocol.js";
import type { Layout, TableName } from "./layout.js";

/** What scripts/layout.mjs lets the builds of the protocols import. */
export function placesOf(layout: Layout): Places {
  const tables = Object.keys(layout.counts) as TableName[];
  const START = Object.fromEntries(tables.map((table) => [table, layout.start(table)]));
  const lists: object = { ...layout, COUNT: layout.counts, LAYOUT: layout, START };
  return Object.fromEntries(
    Object.entries(lists).flatMap(([record, places]) =>
      Object.entries(places as object).map(([name, place]) => [`${record}.${name}`, place as number]),
    ),
  );
}
