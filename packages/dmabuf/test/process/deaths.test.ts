/** What is left of processes that end, however they do: nothing. */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { deadIn, isLive, slotOf } from "../../src/domain/agent-slot.js";
import type { DmaBuf, FenceHandle } from "../../src/index.js";
import type { ProcessDomain } from "../../src/node/index.js";
import { pause, until } from "../agents.js";
import { ENDS, Holder, listen, WorkerHolder, type End } from "./holder-process.js";

const LIMITED = { timeout: 60_000 };

function isGone(domain: ProcessDomain, { identity }: Holder | WorkerHolder): boolean {
  const agent = agentOf(domain);
  return !isLive(agent, identity) && deadIn(agent, slotOf(identity)) !== identity;
}

function checkUsable(buffer: DmaBuf): void {
  buffer.tryAccess("write")![Symbol.dispose]();
  buffer.reservation.tryLock()![Symbol.dispose]();
}

interface Case {
  readonly start: (t: TestContext, domain: ProcessDomain, place: string) => Promise<Holder | WorkerHolder>;
  readonly end: (holder: Holder & WorkerHolder) => void;
  /** Whether it says good-bye: then its stream has ended, and not failed. */
  readonly leaves?: boolean;
}

const start = (t: TestContext, _domain: ProcessDomain, place: string): Promise<Holder> => Holder.start(t, place);
const startWorker = (t: TestContext, domain: ProcessDomain): Promise<WorkerHolder> => WorkerHolder.start(t, domain);
const order =
  (how: End): Case["end"] =>
  (holder) =>
    holder.tell({ order: "end", how });

const CASES: Record<string, Case> = {
  ...Object.fromEntries(ENDS.map((how) => [`a process that ends by ${how}`, { start, end: order(how) }])),
  "a process that ends by SIGKILL": { start, end: ({ child }) => void child.kill("SIGKILL") },
  "a process that ends by SIGTERM": { start, end: ({ child }) => void child.kill("SIGTERM") },
  "a process whose membership is closed": { start, end: order("the close of its membership") },
  "a process that leaves": { start, end: order("domain.close()"), leaves: true },
  "a worker that is terminated": { start: startWorker, end: ({ worker }) => void worker.terminate() },
  "a worker that ends by process.exit()": { start: startWorker, end: order("process.exit()") },
  "a worker that leaves": { start: startWorker, end: order("domain.close()"), leaves: true },
};

for (const [who, { start, end, leaves = false }] of Object.entries(CASES)) {
  const stream = leaves ? "its stream ends" : "its stream fails";
  test(`${who} gives back everything, its fences fail, and ${stream}`, LIMITED, async (t) => {
    const { domain, place } = listen(t);
    const holder = await start(t, domain, place);
    const buffer = domain.allocate(4096);
    await holder.ask({ order: "import", handle: buffer.handle() });
    await holder.ask({ order: "lock" });
    await holder.ask({ order: "write" });
    const fence = domain.import((await holder.ask({ order: "fence", timeLimit: 60_000 })) as FenceHandle);
    const stream = await Promise.all([
      domain.findStream("theirs", { timeout: 30_000 }),
      holder.ask({ order: "produce", name: "theirs" }),
    ]).then(([found]) => found);
    const consumer = stream.frames();
    (await consumer.next())![Symbol.dispose]();
    const [lock, access, frame] = [buffer.reservation.lock(), buffer.access("write"), consumer.next()];
    frame.catch(() => {});
    end(holder as Holder & WorkerHolder);
    await assert.rejects(fence.result(), { code: leaves ? "ECANCELED" : "ESRCH" });
    if (leaves) assert.equal(await frame, undefined);
    else await assert.rejects(frame, { code: "ESRCH" });
    (await lock)[Symbol.dispose]();
    (await access)[Symbol.dispose]();
    await until(() => isGone(domain, holder));
    stream.close();
    checkUsable(buffer);
    const left = domain.statistics().map(({ name, holders, pendingFences }) => [name, holders, pendingFences]);
    assert.deepEqual(left, [["", ["here"], 0]]);
  });
}

test("a worker that is terminated is noticed by its inviter, which blocks", LIMITED, async (t) => {
  const { domain } = listen(t);
  const holder = await WorkerHolder.start(t, domain);
  const buffer = domain.allocate(4096);
  await holder.ask({ order: "import", handle: buffer.handle() });
  await holder.ask({ order: "write" });
  void holder.worker.terminate();
  buffer.accessSync("write", { timeout: 30_000 })[Symbol.dispose]();
});

