/** Nothing copies bytes of buffers but what counts it: the ledger of copies is whole. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { byteCopiesIn } from "./byte-copies.js";

const SOURCES = join(import.meta.dirname, "..", "..", "src");

/** What copies bytes that are of no buffer, or is where it is counted. */
const REASONS: Readonly<Record<string, string>> = {
  "buffer/copies.ts": "here all copies are counted",
  "domain/text.ts": "a name, for shared words",
  "hosts/links/read-line.ts": "the first line that two hosts say to each other",
  "linux/struct.ts": "the fields of a request to the kernel",
  "linux/udmabuf.ts": "the list of a request to the kernel",
  "linux/drm/atomic.ts": "the lists of a request to the kernel",
  "linux/drm/framebuffer.ts": "the lists of a request to the kernel",
  "node/joining/control-mapping.ts": "the control segment, before it is mapped over its memory",
  "stream/metadata.ts": "what travels with a frame, and is JSON",
  "testing/machine.ts": "the words of a model",
  "testing/model-memory.ts": "the words of a model",
};

/** The sources of the library, without tests and what is AssemblyScript. */
function sources(): string[] {
  return readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !path.startsWith("protocol/"))
    .map((path) => join(SOURCES, path));
}

test("bytes are copied where that is counted, and elsewhere only what is of no buffer", { timeout: 300_000 }, () => {
  const found = byteCopiesIn(sources()).map(({ file, line }) => ({ file: relative(SOURCES, file), line }));
  const uncounted = found
    .filter(({ file }) => !Object.hasOwn(REASONS, file))
    .map(({ file, line }) => `${file}:${line}`);
  assert.deepEqual(uncounted, []);
  const files = new Set(found.map(({ file }) => file));
  assert.deepEqual(
    Object.keys(REASONS).filter((file) => !files.has(file)),
    [],
    "a reason that no file needs",
  );
});

test("each way to copy bytes is found, and what only looks like one is not", { timeout: 300_000 }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const copying = [
    "bytes.set(other);",
    "bytes.set(other, 4);",
    "bytes.slice(1);",
    "bytes.copyWithin(0, 4);",
    "new Uint8Array(bytes);",
    "Uint8Array.from(bytes);",
    "bytes.buffer.slice(0);",
    "floats.set(floats);",
  ];
  const harmless = [
    "new Map<number, number>().set(1, 2);",
    "[1, 2].slice(1);",
    '"text".slice(1);',
    "bytes.subarray(1);",
    "new Uint8Array(8);",
    "new Uint8Array(bytes.buffer, 4);",
    "bytes.fill(0);",
  ];
  const head = ["declare const bytes: Uint8Array, other: Uint8Array, floats: Float32Array;"];
  const file = join(folder, "planted.ts");
  writeFileSync(file, [...head, ...copying, ...harmless, "export {};"].join("\n"));
  assert.deepEqual(
    byteCopiesIn([file]).map(({ line }) => line),
    copying.map((_, i) => i + 2),
  );
});
