import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, isPending, joinDomain, pause, until } from "../../test/agents.js";
import { opsFence, testAgent, type TestAgent } from "../../test/conformance/support.js";
import type { Domain } from "../threads.js";
import { DmaBufError } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import { waitAll } from "../fence/wait-many.js";
import type { AbortSignalLike } from "../host/abort.js";
import type { JobResult } from "./job.js";
import type { Queue } from "./queue.js";
import { makeScheduler, type SchedulerOptions, type Verdict } from "./scheduler.js";

const OPTIONS = { timeout: 20_000 };

/** An executor whose jobs end when they are told to. */
class Manual {
  readonly started: string[] = [];
  readonly signals = new Map<string, AbortSignalLike>();
  readonly #ends = new Map<string, (error?: Error) => void>();

  readonly run: SchedulerOptions<string>["run"] = ({ data }, signal) => {
    this.started.push(data);
    this.signals.set(data, signal);
    return new Promise<void>((resolve, reject) =>
      this.#ends.set(data, (error) => (error === undefined ? resolve() : reject(error))),
    );
  };

  async end(name: string, error?: Error): Promise<void> {
    await until(() => this.#ends.has(name));
    this.#ends.get(name)!(error);
    await pause(1);
  }
}

function code({ error }: Fence): string | undefined {
  return error?.code;
}

describe("of several queues", () => {
  test("the highest priority goes first, and then the oldest job (scheduler.5)", OPTIONS, async (t) => {
    const manual = new Manual();
    const scheduler = createDomain(t).createScheduler<string>(manual);
    const queues = (["low", "normal", "normal", "high", "kernel"] as const).map((priority) =>
      scheduler.createQueue({ priority }),
    );
    const fences = [await queues[1]!.submit({ data: "first" })];
    await until(() => manual.started.length === 1);
    const order = [0, 2, 1, 3, 4];
    for (const i of order) fences.push(await queues[i]!.submit({ data: `queue ${i}` }));
    const expected = ["first", "queue 4", "queue 3", "queue 2", "queue 1", "queue 0"];
    for (const name of expected) await manual.end(name);
    await waitAll(fences);
    assert.deepEqual(manual.started, expected);
  });

  test("none overtakes a job that only lacks credits (scheduler.5)", OPTIONS, async (t) => {
    const manual = new Manual();
    const scheduler = createDomain(t).createScheduler<string>({ ...manual, credits: 3 });
    const [one, other] = [scheduler.createQueue(), scheduler.createQueue({ priority: "low" })];
    await one.submit({ data: "small" });
    await one.submit({ data: "large", credits: 3 });
    const last = await other.submit({ data: "late" });
    assert.equal(await isPending(last.wait()), true);
    assert.deepEqual(manual.started, ["small"]);
    for (const name of ["small", "large", "late"]) await manual.end(name);
    await last.result();
    assert.deepEqual(manual.started, ["small", "large", "late"]);
  });

  test("one that waits for a fence holds up none of the others", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const ran: string[] = [];
    const scheduler = domain.createScheduler<string>({ run: ({ data }) => void ran.push(data) });
    const [one, other] = [scheduler.createQueue({ priority: "kernel" }), scheduler.createQueue()];
    const gate = domain.createTimeline().createFence();
    const waiting = await one.submit({ data: "waits", dependencies: [gate] });
    await (await other.submit({ data: "goes on" })).result();
    gate.signal();
    await waiting.result();
    assert.deepEqual(ran, ["goes on", "waits"]);
  });
});

describe("without a pipeline", () => {
  test("a job waits until another of the scheduler has finished that it depends on", OPTIONS, async (t) => {
    const manual = new Manual();
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const scheduler = domain.createScheduler<string>({ ...manual, credits: 4 });
    const [one, other] = [scheduler.createQueue(), scheduler.createQueue()];
    await one.submit({ data: "writes", writes: [buffer] });
    const reader = await other.submit({ data: "reads", reads: [buffer] });
    const same = await one.submit({ data: "reads too", reads: [buffer] });
    assert.equal(await isPending(reader.wait()), true);
    assert.deepEqual(manual.started, ["writes"]);
    await manual.end("writes");
    await manual.end("reads");
    await manual.end("reads too");
    await waitAll([reader, same]);
  });

  test("a job that ends before an earlier one of its queue signals after it (scheduler.4)", OPTIONS, async (t) => {
    const manual = new Manual();
    const queue = createDomain(t).createQueue<string>({ ...manual, credits: 2 });
    const [first, second] = [await queue.submit({ data: "1" }), await queue.submit({ data: "2" })];
    await manual.end("2", new DmaBufError("ENOSPC", "Full"));
    assert.equal(await isPending(second.wait()), true);
    await manual.end("1");
    await waitAll([first, second]);
    assert.deepEqual([code(first), code(second)], [undefined, "ENOSPC"]);
  });
});

