import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { LINE_KINDS, makeLine, type LineKind } from "../../test/conformance/reservation-support.js";
import {
  assertWarnedOnce,
  independentFence,
  makeFence,
  opsFence,
  testAgent,
  type TestAgent,
} from "../../test/conformance/support.js";
import { ManualHost } from "../../test/manual-host.js";
import { importFence } from "./import-fence.js";
import type { Fence } from "./fence.js";
import { publish } from "./published-fence.js";
import { fenceAt } from "./shared-fence.js";
import { createTimeline } from "./timeline.js";

const ETIMEDOUT = -110;
const PATIENT = { timeout: 10_000 };

/** Another agent's view of the fence. */
function viewOf(fence: Fence, reader: TestAgent): Fence {
  return importFence(reader, fence.handle());
}

test("only its owner may signal a fence", () => {
  const agent = testAgent();
  for (const kind of LINE_KINDS) {
    const [fence] = makeLine(agent, kind).fences(1);
    for (const reader of [agent, agent.another()]) {
      assert.throws(() => viewOf(fence!, reader).signal(), { code: "EPERM" });
    }
    assert.equal(fence!.status, 0);
  }
});

test("a view may be dropped during a wait for it, and the wait goes on (shared-fence.2)", PATIENT, async () => {
  const agent = testAgent();
  for (const kind of LINE_KINDS) {
    const [fence] = makeLine(agent, kind).fences(1);
    const reader = agent.another();
    const view = viewOf(fence!, reader);
    const waiting = view.wait();
    view[Symbol.dispose]();
    assert.equal(fence!.status, 0);
    fence!.signal();
    assert.equal(await waiting, "signaled");
    assert.deepEqual([...agent.takeWarnings(), ...reader.takeWarnings()], []);
  }
});

test(
  "a fence whose work goes on without it may be dropped when others see it, and is not failed by that",
  PATIENT,
  async () => {
    const agent = testAgent();
    const fence = independentFence(agent);
    const view = viewOf(fence, agent.another());
    const waiting = view.wait();
    fence[Symbol.dispose]();
    assert.equal(view.status, 0);
    fence.signal();
    assert.equal(await waiting, "signaled");
    assert.equal(view.status, 1);
    assert.deepEqual(agent.takeWarnings(), []);
  },
);

test("a fence of another domain cannot be imported", () => {
  const agent = testAgent();
  const handle = { ...makeFence(agent, "timeline").handle(), domain: "another" };
  assert.throws(() => importFence(agent, handle), { code: "EINVAL", message: /it belongs to domain another, not / });
});

test("a fence that is sent again keeps its place", () => {
  const agent = testAgent({ sizes: { oneShots: 1 } });
  const fence = opsFence(agent);
  assert.deepEqual(fence.handle(), fence.handle());
});

test("a published fence too many is refused by the option's name, until one has signaled", () => {
  const agent = testAgent({ sizes: { oneShots: 2 } });
  const [first] = [makeFence(agent, "published"), makeFence(agent, "published")];
  assert.throws(() => makeFence(agent, "published"), { code: "ENOSPC", message: /2 .*\(option "oneShots"\)/ });
  first.signal();
  makeFence(agent, "published");
});

test("a fence that has signaled, or does so when it is published, keeps no place", () => {
  const agent = testAgent({ sizes: { oneShots: 1 } });
  const makers: Record<string, () => Fence> = {
    "before that"() {
      const fence = opsFence(agent);
      fence.setError("EIO");
      fence.signal(7);
      return fence;
    },
    "when its signaling is enabled": () =>
      opsFence(agent, {
        enableSignaling: (fence) => {
          fence.setError("EIO");
          return false;
        },
      }),
    "when it is looked at": () =>
      opsFence(agent, {
        signaled: (fence) => {
          fence.setError("EIO");
          return true;
        },
      }),
  };
  for (const [when, make] of Object.entries(makers)) {
    const view = viewOf(make(), agent.another());
    assert.equal(view.error?.code, "EIO", when);
  }
});

