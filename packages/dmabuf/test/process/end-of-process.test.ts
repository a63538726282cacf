import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./end-of-process.js", import.meta.url));

/** What a process printed before it ended by itself; one that does not is killed, and fails the test. */
function run(what: string): { lines: string[]; status: number | null } {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, what], {
    encoding: "utf8",
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  assert.deepEqual({ signal, stderr }, { signal: null, stderr: "" });
  return { lines: stdout.split("\n").slice(0, -1), status };
}

const PATIENT = { timeout: 60_000 };

for (const what of ["access", "lock", "frame", "loan"]) {
  test(`a pending wait for a ${what} keeps the process alive until it ends`, PATIENT, () => {
    assert.deepEqual(run(what), { lines: [what], status: 0 });
  });
}

test("a pending wait for a fence of another thread keeps the process alive until it ends", PATIENT, () => {
  assert.deepEqual(run("fence"), { lines: ["waiting", "signaled"], status: 0 });
});

test("such a wait with unref, and a callback, let the process end", PATIENT, () => {
  assert.deepEqual(run("fenceUnreferenced"), { lines: ["waiting"], status: 0 });
  assert.deepEqual(run("fenceCallback"), { lines: ["waiting"], status: 0 });
});

test("a wait with a time limit keeps the process alive until the time has passed", PATIENT, () => {
  assert.deepEqual(run("timeout"), { lines: ["timed-out"], status: 0 });
});

test("a process ends with domains, streams, handles, frames, locks and callbacks open", PATIENT, () => {
  assert.deepEqual(run("open"), { lines: ["open"], status: 0 });
});

test("a wait that was aborted, or whose domain was left, keeps the process no longer", PATIENT, () => {
  assert.deepEqual(run("aborted"), { lines: ["aborted"], status: 0 });
  assert.deepEqual(run("closed"), { lines: ["ECANCELED"], status: 0 });
});

test("a worker that only waits lives until its wait ends", PATIENT, () => {
  assert.deepEqual(run("workerWaits"), { lines: ["it waits", "signaled", "the worker has ended"], status: 0 });
});

test("a worker that only waits with unref ends at once", PATIENT, () => {
  const { lines } = run("workerWaitsUnreferenced");
  assert.deepEqual(lines, ["it waits unreferenced", "the worker has ended"]);
});

test("terminate() ends a worker that blocks in a wait, and then the process ends", PATIENT, () => {
  assert.deepEqual(run("workerBlocks"), { lines: ["it blocks", "the worker has ended"], status: 0 });
});

test("process.exit() ends a process whose worker blocks in a wait", PATIENT, () => {
  assert.deepEqual(run("exit"), { lines: ["it blocks"], status: 0 });
});
