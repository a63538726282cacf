import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, DIES, isPending, joinMortal, pause, until } from "../../test/agents.js";
import { deferred, importPaged } from "../../test/paged.js";
import type { PagedBuffer } from "../buffer/paged-buffer.js";
import { agentOf } from "../domain-base.js";
import { textOf } from "../errors.js";
import type { Domain } from "../threads.js";
import { makeExecutor, type Executor, type ExecutorOptions } from "./executor.js";
import type { Sharing } from "./slots.js";

const LIMIT = { timeout: 120_000 };
const PAGE = 4096;
/** Long enough for everything that is not stuck. */
const PLENTY = 60_000;
/** For what is known to be stuck. */
const SOON = 300;

/** Nothing is kept from long-running jobs. */
function unprotected(slots: number): Sharing {
  return { kept: 0, takesBack: false, admitsAt: slots, inFlight: slots };
}

/** A program in which work with a fence and work that faults want the same slots. */
interface Program {
  readonly options: ExecutorOptions;
  /** In whose place: for the program without its protection. */
  readonly sharing?: Sharing;
  /** Whether the fault is waited for at a safe point: then the job gives way in the middle of it. */
  readonly atSafePoint?: boolean;
  /** Whether the job with the fence is submitted before the one that faults, and becomes ready after that. */
  readonly fenceFirst?: boolean;
}

interface Outcome {
  /** How the long-running jobs ended. */
  readonly ends: string[];
  /** Who waits for whom, if what fills a page has waited in vain. */
  readonly circle: string | undefined;
}

/**
 * Long-running jobs, one for each slot, fault a page each. What fills it needs a buffer that a job of another queue writes,
 * as an allocation needs memory that a device still uses; and that job needs a slot.
 */
async function run(t: TestContext, program: Program, timeout: number): Promise<Outcome> {
  const { options, sharing, atSafePoint = false, fenceFirst = false } = program;
  const { slots } = options;
  const domain = createDomain(t, { timelines: 32 });
  const executor = makeExecutor(agentOf(domain), options, sharing);
  using needed = domain.allocate(PAGE, { name: "needed" });
  let began = 0;
  let circle: string | undefined;
  const goOn = deferred();
  using paged = domain.createPagedBuffer({
    size: slots * PAGE,
    name: "paged",
    async fill() {
      began++;
      await goOn.promise;
      try {
        using _access = await needed.access("read", { timeout });
      } catch (error) {
        circle ??= `${textOf(error)}\n${executor.describe()}`;
        throw error;
      }
    },
  });
  using frames = domain.createQueue({ name: "frames", executor, run() {} });
  using training = domain.createScheduler<number>({
    longRunning: true,
    name: "training",
    credits: slots,
    preemptLimit: PLENTY,
    executor,
    async run(job) {
      const fault = paged.fault(job.data * PAGE, 1);
      using _range = atSafePoint ? await job.safePoint(fault) : await fault;
      await job.safePoint();
    },
  });
  using gate = domain.createSoftwareTimeline();
  using opened = gate.createFence(1);
  const submit = () => frames.submit({ writes: [needed], dependencies: fenceFirst ? [opened] : [] });
  const early = fenceFirst ? [await submit()] : [];
  const ends = Array.from({ length: slots }, (_, data) => training.createQueue().submit({ data }));
  // With a protection, some of them may not begin.
  for (let looks = 0; began < slots && looks < 20; looks++) await pause(10);
  gate.advance(1);
  const late = fenceFirst ? [] : [submit()];
  await pause(20);
  goOn.resolve();
  const results = await Promise.all(ends.map((end) => end.wait()));
  for (const job of [...early, ...(await Promise.all(late))])
    assert.equal(await job.wait({ timeout: PLENTY }), "signaled");
  return { ends: results, circle };
}

/** The program has come to its end, without anything in vain. */
async function ends(t: TestContext, program: Program): Promise<void> {
  const { circle } = await run(t, program, PLENTY);
  assert.equal(circle, undefined);
}

/** It is stuck, and each in the circle is named: the fence, the job that waits for a slot, those that have them. */
async function isStuck(t: TestContext, program: Program): Promise<void> {
  const { circle } = await run(t, program, SOON);
  assert.ok(circle !== undefined, "it has come to its end");
  assert.match(circle, /needed|frames/);
  assert.match(circle, /waits for a slot: a job of "frames"/);
  assert.equal(circle.match(/has a slot.*"training"/g)?.length, program.options.slots);
}

