import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, joinDomain, joinMortal, pause, until } from "../../test/agents.js";
import { count, Counter, LIMIT, page, running } from "../../test/long-running.js";
import type { DmaBuf } from "../buffer/buffer.js";

describe("several long-running jobs", () => {
  test("share a buffer, and are suspended and come back together (long-running.4)", LIMIT, async (t) => {
    const { domain, exported, counter } = await running(t);
    const second = new Counter();
    using queue = domain.createQueue({ longRunning: true, run: second.run, preemptLimit: 10_000 });
    queue.submit({ buffers: [exported] });
    await until(() => second.rounds > 0);
    for (let i = 0; i < 5; i++) {
      await Promise.all([counter.goesOn(), second.goesOn()]);
      assert.equal(exported.reservation.getFences("bookkeep").length, 2);
      using _access = await exported.access("write", { evict: true });
      const rounds = [counter.rounds, second.rounds];
      await pause(5);
      assert.deepEqual([counter.rounds, second.rounds], rounds);
    }
    assert.deepEqual([counter.started, second.started], [1, 1]);
  });

  test(
    "of one scheduler have no more turns than it has credits, and a suspended one has none (long-running.6)",
    LIMIT,
    async (t) => {
      const domain = createDomain(t);
      const [first, second] = [new Counter(), new Counter()];
      using scheduler = domain.createScheduler<Counter>({
        longRunning: true,
        preemptLimit: 10_000,
        run: (job) => job.data.run(job),
      });
      const buffers = [domain.allocate(8), domain.allocate(8)];
      const queues = [scheduler.createQueue({ name: "one" }), scheduler.createQueue()];
      assert.deepEqual(
        queues.map(({ name }) => name),
        ["one", "queue"],
      );
      queues[0]!.submit({ buffers: [buffers[0]!], data: first });
      await until(() => first.rounds > 0);
      const ended = queues[1]!.submit({ buffers: [buffers[1]!], data: second });
      await first.goesOn();
      assert.equal(second.started, 0);
      {
        using _access = await buffers[0]!.access("write", { evict: true });
        await until(() => second.rounds > 0);
      }
      second.ends = true;
      await ended.wait();
      await first.goesOn();
    },
  );

  test("are evicted by three agents at once, each of which has the bytes for itself", LIMIT, async (t) => {
    const { domain, exported, counter } = await running(t);
    const agents = [
      exported,
      ...["second", "third"].map((name) => joinDomain(t, domain, name).import(exported.handle())),
    ];
    let writing = 0;
    const evict = async (buffer: DmaBuf): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        using _access = await buffer.access("write", { evict: true });
        assert.equal(++writing, 1);
        const { rounds } = counter;
        await pause(1);
        assert.equal(counter.rounds, rounds);
        writing--;
      }
    };
    await Promise.all(agents.map(evict));
    await counter.goesOn();
    assert.equal(counter.started, 1);
  });
});

describe("the end of a queue", () => {
  test("stops the job that runs, and those that wait never run", LIMIT, async (t) => {
    const { counter, queue, buffer, exported } = await running(t);
    const next = queue.submit({ buffers: [buffer] });
    queue.close();
    await next.wait();
    assert.deepEqual([queue.length, queue.error, counter.started], [0, "ECANCELED", 1]);
    assert.throws(() => queue.submit({}), { code: "ECANCELED" });
    assert.deepEqual(exported.reservation.getFences("bookkeep"), []);
    queue.close();
  });

  test("by kill lets the running job end", LIMIT, async (t) => {
    const { counter, queue, buffer } = await running(t);
    const next = queue.submit({ buffers: [buffer] });
    queue.kill();
    assert.throws(() => queue.submit({}), { code: "ESRCH" });
    await counter.goesOn();
    assert.equal(next.isSignaled(), false);
    counter.ends = true;
    await next.wait();
    assert.deepEqual([queue.length, queue.error, counter.started], [0, "ESRCH", 1]);
  });

  test("does not wait for what a job waits for, nor for a suspended one", LIMIT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(8);
    const counter = new Counter();
    const queue = domain.createQueue({ longRunning: true, run: counter.run });
    const waiting = domain.createQueue({ longRunning: true, run: () => {} });
    const ended = [queue.submit({ buffers: [buffer] }), waiting.submit({ waits: [domain.createUserFence()] })];
    await until(() => counter.rounds > 0);
    using _access = await buffer.access("write", { evict: true });
    queue.close();
    waiting.close();
    for (const end of ended) await end.wait();
    assert.deepEqual([queue.error, waiting.error], ["ECANCELED", "ECANCELED"]);
  });
});

describe("an agent with a long-running job dies", () => {
  for (const when of ["while it runs", "while it is suspended", "while it comes back"]) {
    test(`${when}, and keeps no other agent from its buffer`, DIES, async (t) => {
      const domain = createDomain(t);
      const { domain: other, die } = joinMortal(domain, "trainer");
      const exported = domain.export([page()]);
      const counter = new Counter();
      const queue = other.createQueue({ longRunning: true, run: counter.run, preemptLimit: 10_000 });
      queue.submit({ buffers: [other.import(exported.handle())] });
      await until(() => counter.rounds > 0);
      const work = domain.createTimeline().createFence();
      if (when === "while it runs") {
        await die();
      } else {
        using lock = await exported.reservation.lock();
        await exported.evict();
        if (when === "while it is suspended") {
          await die();
        } else {
          // It waits for this work of another agent with its preemption fence in place.
          exported.reservation.reserveFences(1);
          exported.reservation.addFence(work, "write");
          lock.close();
          await until(() => exported.reservation.getFences("bookkeep").length === 2);
          await die();
          work.signal();
        }
      }
      await exported.reservation.wait("bookkeep");
      await exported.move([page()]);
      using access = await exported.access("write", { evict: true });
      assert.ok(count(access.bytes) > 0);
      // The dead live in this process: what they wait for would keep it alive.
      queue.close();
    });
  }
});
