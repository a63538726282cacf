import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ESLint } from "eslint";
import tseslint from "typescript-eslint";

const WORKSPACE = join(import.meta.dirname, "../../../..");

/** The project's own configuration, without the rules that need the file to exist. */
const eslint = new ESLint({ cwd: WORKSPACE, overrideConfig: [tseslint.configs.disableTypeChecked] });

/** The rules that `code` breaks when it is in `file` of a package. */
async function broken(file: string, code: string, name = "dmabuf"): Promise<string[]> {
  const results = await eslint.lintText(`${code}\n`, { filePath: join(WORKSPACE, "packages", name, file) });
  return results.flatMap((result) => result.messages.map((message) => message.ruleId ?? message.message));
}

test("a layer that imports a higher one is an error, at any depth and as a type too (layers.1)", async () => {
  const upward: [file: string, code: string][] = [
    ["src/errors.ts", 'export * from "./domain/slots.js";'],
    ["src/substrate/planted.ts", 'import { slots } from "../domain/slots.js"; slots();'],
    ["src/domain/planted.ts", 'import type { Domain } from "../threads.js"; export type A = Domain;'],
    ["src/fence/planted.ts", 'export { Reservation } from "../reservation/reservation.js";'],
    ["src/fence/deep/planted.ts", 'export { Reservation } from "../../reservation/reservation.js";'],
    ["src/buffer/planted.ts", 'export { explore } from "../testing/explore.js";'],
    ["src/stream/planted.ts", 'import "../cli/main.js";'],
  ];
  for (const [file, code] of upward) assert.deepEqual(await broken(file, code), ["no-restricted-imports"], file);
});

test("a layer may import its own modules and lower ones", async () => {
  const downward: [file: string, code: string][] = [
    ["src/errors.ts", "export const a = 1;"],
    ["src/domain/planted.ts", 'export * from "./threads.js"; export * from "../substrate/substrate.js";'],
    ["src/fence/deep/planted.ts", 'export * from "../fence.js"; export * from "../../domain/slots.js";'],
    ["src/index.ts", 'export * from "./threads.js"; export * from "./stream/stream.js";'],
    ["src/cli/planted.ts", 'import "node:fs"; export * from "../index.js";'],
  ];
  for (const [file, code] of downward) assert.deepEqual(await broken(file, code), [], file);
});

// layers.2
test("a neutral layer that imports a Node.js module or a package, or imports at run time, is an error", async () => {
  assert.deepEqual(await broken("src/fence/planted.ts", 'import "node:fs";'), ["no-restricted-imports"]);
  assert.deepEqual(await broken("src/stream/planted.ts", 'import "fs";'), ["no-restricted-imports"]);
  assert.deepEqual(await broken("src/testing/planted.ts", 'import "commander";'), ["no-restricted-imports"]);
  assert.deepEqual(await broken("src/index.ts", 'export const a = import("./x.js");'), ["no-restricted-syntax"]);
});

// layers.6
test("a package that imports the library by a path is an error, in its tests too, but for one file", async () => {
  const inner: [name: string, file: string, code: string][] = [
    ["demo", "src/planted.ts", 'export * from "../../dmabuf/src/index.js";'],
    [
      "demo",
      "src/jobs/planted.ts",
      'import type { Fence } from "../../../dmabuf/src/index.js"; export type A = Fence;',
    ],
    ["demo", "test/planted.test.ts", 'export * from "../../dmabuf/src/index.js";'],
    ["bench", "src/sides/planted.ts", 'export * from "../../../dmabuf/src/errors.js";'],
  ];
  for (const [name, file, code] of inner) assert.deepEqual(await broken(file, code, name), ["no-restricted-imports"]);
  assert.deepEqual(await broken("src/internals.ts", 'export * from "../../dmabuf/src/errors.js";', "bench"), []);
  const named = 'export * from "dmabuf"; export * from "dmabuf/node"; export * from "../main.js";';
  assert.deepEqual(await broken("src/jobs/planted.ts", named, "demo"), []);
});

test("Atomics outside src/substrate/ is an error, in tests too, and through globalThis", async () => {
  const use = "Atomics.load(new Int32Array(1), 0);";
  const files = ["src/errors.ts", "src/fence/planted.ts", "src/cli/planted.ts", "test/planted.test.ts"];
  for (const file of files) assert.deepEqual(await broken(file, use), ["no-restricted-globals"], file);
  assert.deepEqual(await broken("src/a.ts", use, "bench"), ["no-restricted-globals"]);
  assert.deepEqual(await broken("src/fence/planted.ts", `globalThis.${use}`), ["no-restricted-globals"]);
  assert.deepEqual(await broken("src/substrate/planted.ts", use), []);
});

test("to compare the number of a fence by hand is an error, in neutral layers and in others (layers.4)", async () => {
  const compares = "export const a = (x: { seqno: number }, y: number): boolean => ";
  for (const file of ["src/reservation/planted.ts", "src/linux/planted.ts"]) {
    assert.deepEqual(await broken(file, `${compares}x.seqno > y;`), ["no-restricted-syntax"], file);
    assert.deepEqual(await broken(file, `${compares}y - x.seqno > 0;`), ["no-restricted-syntax"], file);
    assert.deepEqual(await broken(file, `${compares}x.seqno === y;`), [], file);
  }
});

test("an end in linux/ that makes a request of a device by itself is an error (layers.5)", async () => {
  const end = (name: string, code: string): string => `export class A { ${name}() { ${code} } }`;
  const rule = ["no-restricted-syntax"];
  for (const request of ["this.device.request(STOP)", "rawCall(1, STOP)", "if (this.fd) closeDescriptor(this.fd)"]) {
    assert.deepEqual(await broken("src/linux/planted.ts", end("close", request)), rule);
    assert.deepEqual(await broken("src/linux/video/planted.ts", end("[Symbol.dispose]", request)), rule);
  }
  const given = "giveBack(() => this.device.request(STOP), () => rawCall(1, STOP));";
  assert.deepEqual(await broken("src/linux/planted.ts", end("close", given)), []);
  assert.deepEqual(await broken("src/linux/planted.ts", end("stop", "this.device.request(STOP);")), []);
});

test("a file of src/ that belongs to no layer is an error (layers.3)", async () => {
  assert.deepEqual(await broken("src/planted.ts", "export const a = 1;"), ["no-restricted-syntax"]);
  assert.deepEqual(await broken("src/planted/a.ts", "export const a = 1;"), ["no-restricted-syntax"]);
});

test("a file of more than 400 lines of code is an error, and so is a disabled rule without a reason", async () => {
  const long = "export {};\n".repeat(401);
  assert.deepEqual(await broken("src/errors.ts", `export {};${"\n// a rule".repeat(500)}`), []);
  assert.deepEqual(await broken("src/errors.ts", long), ["max-lines"]);
  assert.deepEqual(await broken("src/errors.ts", `/* eslint-disable max-lines -- a table */\n${long}`), []);
  assert.deepEqual(await broken("src/errors.ts", `/* eslint-disable max-lines */\n${long}`), [
    "@eslint-community/eslint-comments/require-description",
  ]);
});
