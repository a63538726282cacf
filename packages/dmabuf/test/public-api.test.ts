/** The public API changes on purpose only: its report is in the repository, where each change of it is seen. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { publicFunctions, type PublicFunction } from "./arguments/surface.js";

const ROOT = join(import.meta.dirname, "../../../..");
const SCRIPT = join(ROOT, "scripts/api-report.mjs");
const REPORTS = join(ROOT, "packages/dmabuf/api");

/** Calls that return a promise and cannot block, each with the reason. */
const CANNOT_BLOCK: Readonly<Record<string, string>> = {
  "Queue.flush()": "jobs are given to the executor from this thread's event loop",
  "ProcessDomain.connect()": "the sockets are those of the event loop",
  "ProcessDomain.inherit()": "as ProcessDomain.connect()",
  "StreamViewer.connect()": "as ProcessDomain.connect()",
  "StreamContributor.connect()": "as ProcessDomain.connect()",
  "StreamContributor.loan()": "the server answers through the event loop, and may be in this thread",
  "present()": "a loop over all frames, with calls of the program between them",
  "record()": "as present()",
};

/** The classes whose constructor a report shows, but those of errors. */
function publicConstructors(report: string): string[] {
  const classes = report.split(/^export (?:abstract )?class /m).slice(1);
  return classes
    .filter((text) => !/^\w+ extends \w*Error /.test(text) && /^ {4}constructor\(/m.test(text.split("\n}")[0]!))
    .map((text) => /^\w+/.exec(text)![0]);
}

/** The calls that take a time limit and return a promise, and have no twin that blocks. */
function withoutTwin(functions: readonly Pick<PublicFunction, "id" | "isAsync" | "parameters">[]): string[] {
  const ids = new Set(functions.map(({ id }) => id));
  return functions
    .filter(({ isAsync, parameters }) => isAsync && parameters.at(-1)?.shape.fields?.some(isTimeout))
    .map(({ id }) => id)
    .filter((id) => !ids.has(id.replace("()", "Sync()")));
}

function isTimeout({ name }: { readonly name: string }): boolean {
  return name === "timeout";
}

test("the public API is that of its report, names no type that it does not export, and publishes no internal member", () => {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "--check"], { encoding: "utf8", timeout: 90_000 });
  assert.equal(stderr, "");
  assert.equal(status, 0);
});

test("no class has a public constructor, but errors, what a worklet keeps for itself and the models of dmabuf/testing, and one that is planted is found", () => {
  const entries = readdirSync(REPORTS).filter((name) => name !== "testing.api.md" && name !== "web-worklet.api.md");
  assert.deepEqual(
    entries.flatMap((name) => publicConstructors(readFileSync(join(REPORTS, name), "utf8"))),
    [],
  );
  const planted = ["class Fault extends Error {", "class Open {", "abstract class Ajar extends Open {"];
  const report = planted.map((head) => `export ${head}\n    constructor(fd: number);\n}\n`).join("");
  assert.deepEqual(publicConstructors(report), ["Open", "Ajar"]);
});

test("each call that waits has a twin that blocks, unless it cannot block, and one that is planted is found", () => {
  const known = new Set<string>();
  const functions = ["index", "node/index", "linux/index"].flatMap((entry) => publicFunctions(entry, known));
  assert.deepEqual(withoutTwin(functions).sort(), Object.keys(CANNOT_BLOCK).sort());
  const planted = functions.filter(({ id }) => id !== "Fence.waitSync()");
  assert.ok(withoutTwin(planted).includes("Fence.wait()"));
});
