import assert from "node:assert/strict";
import { test } from "node:test";
import { assertWarnedOnce, testAgent } from "../../test/conformance/support.js";
import { TIMES_KEPT } from "../domain/layout.js";
import { importFence } from "./import-fence.js";
import type { Fence } from "./fence.js";
import type { Timeline } from "./timeline.js";
import { createTimeline } from "./timeline.js";

const EIO = -5;
const ECANCELED = -125;
const EDEADLK = -35;

function createFences(timeline: Timeline, count: number): Fence[] {
  return Array.from({ length: count }, () => timeline.createFence());
}

function statuses(fences: readonly Fence[]): number[] {
  return fences.map(({ status }) => status);
}

test("the fences of a timeline are numbered from 1, in one context of their own", () => {
  const agent = testAgent();
  const [one, other] = [createTimeline(agent), createTimeline(agent)];
  assert.deepEqual(
    createFences(one, 3).map(({ seqno }) => seqno),
    [1, 2, 3],
  );
  assert.equal(one.created, 3);
  assert.equal(one.createFence().context, one.context);
  assert.notEqual(one.context, other.context);
});

test("a signal of a number signals all fences up to it, and no later one", () => {
  const timeline = createTimeline(testAgent());
  const fences = createFences(timeline, 4);
  assert.equal(timeline.signal(3), true);
  assert.deepEqual(statuses(fences), [1, 1, 1, 0]);
  assert.equal(timeline.completed, 3);
});

test("callbacks run in the order of the fences' numbers, whatever the order in which they were added", () => {
  const timeline = createTimeline(testAgent());
  const fences = createFences(timeline, 3);
  const order: number[] = [];
  for (const fence of fences.toReversed()) fence.addCallback(({ seqno }) => order.push(seqno));
  fences[2]!.signal();
  assert.deepEqual(order, [1, 2, 3]);
});

test("a number that was signaled before is not signaled again", () => {
  const timeline = createTimeline(testAgent());
  const fences = createFences(timeline, 2);
  timeline.signal(2);
  assert.equal(timeline.signal(1), false);
  assert.equal(timeline.signal(2), false);
  assert.equal(fences[0]!.signal(), false);
});

test("a number that no fence has cannot be signaled", () => {
  const timeline = createTimeline(testAgent());
  createFences(timeline, 2);
  for (const seqno of [0, -1, 3, 1.5, NaN]) assert.throws(() => timeline.signal(seqno), RangeError);
  assert.equal(timeline.completed, 0);
});

test("an error is that of all fences which a signal of a number completes, and of no others", () => {
  const timeline = createTimeline(testAgent());
  const fences = createFences(timeline, 4);
  timeline.signal(1);
  timeline.signal(3, "EIO");
  timeline.signal(4);
  assert.deepEqual(statuses(fences), [1, EIO, EIO, 1]);
});

test("the error of a fence is its own: earlier ones that complete with it have succeeded", () => {
  const timeline = createTimeline(testAgent());
  const fences = createFences(timeline, 3);
  fences[1]!.setError("EIO");
  fences[1]!.signal();
  fences[2]!.signal();
  assert.deepEqual(statuses(fences), [1, EIO, 1]);
});

test("an error that comes after a later fence has signaled changes nothing", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const [first, second] = createFences(timeline, 2);
  const handle = first!.handle();
  second!.signal();
  first!.setError("EIO");
  assert.equal(first!.signal(), false);
  assert.deepEqual([first!.status, importFence(agent.another(), handle).status], [1, 1]);
});

test("a fence that is dropped while something waits fails, and so do the earlier ones that it takes with it", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const fences = createFences(timeline, 3);
  timeline.signal(1);
  fences[2]!.addCallback(() => {});
  fences[2]![Symbol.dispose]();
  assertWarnedOnce(agent, /was released while something waits/);
  assert.deepEqual(statuses(fences), [1, EDEADLK, EDEADLK]);
});

test("closing a timeline ends what is pending, with ECANCELED or what it is told, and nothing else", () => {
  const agent = testAgent();
  for (const [error, status] of [
    [undefined, ECANCELED],
    ["EIO", EIO],
  ] as const) {
    const timeline = createTimeline(agent);
    const fences = createFences(timeline, 3);
    const views = fences.map((fence) => importFence(agent.another(), fence.handle()));
    let seen = 0;
    fences[2]!.addCallback((fence) => (seen = fence.status));
    timeline.signal(1);
    timeline.close(error);
    timeline.close("EPERM");
    assert.equal(seen, status);
    assert.deepEqual(statuses(fences), [1, status, status]);
    assert.deepEqual(statuses(views), [1, status, status]);
  }
});

test("a closed timeline makes no fences", () => {
  const timeline = createTimeline(testAgent());
  timeline[Symbol.dispose]();
  assert.throws(() => timeline.createFence(), { code: "ECANCELED" });
});

test("a timeline too many is refused by the option's name, until one is closed", () => {
  const agent = testAgent({ sizes: { timelines: 2 } });
  const [first] = [createTimeline(agent), createTimeline(agent)];
  assert.throws(() => createTimeline(agent), { code: "ENOSPC", message: /all 2 are in use \(option "timelines"\)/ });
  first.close();
  createTimeline(agent).close();
});

test("a time limit that is no number of milliseconds is refused", () => {
  const agent = testAgent({ sizes: { timelines: 1 } });
  for (const timeLimit of [0, -1, NaN, Infinity, 2 ** 31]) {
    assert.throws(() => createTimeline(agent, { timeLimit }), /^RangeError: .*option "timeLimit" must be from 1 to /);
  }
  createTimeline(agent).close();
});

test("a late reader in another agent finds the times of the last fences", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const fences = createFences(timeline, TIMES_KEPT + 10);
  fences.forEach((fence, i) => fence.signal(1_000 + i));
  const reader = agent.another();
  fences.slice(-TIMES_KEPT).forEach((fence, i) => {
    assert.equal(importFence(reader, fence.handle()).timestamp, 1_010 + i);
  });
});

test("a late reader finds the time of fences that completed together, on each of them", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const fences = createFences(timeline, 4);
  timeline.signal(1, undefined, 1_000);
  timeline.signal(4, undefined, 2_000);
  const reader = agent.another();
  const times = fences.map((fence) => importFence(reader, fence.handle()).timestamp);
  assert.deepEqual(times, [1_000, 2_000, 2_000, 2_000]);
});

test("a late reader of a fence whose time is no longer kept finds none of another fence", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const fences = createFences(timeline, 2 * TIMES_KEPT);
  fences.forEach((fence, i) => fence.signal(1_000 + i));
  const before = agent.host.nowNs();
  assert.ok(importFence(agent.another(), fences[0]!.handle()).timestamp! >= before);
});

test("the names of a timeline reach other agents; one of more than 31 bytes is refused", () => {
  const agent = testAgent();
  assert.throws(() => createTimeline(agent, { name: "n".repeat(32) }), { code: "EINVAL", message: /31 bytes/ });
  const timeline = createTimeline(agent, { name: "n".repeat(31), driverName: "gpu" });
  const view = importFence(agent.another(), timeline.createFence().handle());
  assert.deepEqual([view.timelineName, view.driverName], ["n".repeat(31), "gpu"]);
});
