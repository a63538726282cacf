import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkSizes, COMPLETED, Layout, TABLE_NAMES, TABLES, TIMELINE, type TableName } from "../src/domain/layout.js";
import { place, type AnyRecord } from "../src/domain/record.js";

// The layout as constants for programs in other languages: what scripts/layout.mjs prints.

const SCRIPT = fileURLToPath(new URL("../../../../scripts/layout.mjs", import.meta.url));
const SIZES = { agents: 33, buffers: 7 };

function print(language: string): string {
  const given = Object.entries(SIZES).map(([name, count]) => `${name}=${count}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, language, ...given], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Names and values. */
function read(text: string, line: RegExp): Map<string, bigint> {
  const found = [...text.matchAll(line)].map(([, name, value]) => [name!, BigInt(value!)] as const);
  const constants = new Map(found);
  assert.equal(constants.size, found.length, "a name is there twice");
  return constants;
}

const C = read(print("c"), /^#define DMABUF_(\w+) (?:UINT64_C\()?(\w+?)u?\)?$/gm);

test("the constants are those of the layout", () => {
  const layout = new Layout(checkSizes(SIZES));
  const names: Record<TableName, string> = {
    agents: "AGENT",
    buffers: "BUFFER",
    timelines: "TIMELINE",
    oneShots: "ONE_SHOT",
    streams: "STREAM",
    requests: "REQUEST",
    syncobjs: "SYNCOBJ",
    userFences: "USER_FENCE",
    orders: "ORDER",
    activities: "ACTIVITY",
    copies: "COPY",
    retired: "RETIRED",
  };
  for (const table of TABLE_NAMES) {
    for (const [field, at] of Object.entries(place<AnyRecord>(TABLES[table], layout.counts))) {
      assert.equal(C.get(`${names[table]}_${field}`), BigInt(at), `${table} ${field}`);
    }
  }
  assert.equal(C.get("TIMELINE_COMPLETED"), BigInt(TIMELINE.COMPLETED));
  assert.equal(C.get("ONE_SHOTS_START"), BigInt(layout.oneShot(layout.sizes.timelines)));
  assert.equal(C.get("BUFFERS_SLOTS"), 7n);
  assert.equal(C.get("SEGMENT_WORDS"), BigInt(layout.words));
  assert.equal(C.get("COMPLETED_SEQUENCE_MASK"), COMPLETED.sequence.mask);
  assert.equal(C.get("AGENT_STATE_GENERATION_MASK"), 0xffff_fc00n);
});

/** What a program in AssemblyScript finds, by `NAMESPACE_name`: a number, or nothing for what it imports. */
function readAssemblyScript(text: string): Map<string, number | undefined> {
  const found = new Map<string, number | undefined>();
  for (const [, space, body] of text.matchAll(/^export namespace (\w+) \{\n(.*?)^\}$/gms)) {
    for (const [, name, value] of body!.matchAll(/export const (\w+): i32 = (\d+);/g)) {
      found.set(`${space}_${name}`, Number(value));
    }
    for (const [, record, name] of body!.matchAll(/@external\("words", "(\w+)\.(\w+)"\)/g)) {
      assert.equal(record, space);
      found.set(`${space}_${name}`, undefined);
    }
  }
  return found;
}

test("AssemblyScript gets the same places, and imports those that depend on the sizes", () => {
  const places = readAssemblyScript(print("assemblyscript"));
  const layouts = [SIZES, { agents: 65, buffers: 7 }].map((sizes) => new Layout(checkSizes(sizes)));
  for (const table of ["TIMELINE", "ONE_SHOT", "BUFFER", "STREAM", "SYNCOBJ", "RESERVATION", "POINTS"] as const) {
    for (const field of Object.keys(layouts[0]![table])) {
      const name = `${table}_${field}`;
      const [here, there] = layouts.map((layout) => (layout[table] as Record<string, number>)[field]);
      assert.ok(places.has(name), name);
      if (here === there) assert.ok([here, undefined].includes(places.get(name)), name);
      else assert.equal(places.get(name), undefined, name);
    }
  }
  assert.equal(places.get("TIMELINE_COMPLETED"), TIMELINE.COMPLETED);
  for (const [name, value] of places)
    if (value !== undefined) assert.equal(C.get(name) ?? BigInt(value), BigInt(value));
});

test("a C compiler takes them", (t) => {
  if (spawnSync("cc", ["--version"]).status !== 0) return t.skip("no C compiler here");
  const checks = [...C].map(([name, value]) => `_Static_assert(DMABUF_${name} == ${value}u, "${name}");`);
  const input = [print("c").replace("#pragma once", ""), ...checks].join("\n");
  const flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-"];
  const { status, stderr } = spawnSync("cc", flags, { input, encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("another language is refused, with those that there are", () => {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "cobol"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /c\|assemblyscript/);
});
