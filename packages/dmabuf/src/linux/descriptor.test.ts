import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { releaseEnded } from "../node/resources/process-ledgers.js";
import { createEventCounter, writeDescriptor } from "../node/system-calls/index.js";
import { Descriptor } from "./descriptor.js";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

test("a descriptor that was given away stays open, and its object is closed", () => {
  const descriptor = new Descriptor(createEventCounter(), "the counter");
  const { fd } = descriptor;
  assert.equal(descriptor.release(), fd);
  assert.ok(descriptor.isClosed);
  descriptor.close();
  assert.throws(() => descriptor.fd, { code: "EBADF" });
  using again = new Descriptor(fd, "the counter");
  assert.equal(writeDescriptor(again.fd, ONE), 8);
});

test("a worker that is terminated leaves no descriptor and no view of the kernel's", { timeout: 60_000 }, async () => {
  const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    Promise.all(workerData.map((module) => import(module))).then(([{ Descriptor }, { MemoryView }, calls]) => {
      const file = new Descriptor(calls.createMemoryFile("like a device"), "the device");
      calls.setFileLength(file.fd, 8192);
      globalThis.view = new MemoryView(file.fd, "read-write", { offset: 4096, length: 4096 });
      parentPort.postMessage(globalThis.view.bytes.fill(7)[4095]);
      setInterval(() => file.fd, 1e9);
    });`;
  const modules = ["./descriptor.js", "./memory-view.js", "../node/system-calls/index.js"];
  const workerData = modules.map((module) => new URL(module, import.meta.url).href);
  releaseEnded();
  const before = readdirSync("/proc/self/fd").length;
  const isMapped = (): boolean => readFileSync("/proc/self/maps", "utf8").includes("/memfd:like a device");
  const worker = new Worker(script, { eval: true, workerData });
  assert.deepEqual(await once(worker, "message"), [7]);
  assert.ok(isMapped());
  await worker.terminate();
  // The kernel may know a thread for a moment after its end.
  while (isMapped()) {
    releaseEnded();
    await pause(1);
  }
  assert.equal(readdirSync("/proc/self/fd").length, before);
});
