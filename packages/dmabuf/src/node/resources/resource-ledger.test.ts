import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { MemoryObject } from "../memory/memory-object.js";
import { createLedgerMemory, LEDGER_BYTES, releaseLedger, ResourceLedger } from "./resource-ledger.js";
import {
  closeDescriptor,
  createEventCounter,
  createSocketPair,
  MESSAGE_BYTES,
  MOST_DESCRIPTORS,
  pageSize,
  receiveMessage,
  sendMessage,
} from "../system-calls/index.js";

const PAGE = pageSize();
const modules = {
  ledger: new URL("./resource-ledger.js", import.meta.url).href,
  object: new URL("../memory/memory-object.js", import.meta.url).href,
};

test("releaseLedger() closes and unmaps what is in it, and nothing twice", () => {
  const before = openDescriptors();
  const ledger = new ResourceLedger();
  const object = MemoryObject.create(ledger, { name: "ledger-rest", length: PAGE });
  object.map();
  ledger.close(ledger.open(() => createEventCounter()));
  assert.equal(openDescriptors(), before + 1);
  assert.deepEqual(releaseLedger(ledger.memory), { descriptors: 1, mappings: 1 });
  assert.equal(openDescriptors(), before);
  assert.equal(countMaps("ledger-rest"), 0);
  assert.deepEqual(releaseLedger(ledger.memory), { descriptors: 0, mappings: 0 });
});

test("a failed mapping leaves no entry", () => {
  const ledger = new ResourceLedger();
  assert.throws(() => ledger.map({ fd: 0, length: 0, isWritable: false }), { code: "EINVAL", syscall: "mmap" });
  assert.throws(() =>
    ledger.open(() => {
      throw new Error("no descriptor");
    }),
  );
  assert.deepEqual(releaseLedger(ledger.memory), { descriptors: 0, mappings: 0 });
});

test("a full ledger fails with EMFILE, and its entries are used again", () => {
  const ledger = new ResourceLedger();
  const entries = Array.from({ length: 8192 }, () => ledger.open(() => 2 ** 30));
  assert.throws(() => ledger.open(() => 2 ** 30), { code: "EMFILE" });
  assert.throws(() => ledger.close(entries[0]!), { code: "EBADF", syscall: "close" });
  ledger.open(() => 2 ** 30);
});

// resource-ledger.2
// resource-ledger.3
test("workers that are terminated in the middle leave no descriptor and no mapping", { timeout: 60_000 }, async () => {
  const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    Promise.all([import(workerData.modules.ledger), import(workerData.modules.object)]).then(
      ([{ ResourceLedger }, { MemoryObject }]) => {
        const ledger = new ResourceLedger(workerData.memory);
        parentPort.postMessage("up");
        for (;;) {
          const object = MemoryObject.create(ledger, { name: "left-behind", length: 4096 });
          const mapping = object.map();
          object.close();
          mapping.close();
        }
      });`;
  const before = openDescriptors();
  for (let i = 0; i < 12; i++) {
    const memory = createLedgerMemory();
    const worker = new Worker(script, { eval: true, workerData: { memory, modules } });
    await once(worker, "message");
    await new Promise((resolve) => setTimeout(resolve, i % 4));
    await worker.terminate();
    releaseLedger(memory);
    assert.equal(countMaps("left-behind"), 0);
  }
  assert.equal(openDescriptors(), before);
});

// resource-ledger.4
test(
  "a view in use when its worker is terminated becomes zeros, and another thread that got it goes on",
  {
    timeout: 30_000,
  },
  async () => {
    const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    Promise.all([import(workerData.modules.ledger), import(workerData.modules.object)]).then(
      ([{ ResourceLedger }, { MemoryObject }]) => {
        const ledger = new ResourceLedger(workerData.memory);
        const mapping = MemoryObject.create(ledger, { name: "passed-on", length: 4096 }).map();
        mapping.beginUse();
        void mapping.buffer;
        mapping.endUse();
        mapping.beginUse();
        const bytes = new Uint8Array(mapping.buffer).fill(6);
        parentPort.postMessage(bytes, [bytes.buffer]);
        setInterval(() => {}, 1e9);
      });`;
    const memory = createLedgerMemory();
    const worker = new Worker(script, { eval: true, workerData: { memory, modules } });
    const [bytes] = (await once(worker, "message")) as [Uint8Array];
    assert.equal(bytes[0], 6);
    await worker.terminate();
    assert.deepEqual(releaseLedger(memory), { descriptors: 1, mappings: 1 });
    assert.equal(countMaps("passed-on"), 0);
    bytes.fill(1);
    assert.equal(bytes[4095], 1);
  },
);

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function countMaps(name: string): number {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.includes(`/memfd:${name} `)).length;
}

test("what has come with a message is released once, whether it has been entered or not, unless it was handed over", () => {
  for (const [outcome, released] of [
    ["came", 1],
    ["entered", 1],
    ["handed over", 0],
  ] as const) {
    const [here, there] = createSocketPair();
    sendMessage(here, new Uint8Array(1), [here]);
    const memory = createLedgerMemory();
    const ledger = new ResourceLedger(memory);
    const before = openDescriptors();
    const room = new Uint8Array(1);
    if (outcome === "came") {
      receiveMessage(there, room, MOST_DESCRIPTORS, new DataView(memory.buffer, LEDGER_BYTES - MESSAGE_BYTES));
    } else {
      const { files } = ledger.receive(there, room)!;
      if (outcome === "handed over") closeDescriptor(ledger.handOver(files[0]!));
    }
    assert.deepEqual(releaseLedger(memory), { descriptors: released, mappings: 0 });
    assert.equal(openDescriptors(), before, outcome);
    [here, there].forEach(closeDescriptor);
  }
});
