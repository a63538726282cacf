/** Area A of the conformance cases: fences. Those on waiting are in fence-waiting.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fence } from "../../src/fence/fence.js";
import { importFence } from "../../src/fence/import-fence.js";
import { stubFence } from "../../src/fence/stub.js";
import { allocateContexts, createTimeline } from "../../src/fence/timeline.js";
import { assertWarnedOnce, FENCE_KINDS, makeFence, opsFence, testAgent, type TestAgent } from "./support.js";

const EIO = -5;
const EDEADLK = -35;

/** Registers a fact about fences of each kind. The core must not report a broken contract while it runs. */
function fact(name: string, body: (fence: Fence, agent: TestAgent) => void): void {
  for (const kind of FENCE_KINDS) {
    test(`${name} (${kind} fence)`, () => {
      const agent = testAgent();
      body(makeFence(agent, kind), agent);
      assert.deepEqual(agent.takeWarnings(), []);
    });
  }
}

test("FEN-01 a signaled fence is released once, without a diagnostic", () => {
  const agent = testAgent();
  let released = 0;
  const fence = opsFence(agent, { release: () => (released += 1) });
  fence.enableSignaling();
  fence.signal();
  fence[Symbol.dispose]();
  fence[Symbol.dispose]();
  assert.equal(released, 1);
  assert.deepEqual(agent.takeWarnings(), []);
});

fact("FEN-02 a fence whose signaling is enabled is not signaled by that", (fence) => {
  fence.enableSignaling();
  assert.equal(fence.isSignaled(), false);
});

fact("FEN-03 the first signal() signals, the second says that the fence was signaled before", (fence) => {
  fence.enableSignaling();
  assert.equal(fence.signal(), true);
  assert.equal(fence.signal(), false);
});

fact("FEN-04 a signaled fence stays signaled", (fence) => {
  fence.signal();
  fence.signal();
  for (let look = 0; look < 3; look++) assert.equal(fence.isSignaled(), true);
});

fact("FEN-05 a callback runs exactly once, before signal() returns", (fence) => {
  let runs = 0;
  assert.equal(fence.addCallback(() => (runs += 1)).queued, true);
  assert.equal(runs, 0);
  fence.signal();
  assert.equal(runs, 1);
  fence.signal();
  fence.isSignaled();
  assert.equal(runs, 1);
});

fact("FEN-06 a callback on a signaled fence is not queued and never runs", (fence) => {
  fence.signal();
  let runs = 0;
  assert.equal(fence.addCallback(() => (runs += 1)).queued, false);
  fence.signal();
  assert.equal(runs, 0);
});

fact("FEN-07 a callback that was removed never runs", (fence) => {
  let runs = 0;
  const callback = fence.addCallback(() => (runs += 1));
  assert.equal(callback.remove(), true);
  fence.signal();
  assert.equal(runs, 0);
});

fact("FEN-08 remove() says false once the callback has run", (fence) => {
  let runs = 0;
  const callback = fence.addCallback(() => (runs += 1));
  fence.signal();
  assert.equal(callback.remove(), false);
  assert.equal(runs, 1);
});

fact("FEN-09 a callback that was refused can be removed, which says false", (fence) => {
  fence.signal();
  const callback = fence.addCallback(() => assert.fail("never runs"));
  assert.equal(callback.remove(), false);
});

fact("FEN-10 the status is 0 until the fence signals, then 1", (fence) => {
  assert.equal(fence.status, 0);
  fence.signal();
  assert.equal(fence.status, 1);
  assert.equal(fence.error, undefined);
});

fact("FEN-11 an error shows in the status only once the fence has signaled", (fence) => {
  fence.setError("EIO");
  assert.equal(fence.status, 0);
  assert.equal(fence.error, undefined);
  fence.signal();
  assert.equal(fence.status, EIO);
  assert.equal(fence.error!.code, "EIO");
});

test("FEN-15 every stub fence is signaled, with status 1 and the names of a stub", () => {
  const agent = testAgent();
  const stubs = [...Array.from({ length: 64 }, () => stubFence(agent)), stubFence(agent, 5)];
  for (const stub of stubs) {
    assert.equal(stub.isSignaled(), true);
    assert.equal(stub.status, 1);
    assert.deepEqual([stub.driverName, stub.timelineName], ["stub", "stub"]);
  }
});

fact("FEN-16 callbacks run in the order in which they were added", (fence) => {
  const order: string[] = [];
  for (const name of ["a", "b", "c", "d", "e"]) fence.addCallback(() => order.push(name));
  fence.signal();
  assert.deepEqual(order, ["a", "b", "c", "d", "e"]);
});

// fence.4
test("FEN-17 signaling is enabled once, however many callbacks and waits come", { timeout: 10_000 }, async () => {
  let enabled = 0;
  const fence = opsFence(testAgent(), { enableSignaling: () => (enabled += 1) > 0 });
  for (let i = 0; i < 3; i++) fence.addCallback(() => {});
  fence.enableSignaling();
  assert.equal(await fence.wait({ timeout: 0 }), "timed-out");
  assert.equal(enabled, 1);
});

test("FEN-18 a fence that cannot be enabled any more signals, and refuses the callback (fence.4)", () => {
  const fence = opsFence(testAgent(), { enableSignaling: () => false });
  const callback = fence.addCallback(() => assert.fail("never runs"));
  assert.equal(callback.queued, false);
  assert.equal(fence.status, 1);
});