test("the workers of a process that is killed are dead, too", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  const buffer = domain.allocate(4096);
  const handle = { ...buffer.handle() };
  await holder.ask({ order: "hire", orders: [{ order: "import", handle }, { order: "write" }] });
  assert.equal(domain.agents.length, 3);
  await holder.kill();
  (await buffer.access("write", { timeout: 30_000 }))[Symbol.dispose]();
  await until(() => domain.agents.length === 1);
});

test("fences of the dead end although every survivor blocks", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const holders = await Promise.all([1, 2, 3].map(() => Holder.start(t, place)));
  const [dead, ...survivors] = holders as [Holder, Holder, Holder];
  const handle = (await dead.ask({ order: "fence", timeLimit: 60_000 })) as FenceHandle;
  const fence = domain.import(handle);
  const answers = survivors.map(async (survivor) => {
    assert.equal(await survivor.ask({ order: "wait", fence: handle, timeout: 30_000 }), "blocks");
    return survivor.hear() as Promise<{ result: string; status: number; ms: number }>;
  });
  await pause(200);
  const killed = performance.timeOrigin + performance.now();
  dead.child.kill("SIGKILL");
  // The test's own limit of 5 s is no statement about speed: it is what the waits would end with otherwise.
  assert.equal(fence.waitSync({ timeout: 30_000 }), "signaled");
  const here = performance.timeOrigin + performance.now() - killed;
  assert.equal(fence.error?.code, "ESRCH");
  const there = await Promise.all(answers);
  assert.deepEqual(
    there.map(({ result, status }) => [result, status]),
    [
      ["signaled", fence.status],
      ["signaled", fence.status],
    ],
  );
  const times = [here, ...there.map(({ ms }) => ms - killed)].map((ms) => ms.toFixed(1));
  t.diagnostic(`after the kill: ${times.join(" ms, ")} ms`);
});

test(
  "the agent that listens may end: the others go on, notice each other's deaths, and another one listens",
  LIMITED,
  async (t) => {
    const { domain: first, place } = listen(t);
    const second = await Holder.start(t, place);
    const { ProcessDomain } = await import("../../src/node/index.js");
    const third = await ProcessDomain.connect(place);
    t.after(() => third.close());
    const buffer = third.allocate(4096);
    await second.ask({ order: "import", handle: buffer.handle() });
    await second.ask({ order: "write" });
    const fence = third.import((await second.ask({ order: "fence", timeLimit: 60_000 })) as FenceHandle);
    first.close();
    await pause(100);
    // The end of a connection is no death.
    assert.equal(third.agents.length, 2);
    assert.equal(fence.isSignaled(), false);
    assert.equal(buffer.tryAccess("write"), undefined);
    third.listen(place);
    const fourth = await Holder.start(t, place);
    await second.kill();
    (await buffer.access("write", { timeout: 10_000 }))[Symbol.dispose]();
    assert.equal(third.agents.length, 2);
    await fourth.kill();
  },
);

for (const at of [1, 2, 3, 5]) {
  test(
    `a reaper that is killed before its exchange ${at} is reaped with the one it was reaping`,
    LIMITED,
    async (t) => {
      const { domain, place } = listen(t);
      const [dead, reaper] = (await Promise.all([1, 2].map(() => Holder.start(t, place)))) as [Holder, Holder];
      const buffer = domain.allocate(4096);
      for (const holder of [dead, reaper]) await holder.ask({ order: "import", handle: buffer.handle() });
      await dead.ask({ order: "write" });
      await dead.ask({ order: "lock" });
      const fence = domain.import((await dead.ask({ order: "fence", timeLimit: 60_000 })) as FenceHandle);
      await reaper.ask({ order: "die at exchange", at });
      const exits = [dead, reaper].map(({ child }) => once(child, "exit"));
      dead.child.kill("SIGKILL");
      // Nothing of this process runs until then: the other one is the first to notice.
      spawnSync("sleep", ["1"]);
      assert.deepEqual(await Promise.all(exits), [
        [null, "SIGKILL"],
        [null, "SIGKILL"],
      ]);
      await until(() => isGone(domain, dead) && isGone(domain, reaper));
      assert.equal(fence.error?.code, "ESRCH");
      checkUsable(buffer);
      assert.deepEqual(domain.statistics()[0]!.holders, ["here"]);
    },
  );
}