describe("a job with a fence, behind faults that wait for it", () => {
  const CHOICES: Record<string, { readonly on: Program; readonly off: Record<string, Program> }> = {
    "preempt (executor.2)": {
      on: { options: { slots: 1, sharing: "preempt" }, atSafePoint: true },
      off: {
        "no slot is taken back": {
          options: { slots: 1, sharing: "preempt" },
          atSafePoint: true,
          sharing: unprotected(1),
        },
        "a job cannot give way in the middle of a fault": { options: { slots: 1, sharing: "preempt" } },
      },
    },
    "reserve (executor.3)": {
      on: { options: { slots: 2, sharing: "reserve" } },
      off: { "no slot is kept": { options: { slots: 2, sharing: "reserve" }, sharing: unprotected(2) } },
    },
    "reserve-in-flight (executor.4)": {
      on: { options: { slots: 2, sharing: "reserve-in-flight" } },
      off: {
        "the fence is visible before a slot is free": {
          options: { slots: 2, sharing: "reserve-in-flight" },
          sharing: { ...unprotected(2), inFlight: 1 },
        },
        "the slot is kept until the fence is visible, and not longer": {
          options: { slots: 2, sharing: "reserve-in-flight" },
          sharing: { ...unprotected(2), admitsAt: 1 },
          fenceFirst: true,
        },
      },
    },
    "flush (executor.5)": {
      on: { options: { slots: 2, sharing: "flush" } },
      off: {
        "the fence is visible while long-running jobs have slots": {
          options: { slots: 2, sharing: "flush" },
          sharing: { ...unprotected(2), inFlight: 0 },
        },
        "long-running jobs begin while a fence is in flight": {
          options: { slots: 2, sharing: "flush" },
          sharing: { ...unprotected(2), admitsAt: 0 },
          fenceFirst: true,
        },
      },
    },
  };

  for (const [choice, { on, off }] of Object.entries(CHOICES)) {
    for (const fenceFirst of [false, true]) {
      const when = fenceFirst ? "submitted before them" : "submitted while they wait";
      test(`ends with ${choice}, if it is ${when}`, LIMIT, (t) => ends(t, { ...on, fenceFirst }));
    }
    for (const [what, program] of Object.entries(off)) {
      test(`is stuck without ${choice}: ${what}`, LIMIT, (t) => isStuck(t, program));
    }
  }
});

/** A long-running queue whose jobs come to safe points until they are told to stop, and count them. */
function training(domain: Domain, executor: Executor, name = "training") {
  const rounds = { count: 0, isOver: false };
  const queue = domain.createQueue({
    longRunning: true,
    name,
    preemptLimit: PLENTY,
    executor,
    async run(job) {
      while (!rounds.isOver) {
        rounds.count++;
        await job.safePoint();
        await pause(0);
      }
    },
  });
  return { queue, rounds };
}

