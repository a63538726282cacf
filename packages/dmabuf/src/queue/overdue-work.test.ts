import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, isPending, joinDomain, until } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { Domain } from "../threads.js";
import type { Fence } from "../fence/fence.js";

const PATIENT = { timeout: 10_000 };

/** A buffer of two agents; the other one has work on it that only `fence` tells the end of, and a short time limit. */
async function shared(
  t: TestContext,
): Promise<{ domain: Domain; other: Domain; buffer: DmaBuf; theirs: DmaBuf; fence: Fence }> {
  const domain = createDomain(t);
  const other = joinDomain(t, domain, "decoder");
  const buffer = domain.allocate(1);
  const theirs = other.import(buffer.handle());
  const fence = other.createTimeline({ name: "gpu", timeLimit: 20 }).createFence();
  using _lock = await theirs.reservation.lock();
  theirs.reservation.reserveFences(1);
  theirs.reservation.addFence(fence, "read");
  return { domain, other, buffer, theirs, fence };
}

describe("a job", () => {
  test("waits for overdue work before its fence exists (scheduler.1)", PATIENT, async (t) => {
    const { domain, buffer, fence } = await shared(t);
    await buffer.reservation.wait("read");
    let ran = 0;
    const queue = domain.createQueue({ run: () => void ran++ });
    await (await queue.submit({ reads: [buffer] })).result();
    assert.equal(ran, 1);
    await assert.rejects(queue.submit({ writes: [buffer] }, { timeout: 5 }), {
      code: "ETIMEDOUT",
      message: /agent "decoder" has not finished its work on timeline "gpu", which timed out(;|$)/,
    });
    assert.equal(queue.trySubmit({ writes: [buffer] }), undefined);
    const submitting = queue.submit({ writes: [buffer] });
    assert.equal(await isPending(submitting), true);
    assert.deepEqual(buffer.reservation.getFences("bookkeep"), []);
    fence.signal();
    await (await submitting).result();
    assert.equal(ran, 2);
  });

  test("is not submitted by a thread that blocks while work is overdue", { ...BLOCKS, ...PATIENT }, async (t) => {
    const { domain, other, buffer, theirs, fence } = await shared(t);
    await buffer.reservation.wait("read");
    const queue = domain.createQueue({ run: () => {} });
    assert.throws(() => queue.submitSync({ writes: [buffer] }, { timeout: 5 }), {
      code: "ETIMEDOUT",
      message: /decoder/,
    });
    const theirQueue = other.createQueue({ run: () => {} });
    assert.throws(() => theirQueue.submitSync({ writes: [theirs] }), { code: "EDEADLK" });
    fence.signal();
    await queue.submitSync({ writes: [buffer] }).result();
  });

  test(
    "never runs if a time limit has ended what it depends on, and that is overdue (scheduler.8)",
    PATIENT,
    async (t) => {
      const { domain, buffer, fence } = await shared(t);
      const ran: string[] = [];
      const queue = domain.createQueue<string>({ run: ({ data }) => void ran.push(data) });
      const writes = await queue.submit({ writes: [buffer], data: "writes" });
      const next = await queue.submit({ data: "next" });
      await assert.rejects(writes.result(), { code: "ETIMEDOUT" });
      await next.result();
      assert.deepEqual(ran, ["next"]);
      const again = queue.submit({ writes: [buffer], data: "again" });
      assert.equal(await isPending(again), true);
      fence.signal();
      await (await again).result();
      assert.deepEqual(ran, ["next", "again"]);
    },
  );

  test("runs if a time limit has ended what it depends on, and that has finished by then", PATIENT, async (t) => {
    const { domain, buffer, fence } = await shared(t);
    let end = (): void => {};
    const queue = domain.createQueue<string>({
      run: ({ data }) => (data === "first" ? new Promise<void>((resolve) => (end = resolve)) : undefined),
    });
    await queue.submit({ data: "first" });
    const writes = await queue.submit({ writes: [buffer], data: "writes" });
    await assert.rejects(fence.result(), { code: "ETIMEDOUT" });
    assert.equal(await isPending(writes.wait()), true);
    fence.signal();
    end();
    await writes.result();
  });
});

test(
  "a queue that hang recovery has ended gives its buffers free when its jobs have ended (scheduler.9)",
  PATIENT,
  async (t) => {
    const domain = createDomain(t);
    const buffers = [domain.allocate(1), domain.allocate(1)] as const;
    const other = joinDomain(t, domain);
    const theirs = buffers.map((buffer) => other.import(buffer.handle()));
    const ends: (() => void)[] = [];
    const run = (): Promise<void> => new Promise<void>((resolve) => ends.push(resolve));
    const queue = domain.createQueue({ run, credits: 2, timeLimit: 20, onTimeout: () => "no-hang" });
    for (const buffer of buffers) await queue.submit({ writes: [buffer] });
    await until(() => ends.length === 2);
    for (const buffer of theirs) {
      assert.equal(await buffer.reservation.wait("read"), "signaled");
      assert.equal(buffer.tryAccess("read"), undefined);
    }
    // The second job's end is told with the first one's: fences of a queue signal in order.
    ends[1]!();
    const waiting = theirs.map((buffer) => buffer.access("read"));
    assert.equal(await isPending(Promise.race(waiting)), true);
    ends[0]!();
    for (const access of await Promise.all(waiting)) access[Symbol.dispose]();
  },
);
