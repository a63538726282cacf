/** Looks without waiting, in threads that wait for nothing; see `src/stream/looks.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import type { FrameBytes } from "../../src/index.js";
import { streamed } from "../streams.js";

test("looks that find nothing leave nothing for the garbage collector", (t) => {
  const { stream, theirs } = streamed(t, 1);
  const consumer = theirs.frames();
  const used = (looks: number): number => {
    const before = process.memoryUsage().heapUsed;
    let found: FrameBytes | undefined;
    for (let i = 0; i < looks; i++) found ??= consumer.tryNext() ?? stream.tryLoan();
    assert.equal(found, undefined);
    return process.memoryUsage().heapUsed - before;
  };
  using _held = stream.tryLoan();
  used(100_000);
  // Compiling and collecting go on beside: the best of some tells, unless a collection has made it negative.
  const least = Math.min(...Array.from({ length: 10 }, () => Math.abs(used(20_000))));
  t.diagnostic(`${least} bytes`);
  assert.ok(least < 20_000, `${least} bytes`);
});

test("a thread that never returns to its event loop takes every frame by looks", { timeout: 60_000 }, async (t) => {
  const { domain, stream } = streamed(t, 2);
  const invitation = domain.invite();
  const code = `
    const { workerData, parentPort } = require("node:worker_threads");
    import(workerData.entry).then(({ Domain }) => {
      const consumer = Domain.join(workerData.invitation).import(workerData.handle).frames();
      let sum = 0;
      while (!consumer.hasEnded) {
        const frame = consumer.tryNext();
        if (frame === undefined) continue;
        sum += frame.bytes[0];
        frame.close();
      }
      parentPort.postMessage(sum);
    });`;
  const entry = new URL("../../src/threads.js", import.meta.url).href;
  const worker = new Worker(code, {
    eval: true,
    workerData: { entry, invitation, handle: { ...stream.handle() } },
    transferList: [invitation.port],
  });
  const sum = new Promise((resolve) => worker.once("message", resolve));
  await stream.waitForConsumers(1);
  for (let i = 0; i < 2_000;) {
    const loan = stream.tryLoan();
    if (loan === undefined) {
      await new Promise(setImmediate);
      continue;
    }
    loan.bytes.fill(i++ & 0x7f);
    loan.publish();
  }
  stream.end();
  const expected = Array.from({ length: 2_000 }, (_, i) => i & 0x7f).reduce((a, b) => a + b);
  assert.equal(await sum, expected);
  await worker.terminate();
});
