import { HEADER, TABLE_NAMES, TABLES, type Layout } from "../src/domain/layout.js";
import { fieldsOf, place, type AnyRecord, type List, type Word } from "../src/domain/record.js";

/** A field of the control segment: one word or several, or a list of plain words. */
export interface SegmentField {
  /** `buffers[1].COPIES[0].ENTRIES[2].FENCE` */
  readonly what: string;
  readonly start: number;
  readonly words: number;
  readonly field: Word | List;
}

/** All fields of the header and of the tables. @param some Which of so many slots or items to go through. */
export function segmentFields(layout: Layout, some: (count: number) => readonly number[]): SegmentField[] {
  const inItems = (what: string, start: number, count: number, item: AnyRecord): SegmentField[] => {
    const { WORDS } = place(item, layout.counts) as { readonly WORDS: number };
    return some(count).flatMap((i) => inItem(`${what}[${i}]`, start + i * WORDS, item));
  };
  const inItem = (what: string, start: number, item: AnyRecord): SegmentField[] => {
    const places = place(item, layout.counts) as Record<string, number>;
    return Object.entries(fieldsOf(item)).flatMap(([name, field]) => {
      const here = { what: `${what}.${name}`, start: start + places[name]!, field };
      if (field.kind === "word") return [{ ...here, words: field.words }];
      const count = field.count(layout.counts);
      return field.item === undefined ? [{ ...here, words: count }] : inItems(here.what, here.start, count, field.item);
    });
  };
  const inTables = TABLE_NAMES.flatMap((table) =>
    inItems(table, layout.start(table), layout.counts[table], TABLES[table]),
  );
  return [...inItem("header", 0, HEADER), ...inTables];
}
