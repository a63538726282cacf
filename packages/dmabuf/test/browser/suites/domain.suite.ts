/** A page and its workers in one domain: what they share, and what comes back when a worker is terminated. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, PAGE_SIZE, rawFormat, type FenceHandle } from "../../../src/index.js";
import type { StreamHandleData } from "../../../src/stream/stream-handle.js";
import type { Task } from "./threads/member.js";
import { start, type BrowserWorker } from "./worker.js";

const MEMBER = new URL("./threads/member.js", import.meta.url);
const LIMIT = { timeout: 30_000 };

async function ask(domain: Domain, task: Task): Promise<{ worker: BrowserWorker; answer: unknown }> {
  const invitation = domain.invite({ name: task.do });
  return start(MEMBER, { invitation, task }, [invitation.port]);
}

test("what a worker writes into a buffer the page reads", LIMIT, async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const { worker, answer } = await ask(domain, { do: "fill", buffer: buffer.handle(), value: 42 });
  assert.equal(answer, PAGE_SIZE);
  using access = await buffer.access("read");
  assert.ok(access.bytes.every((byte) => byte === 42));
  worker.terminate();
});

test("frames go from the page to two workers, all of them to each", LIMIT, async () => {
  using domain = Domain.create();
  using stream = domain.createStream({ format: rawFormat(8), buffers: 3 });
  const drained = [1, 2].map(() => ask(domain, { do: "drain", stream: stream.handle() }));
  await stream.waitForConsumers(2);
  for (let n = 0; n < 20; n++) {
    const loan = (await stream.loan())!;
    loan.bytes[0] = n;
    loan.publish();
  }
  stream.end();
  for (const { worker, answer } of await Promise.all(drained)) {
    assert.deepEqual(
      answer,
      Array.from({ length: 20 }, (_, n) => n),
    );
    worker.terminate();
  }
});

test("where a page may not block, a blocking wait is refused and names the way out", async () => {
  if (!("document" in globalThis)) return;
  using domain = Domain.create();
  const fence = domain.fenceFrom(new Promise<void>(() => {}), { timeLimit: 1000 });
  assert.throws(() => domain.import(fence.handle()).waitSync({ timeout: 1 }), {
    code: "EOPNOTSUPP",
    message: /asynchronous form/,
  });
});

test("the fence of a worker that is terminated ends with ESRCH", LIMIT, async () => {
  using domain = Domain.create();
  const { worker, answer } = await ask(domain, { do: "fence" });
  const fence = domain.import(answer as FenceHandle);
  assert.equal(fence.isSignaled(), false);
  worker.terminate();
  await assert.rejects(fence.result(), { code: "ESRCH" });
});

test("the hold and the lock of terminated workers open", LIMIT, async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const { worker: holder } = await ask(domain, { do: "block", buffer: buffer.handle() });
  const { worker: locker } = await ask(domain, { do: "lock", buffer: buffer.handle() });
  assert.equal(buffer.tryAccess("read"), undefined);
  assert.equal(buffer.reservation.isLocked, true);
  holder.terminate();
  using access = await buffer.access("write");
  assert.equal(access.mode, "write");
  locker.terminate();
  using _lock = await buffer.reservation.lock();
  assert.equal(buffer.reservation.isHeldHere, true);
});

test("the frame of a consumer that is terminated in the middle of it goes back", LIMIT, async () => {
  using domain = Domain.create();
  using stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
  (await stream.loan())!.publish();
  const { worker } = await ask(domain, { do: "take", stream: stream.handle() });
  await assert.rejects(stream.loan({ timeout: 20 }), { code: "ETIMEDOUT" });
  worker.terminate();
  using loan = await stream.loan();
  assert.equal(loan?.bytes.length, 1);
});

test("a producer that is terminated ends its consumers with ESRCH, after its last frame", LIMIT, async () => {
  using domain = Domain.create();
  const { worker, answer } = await ask(domain, { do: "produce" });
  const consumer = domain.import(answer as StreamHandleData).frames();
  assert.equal((await consumer.next())!.sequence, 0);
  worker.terminate();
  await assert.rejects(consumer.next(), { code: "ESRCH" });
});