test("a published fence whose work is found finished signals for all agents", PATIENT, async () => {
  const agent = testAgent();
  let finished = false;
  const fence = opsFence(agent, { signaled: (self) => finished && self.signal(42) });
  const view = viewOf(fence, agent.another());
  const waiting = view.wait();
  finished = true;
  assert.equal(fence.isSignaled(), true);
  assert.equal(await waiting, "signaled");
  assert.deepEqual([view.timestamp, fence.timestamp], [42, 42]);
});

test("a key whose slot has moved on names no fence any more (shared-fence.1)", () => {
  const agent = testAgent({ sizes: { timelines: 1, oneShots: 1 } });
  const timeline = createTimeline(agent);
  const fences = [timeline.createFence(), makeFence(agent, "published")];
  const keys = fences.map((fence) => publish(fence));
  assert.deepEqual(
    keys.map((key) => fenceAt(agent, key)!.context),
    fences.map(({ context }) => context),
  );
  for (const fence of fences) fence.signal();
  timeline.close();
  createTimeline(agent).close();
  makeFence(agent, "published");
  assert.deepEqual(
    keys.map((key) => fenceAt(agent, key)),
    [undefined, undefined],
  );
});

for (const kind of LINE_KINDS) {
  test(`the time limit ends a fence that makes no progress with ETIMEDOUT, for all (${kind})`, PATIENT, async () => {
    const { host, agent } = manualAgent();
    const fence = limitedFence(agent, kind, 50);
    const views = [viewOf(fence, agent.another()), viewOf(fence, agent.another())];
    const waiting = [views[0]!.wait(), fence.wait()];
    host.pass(49);
    assert.deepEqual([fence.status, views[0]!.status], [0, 0]);
    host.pass(1);
    assert.deepEqual(await Promise.all(waiting), ["signaled", "signaled"]);
    assert.deepEqual([fence.status, ...views.map(({ status }) => status)], [ETIMEDOUT, ETIMEDOUT, ETIMEDOUT]);
    assert.equal(fence.signal(), false, "it came too late");
    assert.equal(fence.status, ETIMEDOUT);
  });

  test(`a thread that blocks ends a fence that makes no progress (${kind})`, { ...PATIENT, ...BLOCKS }, () => {
    const agent = testAgent();
    const view = viewOf(limitedFence(agent, kind, 5), agent.another());
    assert.equal(view.waitSync(), "signaled");
    assert.equal(view.error!.code, "ETIMEDOUT");
  });
}

test("a fence that signals begins the time limit of the next one on its timeline anew", PATIENT, async () => {
  const { host, agent } = manualAgent();
  const timeline = createTimeline(agent, { timeLimit: 50 });
  const fences = [timeline.createFence(), timeline.createFence()];
  const view = viewOf(fences[1]!, agent.another());
  const waiting = view.wait();
  host.pass(40);
  fences[0]!.signal();
  host.pass(10);
  host.pass(39);
  assert.equal(view.status, 0);
  host.pass(11);
  await waiting;
  assert.deepEqual([fences[0]!.status, view.status], [1, ETIMEDOUT]);
});

test("hang recovery ends all pending fences of a timeline, and the timeline with them", PATIENT, async () => {
  const { host, agent } = manualAgent();
  const timeline = createTimeline(agent, { timeLimit: 50 });
  const fences = [1, 2, 3].map(() => timeline.createFence());
  const views = fences.map((fence) => viewOf(fence, agent.another()));
  fences[0]!.signal();
  const waiting = views[1]!.wait();
  host.pass(50);
  await waiting;
  assert.deepEqual(
    views.map(({ status }) => status),
    [1, ETIMEDOUT, ETIMEDOUT],
  );
  assert.equal(timeline.signal(3), false);
  assert.deepEqual(
    fences.map(({ status }) => status),
    [1, ETIMEDOUT, ETIMEDOUT],
  );
  assert.throws(() => timeline.createFence(), { code: "ETIMEDOUT" });
});

