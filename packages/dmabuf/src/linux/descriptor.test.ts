import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { releaseEnded } from "../node/resources/process-ledgers.js";
import { createEventCounter, writeDescriptor } from "../node/system-calls/index.js";
import { descriptorFrom } from "./descriptor.js";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

test("a descriptor that was given away stays open, and its object is closed", () => {
  const descriptor = descriptorFrom(createEventCounter(), "the counter");
  const { fd } = descriptor;
  assert.equal(descriptor.release(), fd);
  assert.ok(descriptor.isClosed);
  descriptor.close();
  assert.throws(() => descriptor.fd, { code: "EBADF" });
  using again = descriptorFrom(fd, "the counter");
  assert.equal(writeDescriptor(again.fd, ONE), 8);
});

test("a worker that is terminated leaves no descriptor and no view of the kernel's", { timeout: 60_000 }, async () => {
  const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    Promise.all(workerData.map((module) => import(module))).then(([{ descriptorFrom }, { createMemoryView }, calls]) => {
      const file = descriptorFrom(calls.createMemoryFile("like a device"), "the device");
      calls.setFileLength(file.fd, 8192);
      globalThis.view = createMemoryView(file.fd, "read-write", { offset: 4096, length: 4096 });
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

test("a dma-buf for which the thread's ledger has no room is closed once", { timeout: 30_000 }, () => {
  // The C library says of every descriptor that it is a dma-buf of one page.
  const script = `
    import Module from "node:module";
    const load = Module._load;
    let closed = [];
    Module._load = (name, ...rest) => {
      const koffi = load(name, ...rest);
      if (!name.startsWith("@koromix/koffi-")) return koffi;
      let errno;
      const func = (library) => (declaration) => {
        const call = library.func(declaration);
        if (declaration.includes(" lseek(")) return () => 4096;
        if (declaration.includes(" ioctl(")) return () => ((errno = 22), -1);
        if (declaration.includes(" close(")) return (fd) => (closed.push(fd), 0);
        return (...values) => ((errno = undefined), call(...values));
      };
      const loadLibrary = (path) => ({ func: func(koffi.load(path)) });
      return { ...koffi, load: loadLibrary, errno: () => errno ?? koffi.errno() };
    };
    const { ownDmaBuf } = await import(${JSON.stringify(new URL("./dma-buf.js", import.meta.url).href)});
    const { threadLedger } = await import(${JSON.stringify(new URL("../node/resources/thread-ledger.js", import.meta.url).href)});
    const codes = [];
    const attempt = (what) => {
      try {
        codes.push(what().size);
      } catch (error) {
        codes.push(error.code);
      }
    };
    attempt(() => ownDmaBuf(1000));
    try {
      for (;;) threadLedger().open(() => 2000);
    } catch {}
    closed = [];
    attempt(() => ownDmaBuf(1001));
    console.log(JSON.stringify([codes, closed]));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(output), [[4096, "EMFILE"], [1001]]);
});