describe("a job whose time is over", () => {
  test("fails with ETIMEDOUT and hears it by its signal, and the next one runs (scheduler.6)", OPTIONS, async (t) => {
    const manual = new Manual();
    const run: typeof manual.run = (job, signal) => (job.data === "hangs" ? manual.run(job, signal) : undefined);
    const queue = createDomain(t).createQueue<string>({ run, timeLimit: 30 });
    const hung = await queue.submit({ data: "hangs" });
    const next = await queue.submit({ data: "next" });
    await hung.wait();
    assert.equal(code(hung), "ETIMEDOUT");
    assert.equal((manual.signals.get("hangs")!.reason as DmaBufError).code, "ETIMEDOUT");
    await next.result();
    await manual.end("hangs");
    assert.equal(code(hung), "ETIMEDOUT");
  });

  test("takes all others with it if the executor is gone, and no more are taken", OPTIONS, async (t) => {
    const manual = new Manual();
    const domain = createDomain(t);
    const verdict = (): Verdict => "lost";
    const scheduler = domain.createScheduler<string>({ ...manual, credits: 2, timeLimit: 30, onTimeout: verdict });
    const [one, other] = [scheduler.createQueue(), scheduler.createQueue()];
    const gate = domain.createTimeline().createFence();
    const fences = [
      await one.submit({ data: "hangs" }),
      await one.submit({ data: "runs" }),
      await one.submit({ data: "waits" }),
      await other.submit({ data: "depends", dependencies: [gate] }),
    ];
    await waitAll(fences);
    assert.deepEqual(fences.map(code), ["ETIMEDOUT", "ENODEV", "ENODEV", "ENODEV"]);
    assert.deepEqual(manual.started, ["hangs", "runs"]);
    assert.equal(manual.signals.get("runs")!.aborted, true);
    await assert.rejects(one.submit({ data: "more" }), { code: "ENODEV" });
    assert.throws(() => scheduler.createQueue(), { code: "ENODEV" });
    assert.deepEqual(scheduler.running, []);
  });

  test("counts from when it became the oldest", OPTIONS, async (t) => {
    const manual = new Manual();
    const queue = createDomain(t).createQueue<string>({ ...manual, credits: 2, timeLimit: 200 });
    const [first, second] = [await queue.submit({ data: "1" }), await queue.submit({ data: "2" })];
    await pause(120);
    const then = performance.now();
    await manual.end("1");
    await second.wait();
    assert.equal(code(first), undefined);
    assert.equal(code(second), "ETIMEDOUT");
    assert.ok(performance.now() - then >= 190);
  });
});

describe("a queue that is killed", () => {
  test("lets the job go on that runs", OPTIONS, async (t) => {
    const manual = new Manual();
    const queue = createDomain(t).createQueue<string>(manual);
    const [runs, waits] = [await queue.submit({ data: "runs" }), await queue.submit({ data: "waits" })];
    await until(() => manual.started.length === 1);
    queue.kill();
    assert.equal(await isPending(waits.wait()), true);
    await manual.end("runs");
    await waitAll([runs, waits]);
    assert.deepEqual([code(runs), code(waits)], [undefined, "ESRCH"]);
  });

  test("gives its timeline back when it is closed and its last job has finished", OPTIONS, async (t) => {
    const manual = new Manual();
    const domain = createDomain(t, { timelines: 1 });
    const queue = domain.createQueue<string>(manual);
    const finished = await queue.submit({ data: "runs" });
    await until(() => manual.started.length === 1);
    queue.close();
    assert.throws(() => domain.createTimeline(), { code: "ENOSPC" });
    await manual.end("runs");
    await finished.result();
    domain.createTimeline().close();
    await assert.rejects(queue.submit({ data: "late" }), { code: "ECANCELED" });
  });
});

test("flush() waits until every job was given to the executor", OPTIONS, async (t) => {
  const manual = new Manual();
  const queue = createDomain(t).createQueue<string>(manual);
  assert.equal(await queue.flush(), "signaled");
  await queue.submit({ data: "1" });
  await queue.submit({ data: "2" });
  assert.equal(await queue.flush({ timeout: 5 }), "timed-out");
  assert.equal(queue.length, 1);
  await manual.end("1");
  assert.equal(await queue.flush(), "signaled");
  assert.deepEqual(manual.started, ["1", "2"]);
  await manual.end("2");
});

test("a scheduler that is closed stops what runs with ECANCELED, and runs no more", OPTIONS, async (t) => {
  const manual = new Manual();
  const scheduler = createDomain(t).createScheduler<string>(manual);
  const queue = scheduler.createQueue();
  const [runs, waits] = [await queue.submit({ data: "runs" }), await queue.submit({ data: "waits" })];
  await until(() => manual.started.length === 1);
  scheduler.close();
  await waitAll([runs, waits]);
  assert.deepEqual([code(runs), code(waits)], ["ECANCELED", "ESRCH"]);
  assert.equal(manual.signals.get("runs")!.aborted, true);
  assert.deepEqual(manual.started, ["runs"]);
  assert.throws(() => scheduler.createQueue(), { code: "ECANCELED" });
});

