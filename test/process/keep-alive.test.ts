import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./keep-alive.js", import.meta.url));

/** What the process printed until it ended by itself. */
function run(mode: "wait" | "unref" | "callback"): string[] {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, mode], {
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: "" });
  return stdout.trim().split("\n");
}

test("a pending asynchronous wait keeps the process alive until it ends", { timeout: 60_000 }, () => {
  assert.deepEqual(run("wait"), ["waiting", "signaled"]);
});

test("a pending wait with unref lets the process end", { timeout: 60_000 }, () => {
  assert.deepEqual(run("unref"), ["waiting"]);
});

test("a callback on a fence lets the process end", { timeout: 60_000 }, () => {
  assert.deepEqual(run("callback"), ["waiting"]);
});
