/** Area L of the conformance cases: the scheduler. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DmaBufError,
  waitAll,
  type Domain,
  type Fence,
  type FenceOps,
  type Job,
  type JobResult,
  type SchedulerOptions,
  type Verdict,
} from "../../src/index.js";
import { createDomain, isPending, until } from "../agents.js";
import { pendingFence } from "./syncobjs.js";

const OPTIONS = { timeout: 20_000 };

test(
  "SCH-01 jobs run in the order in which they were submitted, with growing numbers in one context (scheduler.4)",
  OPTIONS,
  async (t) => {
    const ran: number[] = [];
    const queue = createDomain(t).createQueue<number>({ run: ({ data }) => void ran.push(data) });
    const fences: Fence[] = [];
    for (const data of [1, 2, 3]) fences.push(await queue.submit({ data }));
    await waitAll(fences);
    assert.deepEqual(ran, [1, 2, 3]);
    assert.deepEqual(new Set(fences.map(({ context }) => context)), new Set([queue.context]));
    assert.ok(fences[0]!.seqno < fences[1]!.seqno && fences[1]!.seqno < fences[2]!.seqno);
  },
);

test("SCH-02 a job runs only after what it depends on has signaled", OPTIONS, async (t) => {
  const domain = createDomain(t);
  let before: number | undefined;
  const dependency = domain.createTimeline().createFence();
  const queue = domain.createQueue({ run: () => (before = dependency.status) });
  const finished = await queue.submit({ dependencies: [dependency] });
  assert.equal(await isPending(finished.wait()), true);
  assert.equal(before, undefined);
  dependency.signal();
  await finished.result();
  assert.equal(before, 1);
});

test(
  "SCH-03 a job does not wait until an earlier job of its queue has finished, but runs after it",
  OPTIONS,
  async (t) => {
    const domain = createDomain(t);
    const { started, options, device } = ring(domain, 2);
    const queue = domain.createQueue<string>(options);
    const first = await queue.submit({ data: "first" });
    const second = await queue.submit({ data: "second", dependencies: [first] });
    await until(() => started.length === 2);
    assert.deepEqual(started, ["first", "second"]);
    assert.equal(first.status, 0);
    device.signal(2);
    await second.result();
    assert.equal(first.status, 1);
  },
);

test(
  "SCH-04 a job runs as soon as the job of its scheduler that it depends on was given to the device (scheduler.10)",
  OPTIONS,
  async (t) => {
    const domain = createDomain(t);
    const { started, options, device } = ring(domain, 2);
    const scheduler = domain.createScheduler<string>(options);
    const [one, other] = [scheduler.createQueue(), scheduler.createQueue({ priority: "high" })];
    const gate = domain.createTimeline().createFence();
    const first = await one.submit({ data: "A", dependencies: [gate] });
    const second = await other.submit({ data: "B", dependencies: [first] });
    assert.equal(await isPending(second.wait()), true);
    assert.deepEqual(started, [], "B waits until A was given to the device");
    gate.signal();
    await until(() => started.length === 2);
    assert.deepEqual(started, ["A", "B"]);
    assert.equal(first.status, 0);
    device.signal(2);
    await waitAll([first, second]);
  },
);

/** How a job fails while an earlier one of its queue keeps its finished fence from signaling. */
const FAILURES: Readonly<Record<string, (job: Job<string>) => JobResult>> = {
  "throws at once": () => {
    throw new DmaBufError("EIO", "The device has refused it");
  },
  "returns a promise that is rejected at once": async () => {
    throw new DmaBufError("EIO", "The device has refused it");
  },
  "returns a promise that is rejected later": () =>
    new Promise((_resolve, reject) => setTimeout(() => reject(new DmaBufError("EIO", "The device has failed")), 20)),
};

for (const [how, fail] of Object.entries(FAILURES)) {
  for (const when of ["has failed already", "fails later, while there are no credits"]) {
    test(
      `SCH-12 behind a job that ${how} and ${when}, a job runs when its finished fence signals`,
      OPTIONS,
      async (t) => {
        const domain = createDomain(t);
        const [device, gate] = [domain.createTimeline(), domain.createTimeline()];
        const statuses: number[] = [];
        const scheduler = domain.createScheduler<string>({
          credits: 3,
          pipeline: true,
          run(job) {
            if (job.data === "fails") return fail(job);
            if (job.data === "dependent") return void statuses.push(failed.status);
            return (job.data === "slow" ? device : gate).createFence();
          },
        });
        const [one, two, other] = [scheduler.createQueue(), scheduler.createQueue(), scheduler.createQueue()];
        await one.submit({ data: "slow" });
        const holdsUp = when !== "has failed already";
        if (holdsUp) await two.submit({ data: "gate" });
        const failed = await one.submit({ data: "fails" });
        const submit = async (): Promise<Fence> => other.submit({ data: "dependent", dependencies: [failed] });
        let dependent = holdsUp ? await submit() : undefined;
        await until(() => scheduler.running.every(({ data }) => data !== "fails") && one.length === 0);
        dependent ??= await submit();
        if (holdsUp) gate.signal(1);
        assert.equal(await isPending(dependent.wait()), true);
        assert.deepEqual(statuses, [], "it has not run");
        device.signal(1);
        await dependent.result();
        assert.ok(statuses.length === 1 && statuses[0]! < 0, `it saw ${statuses.join()}`);
      },
    );
  }
}

