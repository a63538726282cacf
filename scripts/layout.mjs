/**
 * Prints the layout of the control segment as constants for programs in other languages, from the same description that the
 * library uses: `node scripts/layout.mjs c|assemblyscript [agents=64 buffers=1024 …]`.
 *
 * Places are counted in 32-bit words: of a field from the start of its record, of a table from the start of the segment.
 * C gets the numbers of a domain of these sizes; parts of a packed word have a shift, a width and a mask. AssemblyScript
 * gets a module for domains of any size: what depends on the sizes is imported (see src/protocol/protocol.ts).
 */
import process from "node:process";
import { build } from "esbuild";
import { ROOT } from "./files.mjs";

const DOMAIN = "packages/dmabuf/src/domain";

/** The description, from its sources: the build needs it before anything is compiled. */
const { Bits, ERRNO, WideBits, layout, place } = await descriptionOf(`
  export * as layout from "./layout.ts";
  export { ERRNO } from "../errors.ts";
  export { Bits, WideBits } from "./packing.ts";
  export { place } from "./record.ts";
`);

async function descriptionOf(contents) {
  const stdin = { contents, resolveDir: `${ROOT}${DOMAIN}`, loader: "ts" };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: "esm", target: "es2023" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);
}

const LANGUAGES = { c: printC, assemblyscript: () => assemblyScript() };

function main([language, ...sizes]) {
  if (!Object.hasOwn(LANGUAGES, language ?? "")) {
    console.error(`Usage: node scripts/layout.mjs ${Object.keys(LANGUAGES).join("|")} [agents=64 buffers=1024 …]`);
    return 1;
  }
  const given = Object.fromEntries(sizes.map((size) => size.split("=")).map(([name, count]) => [name, Number(count)]));
  console.log(LANGUAGES[language](layoutOf(given)));
  return 0;
}

function layoutOf(sizes) {
  return new layout.Layout(layout.checkSizes(sizes));
}

/** All that the layout exports: records, packings, lists of numbers, and numbers, each by its name. */
function described() {
  return Object.entries(layout).filter(([name, value]) => name !== "TABLES" && isDescription(value));
}

function isDescription(value) {
  return typeof value === "number" || (typeof value === "object" && value !== null && !Array.isArray(value));
}

/** A record keeps its fields under a symbol. */
function isRecord(value) {
  return Object.getOwnPropertySymbols(value).length > 0;
}

function printC(domain) {
  const tables = Object.keys(layout.TABLES).flatMap((table) => [
    [`${upper(table)}_START`, domain.start(table)],
    [`${upper(table)}_SLOTS`, domain.counts[table]],
  ]);
  const exported = described().flatMap(([name, value]) => {
    if (typeof value === "number") return [[name, value]];
    if (isRecord(value)) return Object.entries(place(value, domain.counts)).map(([key, at]) => [`${name}_${key}`, at]);
    return Object.entries(value).flatMap(([key, part]) => partInC(`${name}_${upper(key)}`, part));
  });
  const lines = [["SEGMENT_WORDS", domain.words], ...tables, ...exported].map(([name, value]) =>
    typeof value === "bigint"
      ? `#define DMABUF_${name} UINT64_C(0x${value.toString(16)})`
      : `#define DMABUF_${name} ${value}u`,
  );
  return ["#pragma once", "#include <stdint.h>", ...lines].join("\n");
}

function partInC(name, part) {
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

/** Two domains that have no size in common: what is the same in both has the same place in all. */
const [SMALL, LARGE] = [3, 1000].map((count) => {
  return layoutOf(Object.fromEntries(Object.keys(layout.SIZES).map((name, i) => [name, count + i])));
});

/** One namespace for each record and packing: `TIMELINE.OWNER`, `COMPLETED.sequence(word)`, `COMPLETED.ofSequence(value)`. */
export function assemblyScript() {
  const tables = Object.keys(layout.TABLES);
  return [
    namespace(
      "START",
      tables.map((table) => imported("START", table)),
    ),
    namespace(
      "COUNT",
      tables.map((table) => imported("COUNT", table)),
    ),
    namespace(
      "LAYOUT",
      ["agentWords", "fenceSlots", "reservationEntries"].map((name) => imported("LAYOUT", name)),
    ),
    namespace(
      "INDEX",
      layout.TABLE_NAMES.map((table, index) => constant(table, index)),
    ),
    namespace(
      "ERRNO",
      Object.entries(ERRNO).map(([name, errno]) => constant(name, errno)),
    ),
    ...described().map(([name, value]) => {
      if (typeof value === "number") return constant(name, value);
      return namespace(name, isRecord(value) ? fieldsInAs(name, value) : Object.entries(value).flatMap(partInAs));
    }),
  ].join("\n");
}

function fieldsInAs(name, shared) {
  const [small, large] = [SMALL, LARGE].map(({ counts }) => place(shared, counts));
  return Object.keys(small).map((field) =>
    small[field] === large[field] ? constant(field, small[field]) : imported(name, field),
  );
}

function partInAs([key, part]) {
  if (typeof part === "number") return [constant(key, part)];
  const isWide = part instanceof WideBits;
  const [signed, unsigned, low] = isWide
    ? ["i64", "u64", (1n << BigInt(part.width)) - 1n]
    : ["i32", "u32", part.mask >>> part.shift];
  const of = `of${key[0].toUpperCase()}${key.slice(1)}`;
  return [
    `@inline export function ${key}(word: ${signed}): ${signed} { return <${signed}>((<${unsigned}>word >> ${part.shift}) & ${low}); }`,
    `@inline export function ${of}(value: ${signed}): ${signed} { return (value & ${low}) << ${part.shift}; }`,
  ];
}

function constant(name, value) {
  return `export const ${name}: i32 = ${value};`;
}

function imported(record, name) {
  return `@external("words", "${record}.${name}") export declare const ${name}: i32;`;
}

function namespace(name, lines) {
  return [`export namespace ${name} {`, ...lines.map((line) => `  ${line}`), "}"].join("\n");
}

if (process.argv[1] === import.meta.filename) process.exitCode = main(process.argv.slice(2));