test("the maker of a published fence hears the deadlines that other agents ask for", PATIENT, async (t) => {
  const agent = testAgent();
  const heard: number[] = [];
  const fence = opsFence(agent, { setDeadline: (_fence, deadlineNs) => void heard.push(deadlineNs) });
  const there = viewOf(fence, agent.another());
  const now = agent.host.nowNs();
  there.setDeadline(now + 9000e6);
  await until(t, () => heard.length === 1);
  there.setDeadline(now + 5000e6);
  await until(t, () => heard.length === 2);
  there.setDeadline(now + 7000e6);
  await turn();
  fence.signal();
  there.setDeadline(now + 1e9);
  await turn();
  assert.deepEqual(heard, [now + 9000e6, now + 5000e6]);
});

test("the owner of a timeline is told of a deadline behind one that has passed", PATIENT, async (t) => {
  let now = 1000;
  const agent = testAgent({ host: { nowNs: () => now } });
  const heard: number[] = [];
  const timeline = createTimeline(agent, { onDeadline: (deadlineNs) => heard.push(deadlineNs) });
  const there = [1, 2].map(() => viewOf(timeline.createFence(), agent.another()));
  for (const [i, fence] of there.entries()) {
    fence.setDeadline(2000 * (i + 1));
    await until(t, () => heard.length === i + 1);
    now += 2000;
  }
  assert.deepEqual(heard, [2000, 4000]);
});

test("fences of one timeline call back in order when hang recovery ends it (fence.2)", PATIENT, async (t) => {
  const agent = testAgent();
  const timeline = createTimeline(agent, { timeLimit: 10 });
  const order: number[] = [];
  const fences = [1, 2, 3].map(() => timeline.createFence());
  for (const i of [2, 0, 1]) fences[i]!.addCallback(({ seqno }) => order.push(seqno));
  await until(t, () => order.length === 3);
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal(fences[0]!.error?.code, "ETIMEDOUT");
});

/** A domain whose agents all have one clock, which the test moves. */
function manualAgent(): { host: ManualHost; agent: TestAgent } {
  const host = new ManualHost();
  return { host, agent: testAgent({ host: { nowNs: host.nowNs, after: host.after, spinNs: 0 } }) };
}

function limitedFence(agent: TestAgent, kind: LineKind, timeLimit: number): Fence {
  if (kind === "timeline") return createTimeline(agent, { timeLimit }).createFence();
  const fence = opsFence(agent);
  publish(fence, timeLimit);
  return fence;
}

async function until({ signal }: TestContext, reached: () => boolean): Promise<void> {
  while (!reached()) {
    signal.throwIfAborted();
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

test("a fence whose maker throws while it is published has no place, and can be published later", () => {
  const agent = testAgent({ sizes: { oneShots: 1 } });
  for (const operation of ["enableSignaling", "signaled"] as const) {
    let isBad = true;
    const ops = {
      [operation]: () => {
        if (isBad) throw new Error("planned");
        return operation === "enableSignaling";
      },
    };
    const fence = opsFence(agent, ops);
    assert.throws(() => publish(fence), /planned/);
    isBad = false;
    publish(fence);
    assert.equal(fence.status, 0);
    fence.signal();
  }
});

test("a timeline that throws when it is told a deadline is reported, and is told the next one", PATIENT, async (t) => {
  const agent = testAgent();
  const told: number[] = [];
  const onDeadline = (deadline: number): void => {
    told.push(deadline);
    throw new Error("planned");
  };
  const fence = createTimeline(agent, { onDeadline }).createFence();
  for (const deadline of [2e15, 1e15]) {
    fence.setDeadline(deadline);
    await until(t, () => told.at(-1) === deadline);
    assertWarnedOnce(agent, /planned/);
  }
});
