import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createLedger, joinLedger, leaveLedger, releaseEnded, type LedgerKey } from "./process-ledgers.js";
import { createEventCounter } from "../system-calls/index.js";

const LIMITED = { timeout: 60_000 };
const MODULE = new URL("./process-ledgers.js", import.meta.url).href;
const CALLS = new URL("../system-calls/index.js", import.meta.url).href;

/** A worker that does something with a ledger's key, says what came of it, and stays. */
async function work(what: string, key?: LedgerKey): Promise<{ worker: Worker; answer: unknown }> {
  const script = `
    const { workerData: { module, calls, key }, parentPort } = require("node:worker_threads");
    Promise.all([import(module), import(calls)]).then(([ledgers, { createEventCounter }]) => {
      parentPort.postMessage(${what});
      setInterval(() => {}, 1e9);
    });`;
  const worker = new Worker(script, { eval: true, workerData: { module: MODULE, calls: CALLS, key } });
  const [answer] = (await once(worker, "message")) as unknown[];
  return { worker, answer };
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Looks again and again: the kernel may know a thread for a moment after its end. */
async function released(descriptors: number): Promise<void> {
  while (openDescriptors() > descriptors) {
    releaseEnded();
    await pause(1);
  }
  assert.equal(openDescriptors(), descriptors);
}

// process-ledgers.2, resource-ledger.1
test(
  "what a thread that no other knew has left is released by any other, and by none before its end (ledger-arena.1)",
  LIMITED,
  async () => {
    const before = openDescriptors();
    const { worker } = await work("ledgers.createLedger().ledger.open(createEventCounter)");
    releaseEnded();
    const during = openDescriptors();
    await worker.terminate();
    await released(before);
    assert.ok(during > before);
  },
);

test("what two threads use stays until the second has ended, too", LIMITED, async () => {
  const before = openDescriptors();
  const { ledger, key } = createLedger();
  ledger.open(createEventCounter);
  const { worker, answer } = await work("ledgers.joinLedger(key)", key);
  assert.equal(answer, true);
  const during = openDescriptors();
  leaveLedger(key);
  assert.equal(openDescriptors(), during);
  await worker.terminate();
  await released(before);
});

// process-ledgers.1
test("the key of a ledger that no thread has any more opens nothing, also when its place is used again", () => {
  const { key } = createLedger();
  leaveLedger(key);
  assert.equal(joinLedger(key), false);
  const again = Array.from({ length: 70 }, () => createLedger());
  assert.ok(again.some((one) => one.key.place === key.place && one.key.arena === key.arena));
  assert.equal(joinLedger(key), false);
  assert.equal(joinLedger({ ...key, arena: 4096 }), false);
  for (const one of again) leaveLedger(one.key);
  leaveLedger(key);
});

test("a thread that is in a ledger twice has it until it has left twice", () => {
  const before = openDescriptors();
  const { ledger, key } = createLedger();
  ledger.open(createEventCounter);
  assert.equal(joinLedger(key), true);
  leaveLedger(key);
  assert.equal(openDescriptors(), before + 1);
  leaveLedger(key);
  assert.equal(openDescriptors(), before);
});

// ledger-arena.2
test("ledgers are used again: there are no more than threads have at a time (process-ledgers.3)", LIMITED, async () => {
  const arenas = (): number => readFileSync("/proc/self/maps", "utf8").split("/memfd:dmabuf ledgers").length - 1;
  const before = arenas();
  for (let i = 0; i < 100; i++) leaveLedger(createLedger().key);
  const { worker } = await work("ledgers.createLedger().key.place");
  assert.equal(arenas(), before);
  await worker.terminate();
});