test(
  "FEN-19 a wait for a fence that has failed unseen succeeds, and the status is its error (fence.5)",
  { timeout: 10_000 },
  async () => {
    const enableSignaling = (fence: Fence): boolean => {
      fence.setError("EIO");
      return false;
    };
    const fence = opsFence(testAgent(), { enableSignaling });
    assert.equal(await fence.wait({ timeout: 0 }), "signaled");
    assert.equal(fence.status, EIO);
  },
);

test("FEN-20 isSignaled() signals a fence whose work is found finished, and runs its callbacks", () => {
  let finished = false;
  let runs = 0;
  const fence = opsFence(testAgent(), { signaled: () => finished });
  fence.addCallback(() => (runs += 1));
  assert.equal(fence.isSignaled(), false);
  finished = true;
  assert.equal(fence.isSignaled(), true);
  assert.equal(runs, 1);
});

test("FEN-21 reading the status signals a fence whose work is found finished, and runs its callbacks", () => {
  let finished = false;
  let runs = 0;
  const fence = opsFence(testAgent(), { signaled: () => finished });
  fence.addCallback(() => (runs += 1));
  finished = true;
  assert.equal(fence.status, 1);
  assert.equal(runs, 1);
});

fact("FEN-22 a callback that is no function is refused with EINVAL", (fence) => {
  for (const nothing of [undefined, null, 1]) {
    assert.throws(() => fence.addCallback(nothing as unknown as () => void), { code: "EINVAL" });
  }
});

test("FEN-29 sequence numbers of more than 32 bits compare as they are", () => {
  const agent = testAgent();
  const context = allocateContexts(agent, 1);
  const [late, early] = [opsFence(agent, {}, context, 2 ** 40), opsFence(agent, {}, context, 5)];
  assert.equal(late.isLater(early), true);
  assert.equal(early.isLater(late), false);
  assert.deepEqual(agent.takeWarnings(), []);
});

test("FEN-30 a comparison of fences of two contexts is reported, and says false", () => {
  const agent = testAgent();
  const [one, other] = [opsFence(agent), opsFence(agent)];
  assert.equal(one.isLater(other), false);
  assertWarnedOnce(agent, /no order/);
  assert.equal(other.isLater(one), false);
  assertWarnedOnce(agent, /no order/);
});

test("FEN-31 two fences with the same context and number are not the same fence", () => {
  const agent = testAgent();
  const context = allocateContexts(agent, 1);
  const [one, other] = [opsFence(agent, {}, context, 3), opsFence(agent, {}, context, 3)];
  assert.equal(one.isLaterOrSame(other), false);
  assert.equal(other.isLaterOrSame(one), false);
  assert.equal(one.isLaterOrSame(one), true);
});

test("FEN-31 two objects that stand for one fence in shared memory are the same fence", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const [fence, next] = [timeline.createFence(), timeline.createFence()];
  const view = importFence(agent, fence.handle());
  assert.notEqual(view, fence);
  assert.equal(view.isLaterOrSame(fence), true);
  assert.equal(view.isLaterOrSame(next), false);
});

test("FEN-32 context numbers are consecutive, never 0, and given once", () => {
  const agent = testAgent();
  const first = allocateContexts(agent, 3);
  const second = allocateContexts(agent.another(), 1);
  assert.notEqual(first, 0);
  assert.equal(second, first + 3);
});

fact("FEN-33 a fence keeps the time that it was signaled with", (fence) => {
  assert.equal(fence.timestamp, undefined);
  fence.signal(123_456_789_012);
  assert.equal(fence.timestamp, 123_456_789_012);
});

for (const kind of FENCE_KINDS) {
  test(`FEN-34 timestamps follow the monotonic clock (${kind} fences)`, () => {
    const agent = testAgent();
    const [one, other] = [makeFence(agent, kind), makeFence(agent, kind)];
    const before = agent.host.nowNs();
    one.signal();
    other.signal();
    const times = [before, one.timestamp!, other.timestamp!, agent.host.nowNs()];
    assert.deepEqual(times.toSorted(byNumber), times);
  });

  test(`FEN-35 a fence that is dropped while a callback waits fails with EDEADLK, and is reported (${kind} fence)`, () => {
    const agent = testAgent();
    const fence = makeFence(agent, kind);
    const seen: number[] = [];
    fence.addCallback(() => seen.push(fence.status));
    fence[Symbol.dispose]();
    assertWarnedOnce(agent, /was released while something waits/);
    assert.deepEqual(seen, [EDEADLK]);
  });
}

test("FEN-36 a deadline reaches the maker of a pending fence, and of no signaled one", () => {
  const deadlines: number[] = [];
  const fence = opsFence(testAgent(), { setDeadline: (_fence, deadlineNs) => void deadlines.push(deadlineNs) });
  fence.setDeadline(1_000);
  fence.signal();
  fence.setDeadline(2_000);
  assert.deepEqual(deadlines, [1_000]);
});

fact("FEN-37 a deadline without a listener changes nothing", (fence) => {
  fence.setDeadline(1);
  assert.equal(fence.status, 0);
  fence.signal();
  assert.equal(fence.status, 1);
});

for (const kind of FENCE_KINDS) {
  test(`FEN-38 an error that is no errno is reported each time (${kind} fence)`, () => {
    const agent = testAgent();
    const fence = makeFence(agent, kind);
    for (const error of [0, 1, -5000]) {
      fence.setError(error);
      assertWarnedOnce(agent, /must be an errno from -4095 to -1/);
    }
    fence.signal();
    assert.equal(fence.status, 1, "none of them was stored");
  });
}

function byNumber(a: number, b: number): number {
  return a - b;
}