test(
  "SCH-12 a job that never runs waits until those have finished that it depends on, pipeline or not",
  OPTIONS,
  async (t) => {
    const domain = createDomain(t);
    const { started, options, device } = ring(domain, 1);
    const scheduler = domain.createScheduler<string>(options);
    const [one, other, third] = [scheduler.createQueue(), scheduler.createQueue(), scheduler.createQueue()];
    const first = await one.submit({ data: "A" });
    const second = await other.submit({ data: "B", dependencies: [first] });
    await until(() => started.length === 1);
    other.kill();
    const behind = await third.submit({ data: "C", dependencies: [second] });
    assert.equal(await isPending(second.wait()), true);
    device.signal(1);
    await assert.rejects(second.result(), { code: "ESRCH" });
    await until(() => started.length === 2);
    device.signal(2);
    await behind.result();
    assert.deepEqual(started, ["A", "C"]);
  },
);

test("SCH-05 of two dependencies of one context only the later one is waited for", OPTIONS, async (t) => {
  const domain = createDomain(t);
  const enabled: number[] = [];
  const ops: FenceOps = {
    driverName: "driver",
    timelineName: "line",
    enableSignaling: ({ seqno }) => enabled.push(seqno) > 0,
  };
  const context = domain.allocateContexts(1);
  const [earlier, later] = [domain.createFence(ops, context, 1), domain.createFence(ops, context, 2)];
  const queue = domain.createQueue({ run: () => {} });
  const finished = await queue.submit({ dependencies: [later, earlier] });
  assert.equal(await isPending(finished.wait()), true);
  assert.deepEqual(enabled, [2]);
  later.signal();
  await finished.result();
});

test("SCH-06 a job without work of its own has succeeded, one that fails at once has failed", OPTIONS, async (t) => {
  const queue = createDomain(t).createQueue<boolean>({
    run({ data: isGood }) {
      if (!isGood) throw new DmaBufError("EIO", "The device has said no");
    },
  });
  const [good, bad] = [await queue.submit({ data: true }), await queue.submit({ data: false })];
  await waitAll([good, bad]);
  assert.equal(good.status, 1);
  assert.equal(bad.error?.code, "EIO");
  assert.equal(queue.error, "EIO");
});

test("SCH-07 the jobs of a killed queue fail with ESRCH, in their order, and none runs", OPTIONS, async (t) => {
  const domain = createDomain(t);
  const ended: number[] = [];
  let runs = 0;
  const queue = domain.createQueue({ run: () => void runs++ });
  const gate = pendingFence(domain);
  const fences = [
    await queue.submit({ dependencies: [gate] }),
    await queue.submit({}),
    await queue.submit({ dependencies: [gate] }),
  ];
  for (const fence of fences) fence.addCallback(({ seqno }) => ended.push(seqno));
  queue.kill();
  assert.equal(await isPending(waitAll(fences)), true);
  gate.signal();
  await waitAll(fences);
  assert.deepEqual(
    fences.map(({ error }) => error?.code),
    ["ESRCH", "ESRCH", "ESRCH"],
  );
  assert.deepEqual(
    ended,
    fences.map(({ seqno }) => seqno),
  );
  assert.equal(runs, 0);
  await assert.rejects(queue.submit({}), { code: "ESRCH" });
});

test("SCH-08 when the time is over, the oldest job that runs is handed over", OPTIONS, async (t) => {
  const handed: Job<string>[] = [];
  const verdicts: Verdict[] = ["no-hang", "reset"];
  const queue = createDomain(t).createQueue<string>({
    credits: 2,
    timeLimit: 20,
    run: ({ data }) => (data === "hangs" ? new Promise(() => {}) : undefined),
    onTimeout: (job) => verdicts[handed.push(job) - 1]!,
  });
  const hung = await queue.submit({ data: "hangs" });
  const next = await queue.submit({ data: "ends" });
  await waitAll([hung, next]);
  assert.deepEqual(
    handed.map(({ data }) => data),
    ["hangs", "hangs"],
  );
  assert.equal(handed[0]!.finished, hung);
  assert.equal(hung.error?.code, "ETIMEDOUT");
  assert.equal(next.status, 1);
});

test("SCH-09 a job runs although what it depends on has failed (scheduler.5)", OPTIONS, async (t) => {
  const domain = createDomain(t);
  const dependency = domain.createTimeline().createFence();
  let runs = 0;
  const queue = domain.createQueue({ run: () => void runs++ });
  const finished = await queue.submit({ dependencies: [dependency] });
  dependency.setError("EIO");
  dependency.signal();
  await finished.result();
  assert.equal(runs, 1);
});

test("SCH-10 no more jobs run at once than the limit allows, and so many do", OPTIONS, async (t) => {
  const domain = createDomain(t);
  let running = 0;
  let most = 0;
  const queue = domain.createQueue({
    credits: 2,
    async run() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
    },
  });
  const fences: Fence[] = [];
  for (let i = 0; i < 4; i++) fences.push(await queue.submit({}));
  await waitAll(fences);
  assert.equal(most, 2);
});

/** A device that takes jobs in order, and whose own fences say when each has finished. */
function ring(domain: Domain, credits: number) {
  const started: string[] = [];
  const device = domain.createTimeline({ name: "device" });
  const options: SchedulerOptions<string> = {
    credits,
    pipeline: true,
    run({ data }) {
      started.push(data);
      return device.createFence();
    },
  };
  return { started, device, options };
}
