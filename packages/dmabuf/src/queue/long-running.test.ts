import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, isPending, joinDomain, pause, until } from "../../test/agents.js";
import { count, LIMIT, page, running } from "../../test/long-running.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { codeOf } from "../errors.js";
import type { Fence } from "../fence/fence.js";

function preemptionFence(buffer: DmaBuf): Fence {
  const [fence, ...more] = buffer.reservation.getFences("bookkeep");
  assert.deepEqual(more, []);
  return fence!;
}

describe("a long-running job", () => {
  test("leaves no fence that others obey, and ordinary work runs beside it (long-running.1)", LIMIT, async (t) => {
    const { domain, exported, counter } = await running(t);
    for (const usage of ["kernel", "write", "read"] as const) {
      assert.deepEqual(exported.reservation.getFences(usage), []);
      assert.equal(exported.reservation.testSignaled(usage), true);
    }
    const fence = preemptionFence(exported);
    assert.match(fence.describe(), /train train unsignalled$/);
    let before = 0;
    const beside = domain.createQueue({ run: () => void (before = counter.rounds) });
    await (await beside.submit({ writes: [exported] })).result();
    assert.ok(before > 0);
    {
      using _access = await exported.access("write");
      await counter.goesOn();
    }
    assert.equal(fence.isSignaled(), false);
    assert.equal(counter.started, 1);
  });

  test(
    "gives its buffers up at a safe point to whichever agent waits, and comes back (long-running.2, long-running.3)",
    LIMIT,
    async (t) => {
      const { exported, buffer, counter } = await running(t);
      for (const one of [exported, buffer]) {
        const fence = preemptionFence(one);
        assert.equal(await one.reservation.wait("bookkeep", { timeout: 20_000 }), "signaled");
        assert.equal(fence.error, undefined);
        await counter.goesOn();
        assert.equal(preemptionFence(one).isLater(preemptionFence(one)), false);
        assert.equal(preemptionFence(one).context, fence.context);
        assert.ok(preemptionFence(one).seqno > fence.seqno);
      }
      assert.equal(counter.started, 1);
    },
  );

  test("is suspended for as long as an access that evicts it lasts (long-running.4)", LIMIT, async (t) => {
    const { exported, counter } = await running(t);
    for (const mode of ["read", "write"] as const) {
      const access = await exported.access(mode, { evict: true });
      const [rounds, seen] = [counter.rounds, count(access.bytes)];
      assert.equal(seen, rounds);
      await pause(30);
      assert.deepEqual([counter.rounds, count(access.bytes)], [rounds, seen]);
      access.close();
      await counter.goesOn();
    }
  });

  test("is suspended until a job that evicts it has finished (long-running.4)", LIMIT, async (t) => {
    const { domain, exported, counter } = await running(t);
    const seen: number[] = [];
    const queue = domain.createQueue({
      async run(job) {
        const { bytes } = job.access(exported);
        seen.push(count(bytes));
        await pause(20);
        seen.push(count(bytes));
        new DataView(bytes.buffer).setUint32(0, 1_000_000);
      },
    });
    const finished = await queue.submit({ writes: [exported], evict: true });
    await finished.result();
    assert.equal(seen[0], seen[1]);
    await counter.goesOn();
    using access = await exported.access("read", { evict: true });
    assert.equal(count(access.bytes), 1_000_000 + counter.rounds - seen[0]!);
  });

  test("is kept away by the lock of who has evicted it", LIMIT, async (t) => {
    const { exported, counter } = await running(t);
    await exported.evict();
    await counter.goesOn();
    const lock = await exported.reservation.lock();
    await exported.evict({ timeout: 20_000 });
    const { rounds } = counter;
    await pause(20);
    assert.equal(counter.rounds, rounds);
    lock.close();
    await counter.goesOn();
  });

  test("goes on with its bytes where they were moved, two hundred times (long-running.4)", LIMIT, async (t) => {
    const { exported, counter } = await running(t);
    for (let i = 0; i < 200; i++) {
      const { rounds } = counter;
      const old = exported.segments[0]!;
      await exported.move([page()]);
      const left = count(new Uint8Array(old.memory));
      if (i % 10 === 0) await until(() => counter.rounds > rounds + 1);
      assert.equal(count(new Uint8Array(old.memory)), left);
    }
    using access = await exported.access("read", { evict: true });
    assert.equal(count(access.bytes), counter.rounds);
    assert.equal(counter.started, 1);
  });

  test("waits with its buffers given up for what it waits for at a safe point", LIMIT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(8);
    const more = domain.createUserFence();
    let left: string | undefined;
    using queue = domain.createQueue({
      longRunning: true,
      async run(job) {
        const access = job.access(buffer);
        await job.safePoint(
          more.wait().then(() => {
            left = codeOf(catching(() => access.bytes));
            assert.throws(() => job.access(buffer), { code: "EBADF" });
          }),
        );
        job.access(buffer).bytes[0]! += 1;
      },
    });
    const ended = queue.submit({ buffers: [buffer] });
    await until(() => buffer.reservation.getFences("bookkeep").length > 0);
    {
      using access = await buffer.access("write", { evict: true });
      access.bytes[0] = 6;
      more.signal();
      await pause(5);
    }
    await ended.wait();
    assert.deepEqual([left, queue.error], ["EBADF", undefined]);
    using access = await buffer.access("read");
    assert.equal(access.bytes[0], 7);
  });

  test("waits for fences of both kinds before it has its buffers (long-running.6)", LIMIT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(8);
    const timeline = domain.createTimeline();
    const [work, user] = [timeline.createFence(), domain.createUserFence()];
    using signaler = user.duplicate();
    let ran = 0;
    using queue = domain.createQueue<string>({ longRunning: true, run: ({ data }) => void (ran += data.length) });
    const ended = queue.submit({ buffers: [buffer], waits: [work, user], data: "four" });
    user.close();
    assert.equal(await isPending(ended.wait()), true);
    assert.deepEqual(buffer.reservation.getFences("bookkeep"), []);
    work.signal();
    assert.equal(await isPending(ended.wait()), true);
    signaler.signal();
    await ended.wait();
    assert.equal(ran, 4);
  });

  test("has nothing of an ordinary queue's job in its result (long-running.1)", LIMIT, async (t) => {
    const domain = createDomain(t);
    using queue = domain.createQueue({ longRunning: true, run: () => {} });
    const ended = queue.submit({});
    const ordinary = domain.createQueue({ run: () => {} });
    // @ts-expect-error A user fence is no DMA fence.
    await assert.rejects(ordinary.submit({ dependencies: [ended] }), { code: "EINVAL" });
    using buffer = domain.allocate(8);
    using _lock = await buffer.reservation.lock();
    buffer.reservation.reserveFences(1);
    // @ts-expect-error The same.
    assert.throws(() => buffer.reservation.addFence(ended, "write"), { code: "EINVAL" });
  });
});

