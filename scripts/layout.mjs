/**
 * Prints the layout of the control segment as constants for programs in other languages, from the same description that the
 * library uses: `node scripts/layout.mjs c|assemblyscript [agents=64 buffers=1024 …]`.
 *
 * Places are counted in 32-bit words: of a field from the start of its record, of a table from the start of the segment.
 * Parts of a packed word have a shift, a width and a mask.
 */
import process from "node:process";
import * as layout from "../packages/dmabuf/dist/src/domain/layout.js";
import { Bits, WideBits } from "../packages/dmabuf/dist/src/domain/packing.js";
import { place } from "../packages/dmabuf/dist/src/domain/record.js";

/** How a constant is written. Numbers are 32 bits wide, bigints 64. */
const LANGUAGES = {
  c: {
    before: ["#pragma once", "#include <stdint.h>"],
    line: (name, value) =>
      typeof value === "bigint"
        ? `#define DMABUF_${name} UINT64_C(0x${value.toString(16)})`
        : `#define DMABUF_${name} ${value}u`,
  },
  assemblyscript: {
    before: [],
    line: (name, value) =>
      typeof value === "bigint"
        ? `export const ${name}: u64 = 0x${value.toString(16)};`
        : `export const ${name}: u32 = ${value};`,
  },
};

process.exitCode = main(process.argv.slice(2));

function main([language, ...sizes]) {
  if (!Object.hasOwn(LANGUAGES, language ?? "")) {
    console.error(`Usage: node scripts/layout.mjs ${Object.keys(LANGUAGES).join("|")} [agents=64 buffers=1024 …]`);
    return 1;
  }
  const { before, line } = LANGUAGES[language];
  const given = Object.fromEntries(sizes.map((size) => size.split("=")).map(([name, count]) => [name, Number(count)]));
  const constants = constantsOf(new layout.Layout(layout.checkSizes(given)));
  console.log([...before, ...constants.map(([name, value]) => line(name, value))].join("\n"));
  return 0;
}

/** All names and values: of the tables, the records, the packings and the numbers of the layout. */
function constantsOf(domain) {
  const tables = Object.keys(layout.TABLES).flatMap((table) => [
    [`${upper(table)}_START`, domain.start(table)],
    [`${upper(table)}_SLOTS`, domain.counts[table]],
  ]);
  const exported = Object.entries(layout).flatMap(([name, value]) => {
    if (typeof value === "number") return [[name, value]];
    if (typeof value !== "object" || value === null || name === "TABLES") return [];
    if (isRecord(value)) return Object.entries(place(value, domain.counts)).map(([key, at]) => [`${name}_${key}`, at]);
    return Object.entries(value).flatMap(([key, part]) => partOf(`${name}_${upper(key)}`, part));
  });
  return [["SEGMENT_WORDS", domain.words], ...tables, ...exported];
}

/** A record keeps its fields under a symbol. */
function isRecord(value) {
  return Object.getOwnPropertySymbols(value).length > 0;
}

function partOf(name, part) {
  if (typeof part === "number") return [[name, part]];
  if (!(part instanceof Bits) && !(part instanceof WideBits)) return [];
  const mask = typeof part.mask === "bigint" ? part.mask : part.mask >>> 0;
  return [
    [`${name}_SHIFT`, part.shift],
    [`${name}_WIDTH`, part.width],
    [`${name}_MASK`, mask],
  ];
}

function upper(name) {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