describe("the turns of both kinds", () => {
  test(
    "come in the order of waiting: with all but preempt, long-running jobs go on while others never pause (executor.6)",
    LIMIT,
    async (t) => {
      for (const sharing of ["reserve", "reserve-in-flight", "flush"] as const) {
        const domain = createDomain(t, { timelines: 32 });
        const executor = domain.createExecutor({ slots: sharing === "reserve" ? 2 : 1, sharing });
        using frames = domain.createQueue({ name: "frames", executor, run: () => pause(0) });
        const { queue, rounds } = training(domain, executor);
        using _queue = queue;
        let isOver = false;
        const producers = [0, 1].map(async () => {
          let shown = 0;
          for (; !isOver; shown++) await (await frames.submit({})).wait();
          return shown;
        });
        using end = queue.submit({});
        await until(() => rounds.count >= 10);
        rounds.isOver = true;
        await end.wait();
        isOver = true;
        assert.ok(Math.min(...(await Promise.all(producers))) > 0, sharing);
      }
    },
  );

  test(
    "are all of jobs with fences with preempt, as long as one is ready for each slot (executor.6)",
    LIMIT,
    async (t) => {
      const domain = createDomain(t, { timelines: 32 });
      const executor = domain.createExecutor({ slots: 1, sharing: "preempt" });
      using frames = domain.createQueue({ name: "frames", executor, run: () => pause(1) });
      const jobs = [await frames.submit({}), await frames.submit({})];
      const { queue, rounds } = training(domain, executor);
      using _queue = queue;
      using end = queue.submit({});
      for (let i = 0; i < 10; i++) {
        jobs.push(await frames.submit({}));
        await jobs[i]!.wait();
        assert.equal(rounds.count, 0);
      }
      rounds.isOver = true;
      for (const job of jobs) await job.wait();
      await end.wait();
    },
  );

  test("go round among long-running jobs, at their safe points (executor.7)", LIMIT, async (t) => {
    const domain = createDomain(t, { timelines: 32 });
    const executor = domain.createExecutor({ slots: 1, sharing: "preempt" });
    const all = ["one", "another", "a third"].map((name) => training(domain, executor, name));
    const ends = all.map(({ queue }) => queue.submit({}));
    await until(() => all.every(({ rounds }) => rounds.count >= 3));
    for (const { rounds } of all) rounds.isOver = true;
    for (const end of ends) await end.wait();
    for (const { queue } of all) queue.close();
  });
});

describe("a slot comes back", () => {
  /** Whether a long-running job gets the only slot. */
  async function isFree(domain: Domain, executor: Executor): Promise<void> {
    using queue = domain.createQueue({ longRunning: true, executor, run() {} });
    using end = queue.submit({});
    assert.equal(await end.wait({ timeout: PLENTY }), "signaled");
    using frames = domain.createQueue({ executor, run() {} });
    assert.equal(await (await frames.submit({})).wait({ timeout: PLENTY }), "signaled");
    assert.match(executor.describe(), /^1 slots: 0 of jobs with fences, 0 of long-running jobs$/);
  }

  for (const sharing of ["preempt", "reserve-in-flight", "flush"] as const) {
    test(`from jobs that fail, hang, or are killed or closed, with ${sharing} (executor.1)`, LIMIT, async (t) => {
      const domain = createDomain(t, { timelines: 32 });
      const executor = domain.createExecutor({ slots: 1, sharing });
      // A page has no process that warns, and writes to its console.
      if ("process" in globalThis) t.mock.method(process, "emitWarning", () => {});
      using fails = domain.createQueue({
        executor,
        run() {
          throw new Error("fails");
        },
      });
      assert.equal((await (await fails.submit({})).wait()) && fails.error, "EIO");
      await isFree(domain, executor);
      using hangs = domain.createQueue({ executor, timeLimit: 50, run: () => new Promise(() => {}) });
      const hanging = await hangs.submit({});
      await assert.rejects(hanging.result(), { code: "ETIMEDOUT" });
      await isFree(domain, executor);
      const closed = domain.createScheduler({ executor, run: () => new Promise(() => {}) });
      const stopped = await closed.createQueue().submit({});
      const killed = closed.createQueue();
      const never = await killed.submit({});
      await until(() => closed.running.length === 1);
      killed.kill();
      closed.close();
      await assert.rejects(stopped.result(), { code: "ECANCELED" });
      await never.wait();
      await isFree(domain, executor);
    });
  }

  test(
    "from a long-running job whose page will not come, because its exporter has died (executor.1)",
    { ...LIMIT, skip: DIES.skip },
    async (t) => {
      const domain = createDomain(t, { timelines: 32 });
      const { domain: owner, die } = joinMortal(domain, "owner");
      const paged: PagedBuffer = importPaged(
        domain,
        owner.createPagedBuffer({ size: PAGE, fill: () => new Promise(() => {}) }),
      );
      const executor = domain.createExecutor({ slots: 1, sharing: "flush" });
      let failed: unknown;
      using queue = domain.createQueue({
        longRunning: true,
        executor,
        preemptLimit: PLENTY,
        async run() {
          await paged.fault(0, 1).catch((error: unknown) => (failed = error));
        },
      });
      using end = queue.submit({});
      await until(() => /has a slot/.test(executor.describe()));
      using frames = domain.createQueue({ executor, run() {} });
      const submitting = frames.submit({});
      assert.ok(await isPending(submitting));
      await die();
      await end.wait();
      assert.equal((failed as { code?: unknown }).code, "ESRCH");
      assert.equal(await (await submitting).wait(), "signaled");
    },
  );

  test(
    "from a long-running job that does not come to a safe point in time, which is stopped (executor.1)",
    LIMIT,
    async (t) => {
      const domain = createDomain(t, { timelines: 32 });
      const executor = domain.createExecutor({ slots: 1, sharing: "reserve-in-flight" });
      using queue = domain.createQueue({
        longRunning: true,
        executor,
        preemptLimit: 30,
        run: () => new Promise(() => {}),
      });
      using _end = queue.submit({});
      await until(() => /has a slot/.test(executor.describe()));
      using frames = domain.createQueue({ executor, run() {} });
      assert.equal(await (await frames.submit({})).wait(), "signaled");
    },
  );
});

