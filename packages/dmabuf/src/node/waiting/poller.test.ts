import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { watchDescriptor } from "./poller.js";
import { releaseEnded } from "../resources/process-ledgers.js";
import {
  closeDescriptor,
  createEventCounter,
  createPipe,
  openProcess,
  POLL,
  readDescriptor,
  writeDescriptor,
} from "../system-calls/index.js";

const modules = [
  new URL("./poller.js", import.meta.url).href,
  new URL("../system-calls/index.js", import.meta.url).href,
];
const PATIENT = { timeout: 30_000 };
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

test("a watch calls back when its descriptor becomes ready, again and again", PATIENT, async () => {
  const fd = createEventCounter();
  let calls = 0;
  const end = watchDescriptor(fd, POLL.READABLE, (events) => {
    assert.equal(events, POLL.READABLE);
    readDescriptor(fd, new Uint8Array(8));
    calls += 1;
  });
  await delay(20);
  assert.equal(calls, 0);
  for (let i = 1; i <= 3; i++) {
    writeDescriptor(fd, ONE);
    await until(() => calls === i);
  }
  end();
  closeDescriptor(fd);
});

// poller.3
test(
  "a descriptor that stays ready calls back in each turn; a watch that was ended in its callback never again",
  PATIENT,
  async () => {
    const fd = createEventCounter(1);
    let calls = 0;
    const end = watchDescriptor(fd, POLL.READABLE, () => {
      if (++calls === 3) end();
    });
    await until(() => calls === 3);
    await delay(20);
    assert.equal(calls, 3);
    end();
    closeDescriptor(fd);
  },
);

test(
  "what is on its way to a watch that has ended does not arrive, nor at another with the same number (poller.4)",
  PATIENT,
  async () => {
    const fd = createEventCounter(1);
    const end = watchDescriptor(fd, POLL.READABLE, () => assert.fail("it has ended"));
    // The poller has told of it, while this thread was busy.
    const start = performance.now();
    while (performance.now() - start < 50);
    end();
    closeDescriptor(fd);
    const next = createEventCounter();
    assert.equal(next, fd);
    const endNext = watchDescriptor(next, POLL.READABLE, () => assert.fail("nothing was written"));
    await delay(30);
    endNext();
    closeDescriptor(next);
  },
);

test("the close of a pipe's other end is reported without being asked for", PATIENT, async () => {
  const { reader, writer } = createPipe();
  const events = await kept<number>((resolve) => {
    const end = watchDescriptor(reader, 0, (found) => {
      end();
      resolve(found);
    });
    closeDescriptor(writer);
  });
  assert.equal(events, POLL.HANG_UP);
  closeDescriptor(reader);
});

test("the end of a process is reported through its descriptor", PATIENT, async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e9)"], { stdio: "ignore" });
  const fd = openProcess(child.pid!);
  const ended = kept<void>((resolve) => {
    const end = watchDescriptor(fd, POLL.READABLE, () => {
      end();
      resolve(undefined);
    });
  });
  child.kill("SIGKILL");
  await ended;
  closeDescriptor(fd);
});

test("a descriptor is watched once at a time, and a plain file not at all", () => {
  const fd = createEventCounter();
  const end = watchDescriptor(fd, POLL.READABLE, () => {});
  assert.throws(() => watchDescriptor(fd, POLL.READABLE, () => {}), { code: "EEXIST", syscall: "epoll_ctl" });
  end();
  watchDescriptor(fd, POLL.READABLE, () => {})();
  closeDescriptor(fd);
  const file = openSync(fileURLToPath(import.meta.url), "r");
  assert.throws(() => watchDescriptor(file, POLL.READABLE, () => {}), { code: "EPERM", errno: 1 });
  closeSync(file);
});

for (const how of ["nothing more to do", "process.exit(0)", "an uncaught error"]) {
  test(`a process with a watch ends: ${how} (poller.1, poller.2)`, PATIENT, () => {
    const last = { "process.exit(0)": "process.exit(0)", "an uncaught error": "throw 0" }[how] ?? "";
    const script = `${WATCHES}.then(() => setTimeout(() => { ${last} }, 50));`;
    const options = { timeout: 20_000, killSignal: "SIGKILL" } as const;
    const { signal, status } = spawnSync(process.execPath, ["-e", script, ...modules], options);
    assert.deepEqual({ signal, status }, { signal: null, status: how === "an uncaught error" ? 1 : 0 });
  });
}

test("a worker with a watch can be terminated, and its ledger has all that it left", PATIENT, async () => {
  const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    process.argv.splice(1, 1);
    ${WATCHES}.then(() => {
      parentPort.postMessage("up");
      setInterval(() => {}, 1e9);
    });`;
  releaseEnded();
  const before = readdirSync("/proc/self/fd").length;
  const worker = new Worker(script, { eval: true, argv: modules });
  await new Promise((resolve) => worker.once("message", resolve));
  await worker.terminate();
  let released = releaseEnded();
  // The kernel may still know the thread's number for a moment.
  await until(() => (released = released.descriptors === 0 ? releaseEnded() : released).descriptors > 0);
  assert.deepEqual(released, { descriptors: 2, mappings: 0 });
  // The counter that it watched is its own.
  assert.equal(readdirSync("/proc/self/fd").length, before + 1);
});

/** Watches a counter on which nothing happens; the modules are the arguments. */
const WATCHES = `Promise.all(process.argv.slice(1).map((name) => import(name))).then(([poller, calls]) => {
  poller.watchDescriptor(calls.createEventCounter(), calls.POLL.READABLE, () => {});
})`;

/** A watch does not keep the process alive. */
async function kept<T>(work: (resolve: (value: T) => void) => void): Promise<T> {
  const keepAlive = setInterval(() => {}, 1_000);
  try {
    return await new Promise<T>(work);
  } finally {
    clearInterval(keepAlive);
  }
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