test("an agent that leaves stops its jobs, and for others their fences end with ECANCELED", OPTIONS, async (t) => {
  const manual = new Manual();
  const domain = createDomain(t);
  const worker = joinDomain(t, domain);
  const buffer = domain.allocate(1);
  const queue = worker.createQueue<string>(manual);
  await queue.submit({ data: "runs", writes: [worker.import(buffer.handle())] });
  await queue.submit({ data: "waits" });
  await until(() => manual.started.length === 1);
  const [pending] = buffer.reservation.getFences("read");
  worker.close();
  await assert.rejects(pending!.result(), { code: "ECANCELED" });
  assert.equal(manual.signals.get("runs")!.aborted, true);
  await manual.end("runs");
  assert.deepEqual(manual.started, ["runs"]);
  await assert.rejects(queue.submit({ data: "late" }), { code: "ECANCELED" });
});

test("jobs that wait do not run once a waiter has ended the queue, whose thread seemed to hang", OPTIONS, async (t) => {
  const manual = new Manual();
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const buffer = domain.allocate(1);
  const theirs = other.import(buffer.handle());
  const queue = domain.createQueue<string>({ ...manual, timeLimit: 20, onTimeout: () => "no-hang" });
  const runs = await queue.submit({ data: "runs", writes: [buffer] });
  const waits = await queue.submit({ data: "waits" });
  await assert.rejects(theirs.reservation.getFences("read")[0]!.result(), { code: "ETIMEDOUT" });
  await manual.end("runs");
  await waits.wait();
  assert.deepEqual([code(runs), code(waits)], ["ETIMEDOUT", "ETIMEDOUT"]);
  assert.deepEqual(manual.started, ["runs"]);
  await assert.rejects(queue.submit({ data: "more" }), { code: "ETIMEDOUT" });
});

test("a job that throws what is no errno fails with EIO, and its text is reported", OPTIONS, async () => {
  const { agent, queue } = watched(() => {
    throw new TypeError("x is not a function");
  });
  const finished = await queue.submit({});
  await finished.wait();
  assert.equal(code(finished), "EIO");
  assert.match(agent.takeWarnings().join(), /x is not a function/);
});

test("a handler of hangs that throws is reported, and the job has failed", OPTIONS, async () => {
  const onTimeout = (): Verdict => {
    throw new Error("no idea");
  };
  const { agent, queue } = watched(() => new Promise(() => {}), { timeLimit: 5, onTimeout });
  const finished = await queue.submit({});
  await finished.wait();
  assert.equal(code(finished), "ETIMEDOUT");
  assert.match(agent.takeWarnings().join(), /no idea/);
});

test("an option that is out of range is refused by its name", (t) => {
  const domain: Domain = createDomain(t);
  const run = (): void => {};
  assert.throws(() => domain.createQueue({ run, credits: 0 }), /RangeError: .*option "credits"/);
  assert.throws(() => domain.createQueue({ run, timeLimit: 0 }), /RangeError: .*option "timeLimit"/);
  assert.throws(() => domain.createQueue({ run: undefined as never }), TypeError);
  assert.throws(() => domain.createScheduler({ run }).createQueue({ priority: "urgent" as never }), TypeError);
});

/** A queue whose agent keeps what the core reports. */
function watched(
  run: SchedulerOptions<undefined>["run"],
  options: Partial<SchedulerOptions<undefined>> = {},
): { agent: TestAgent; queue: Queue } {
  const agent = testAgent();
  return { agent, queue: makeScheduler(agent, { run, ...options }).createQueue() };
}

test("whatever the executor gives back or throws, the job ends, and the next one runs", OPTIONS, async () => {
  const planned = (): never => {
    throw new Error("planned");
  };
  const hostile = Object.defineProperties(new Error("no text"), {
    toString: { value: planned },
    code: { get: planned },
  });
  const agent = testAgent();
  const results: Record<string, () => unknown> = {
    "a `then` that throws": () => ({ then: planned }),
    "a getter `then` that throws": () => Object.defineProperty({}, "then", { get: planned }),
    "a promise with a `then` of its own": () => Object.assign(Promise.resolve(), { then: planned }),
    "a fence whose maker throws": () => opsFence(agent, { enableSignaling: planned }),
    "an error that has no text": () => Promise.reject(hostile),
  };
  const queue = makeScheduler<string>(agent, { run: ({ data }) => results[data]?.() as JobResult }).createQueue();
  for (const what of Object.keys(results)) {
    const [bad, good] = [await queue.submit({ data: what }), await queue.submit({ data: "good" })];
    await waitAll([bad, good]);
    assert.deepEqual([code(bad), code(good)], ["EIO", undefined], what);
    assert.equal(agent.takeWarnings().length, 1);
  }
});