describe("a submission that waits for its slot", () => {
  /** A long-running job that has the only slot until it is told to stop. */
  async function occupied(t: TestContext, sharing: "flush" | "reserve-in-flight") {
    const domain = createDomain(t, { timelines: 32 });
    const executor = domain.createExecutor({ slots: 1, sharing });
    const stop = deferred();
    const queue = domain.createQueue({ longRunning: true, executor, preemptLimit: PLENTY, run: () => stop.promise });
    const end = queue.submit({});
    t.after(() => {
      end.close();
      queue.close();
    });
    await until(() => /has a slot/.test(executor.describe()));
    return { domain, executor, stop, end };
  }

  for (const sharing of ["flush", "reserve-in-flight"] as const) {
    test(
      `has no fence, holds nothing, and says why when its time is over, with ${sharing} (executor.8)`,
      LIMIT,
      async (t) => {
        const { domain, executor, stop, end } = await occupied(t, sharing);
        using buffer = domain.allocate(PAGE);
        using frames = domain.createQueue({ name: "frames", executor, run() {} });
        assert.equal(frames.trySubmit({ writes: [buffer] }), undefined);
        assert.throws(() => frames.submitSync({ writes: [buffer] }), { code: "EDEADLK" });
        await assert.rejects(frames.submit({ writes: [buffer] }, { timeout: 30 }), {
          code: "ETIMEDOUT",
          message: /no slot for its fence yet.*has a slot, is asked for it/s,
        });
        const submitting = frames.submit({ writes: [buffer] });
        assert.ok(await isPending(submitting));
        assert.equal(buffer.reservation.getFences("bookkeep").length, 0);
        assert.equal(buffer.reservation.isLocked, false);
        (await buffer.access("write")).close();
        stop.resolve();
        await end.wait();
        assert.equal(await (await submitting).wait(), "signaled");
      },
    );
  }

  test("keeps no slot from others while it waits for an access (executor.8)", LIMIT, async (t) => {
    const { domain, executor, stop, end } = await occupied(t, "flush");
    using buffer = domain.allocate(PAGE);
    using frames = domain.createQueue({ executor, run() {} });
    const submitting = frames.submit({ writes: [buffer] });
    assert.ok(await isPending(submitting));
    const access = await buffer.access("write");
    stop.resolve();
    await end.wait();
    assert.ok(await isPending(submitting));
    using queue = domain.createQueue({ longRunning: true, executor, run() {} });
    using next = queue.submit({});
    await next.wait();
    access.close();
    assert.equal(await (await submitting).wait(), "signaled");
  });
});

test("an executor is of one thread, and keeps a slot for long-running jobs at least", (t) => {
  const [domain, other] = [createDomain(t, { timelines: 32 }), createDomain(t, { timelines: 32 })];
  const executor = domain.createExecutor({ slots: 2, sharing: "reserve" });
  assert.deepEqual([executor.slots, executor.sharing], [2, "reserve"]);
  assert.throws(() => other.createQueue({ executor, run() {} }), TypeError);
  assert.throws(() => other.createQueue({ longRunning: true, executor, run() {} }), TypeError);
  assert.throws(() => domain.createExecutor({ slots: 2, sharing: "reserve", reserved: 2 }), RangeError);
  assert.throws(() => domain.createExecutor({ slots: 1, sharing: "reserve" }), RangeError);
  assert.throws(() => domain.createExecutor({ slots: 1, sharing: "reserve-in-flight", reserved: 2 }), RangeError);
});