describe("a long-running job that does not come to a safe point in time", () => {
  test(
    "is stopped, its fence fails, and its memory is given to none before it has ended (long-running.5, fence.7)",
    LIMIT,
    async (t) => {
      const domain = createDomain(t);
      const other = joinDomain(t, domain, "trainer");
      const exported = domain.export([page()]);
      const buffer = other.import(exported.handle());
      let stopped: unknown;
      let [rounds, ends] = [0, false];
      using queue = other.createQueue({
        longRunning: true,
        preemptLimit: 30,
        async run(job, signal) {
          const { bytes } = job.access(buffer);
          while (!ends) {
            await pause(1);
            bytes[0] = ++rounds & 0xff;
            stopped ??= signal.reason;
          }
          await job.safePoint();
        },
      });
      const ended = queue.submit({ buffers: [buffer] });
      await until(() => rounds > 0);
      const fence = preemptionFence(exported);
      const moving = exported.move([page()]);
      await until(() => fence.isSignaled());
      assert.equal(fence.error?.code, "ETIMEDOUT");
      await until(() => stopped !== undefined);
      assert.equal(codeOf(stopped), "ETIMEDOUT");
      assert.equal(await isPending(moving), true);
      assert.equal(await isPending(exported.access("write", { evict: true, timeout: 10_000 })), true);
      assert.equal(exported.reservation.getOverdueFences("bookkeep").length, 1);
      await assert.rejects(exported.evict({ timeout: 5 }), {
        code: "ETIMEDOUT",
        message: /agent "trainer" has not finished/,
      });
      ends = true;
      await moving;
      await ended.wait();
      assert.equal(queue.error, "ETIMEDOUT");
      const last = rounds;
      using access = await exported.access("read");
      assert.equal(access.bytes[0], last & 0xff);
    },
  );

  test("leaves its queue to the next job", LIMIT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(8);
    const order: string[] = [];
    using queue = domain.createQueue<string>({
      longRunning: true,
      preemptLimit: 10,
      async run(job, signal) {
        order.push(job.data);
        while (job.data === "late" && !signal.aborted) await pause(1);
      },
    });
    const [late, next] = ["late", "next"].map((data) => queue.submit({ buffers: [buffer], data }));
    await until(() => order.length === 1);
    await buffer.evict();
    await Promise.all([late!.wait(), next!.wait()]);
    assert.deepEqual(order, ["late", "next"]);
  });
});

function catching(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
