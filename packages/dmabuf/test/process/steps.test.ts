/** What can happen at a step to a whole process, and to a worker. */
import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { until } from "../agents.js";

const PROGRAM = new URL("./steps.js", import.meta.url);
const LIMIT = { timeout: 30_000 };

function start(t: TestContext, signal: NodeJS.Signals): ChildProcessByStdio<null, Readable, null> {
  const child = spawn(process.execPath, [fileURLToPath(PROGRAM), signal], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

test("a process that kills itself before a step has made the steps before it", LIMIT, async (t: TestContext) => {
  const child = start(t, "SIGKILL");
  assert.equal(await text(child.stdout), "1\n2\n");
  await until(() => child.signalCode === "SIGKILL");
});

test("a process that stops itself before a step makes it when it goes on", LIMIT, async (t: TestContext) => {
  const child = start(t, "SIGSTOP");
  const output = text(child.stdout);
  await until(() => /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, "latin1")));
  child.kill("SIGCONT");
  assert.equal(await output, "1\n2\n3\n4\n");
});

test("a worker that blocks before a step can be terminated there", LIMIT, async () => {
  const memory = new SharedArrayBuffer(8);
  const worker = new Worker(PROGRAM, { workerData: memory });
  await once(worker, "message");
  await worker.terminate();
  assert.equal(new Int32Array(memory)[0], 2);
});
