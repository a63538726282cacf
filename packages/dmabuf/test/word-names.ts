import { HEADER, TABLES, type Layout, type TableName } from "../src/domain/layout.js";
import { fieldsOf, place, type AnyRecord, type Counts } from "../src/domain/record.js";

/** What a word of a control segment is called in traces: `timelines[0].FAILED[2].ERROR`, as the layout declares it. */
export function wordName(layout: Layout, word: number): string {
  if (word < layout.start("agents")) return fieldName(HEADER, layout.counts, word);
  const tables = Object.keys(TABLES) as TableName[];
  const table = tables.findLast((table) => word >= layout.start(table))!;
  return `${table}${itemName(TABLES[table], layout.counts, word - layout.start(table))}`;
}

function itemName(item: AnyRecord | undefined, counts: Counts, word: number): string {
  if (item === undefined) return `[${word}]`;
  const { WORDS } = place(item, counts) as { readonly WORDS: number };
  return `[${Math.floor(word / WORDS)}].${fieldName(item, counts, word % WORDS)}`;
}

function fieldName(record: AnyRecord, counts: Counts, word: number): string {
  const { WORDS: _, ...places } = place(record, counts) as Record<string, number>;
  const [name, start] = Object.entries(places).findLast(([, start]) => start <= word)!;
  const field = fieldsOf(record)[name]!;
  if (field.kind === "list") return `${name}${itemName(field.item, counts, word - start)}`;
  return word === start ? name : `${name}+${word - start}`;
}
