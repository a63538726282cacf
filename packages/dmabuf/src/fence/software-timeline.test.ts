import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { testAgent } from "../../test/conformance/support.js";
import { importFence } from "./import-fence.js";
import { createSoftwareTimeline, openSoftwareTimeline } from "./software-timeline.js";

test("all who ask for a pending value in one agent get one fence, and others one of the same place", () => {
  const agent = testAgent();
  const timeline = createSoftwareTimeline(agent);
  const fence = timeline.createFence(3);
  assert.equal(timeline.createFence(3), fence);
  const there = openSoftwareTimeline(agent.another(), timeline.handle()).createFence(3);
  timeline.advance(3);
  assert.equal(there.isSignaled(), true);
  assert.notEqual(timeline.createFence(3), fence);
});

test("a value that has been reached, or is 0, is signaled from the start", () => {
  const timeline = createSoftwareTimeline(testAgent());
  assert.equal(timeline.createFence(0).status, 1);
  timeline.advance(4);
  assert.deepEqual(
    [3, 4, 5].map((value) => timeline.createFence(value).status),
    [1, 1, 0],
  );
});

test(
  "fences call back in the order of their values, whichever agent advances the timeline",
  { timeout: 10_000 },
  async () => {
    const agent = testAgent();
    const other = agent.another();
    const timeline = createSoftwareTimeline(agent);
    const opened = openSoftwareTimeline(other, timeline.handle());
    for (const here of [timeline, opened]) {
      const order: number[] = [];
      const { value } = timeline;
      const fences = [3, 1, 2, 4].map((step) => here.createFence(value + step));
      for (const fence of fences) fence.addCallback(({ seqno }) => order.push(seqno - value));
      const last = fences[3]!.wait();
      timeline.advance(4);
      await last;
      assert.deepEqual(order, [1, 2, 3, 4]);
    }
  },
);

test("a callback may ask for fences that are about to call back", () => {
  const timeline = createSoftwareTimeline(testAgent());
  const order: number[] = [];
  const fences = [1, 2, 3].map((value) => timeline.createFence(value));
  fences[0]!.addCallback(() => order.push(1, fences[2]!.status, fences[1]!.status));
  fences[1]!.addCallback(() => order.push(2));
  fences[2]!.addCallback(() => order.push(3));
  timeline.advance(3);
  assert.deepEqual(order, [2, 3, 1, 1, 1]);
});

test("values have 47 bits, and the timeline ends there", () => {
  const timeline = createSoftwareTimeline(testAgent());
  const end = 2 ** 47 - 2;
  const fence = timeline.createFence(end);
  timeline.advance(2 ** 32 - 1);
  timeline.advance(end - 2 ** 32);
  assert.equal(fence.isSignaled(), false);
  assert.throws(() => timeline.advance(2), { code: "EOVERFLOW" });
  timeline.advance();
  assert.deepEqual([fence.status, timeline.value], [1, end]);
  for (const wrong of [-1, 0.5, 2 ** 47, NaN]) {
    assert.throws(() => timeline.createFence(wrong), RangeError);
    assert.throws(() => timeline.advance(wrong), RangeError);
  }
});

test("a fence is signaled by its timeline alone", () => {
  const timeline = createSoftwareTimeline(testAgent());
  assert.throws(() => timeline.createFence(1).signal(), { code: "EPERM" });
});

test("the end of its timeline fails a pending fence in every agent, and refuses new ones", () => {
  const agent = testAgent({ sizes: { timelines: 1 } });
  const other = agent.another();
  const timeline = createSoftwareTimeline(agent);
  const opened = openSoftwareTimeline(other, timeline.handle());
  const fence = opened.createFence(2);
  const handle = timeline.handle();
  timeline.advance();
  timeline.close();
  assert.equal(fence.error?.code, "ENOENT");
  for (const call of [() => opened.advance(), () => opened.createFence(3), () => opened.value]) {
    assert.throws(call, { code: "ENOENT" });
  }
  opened.close();
  assert.throws(() => opened.advance(), { code: "EBADF" });
  assert.throws(() => openSoftwareTimeline(other, handle), { code: "ENOENT" });
  createSoftwareTimeline(agent);
  assert.throws(() => openSoftwareTimeline(other, handle), { code: "ESTALE" });
});

test("an agent that was given the timeline releases it without ending it", () => {
  const agent = testAgent();
  const timeline = createSoftwareTimeline(agent);
  const fence = timeline.createFence(1);
  openSoftwareTimeline(agent.another(), timeline.handle()).close();
  assert.equal(fence.isSignaled(), false);
  timeline.advance();
  assert.equal(fence.status, 1);
});

test(
  "a thread may block for a timeline that others can advance, and for no other",
  { ...BLOCKS, timeout: 10_000 },
  () => {
    const timeline = createSoftwareTimeline(testAgent(), { timeLimit: 20 });
    assert.throws(() => timeline.createFence(1).waitSync(), { code: "EDEADLK" });
    void timeline.handle();
    const fence = timeline.createFence(1);
    assert.equal(fence.waitSync(), "signaled");
    assert.equal(fence.error?.code, "ETIMEDOUT");
    assert.throws(() => timeline.advance(), { code: "ETIMEDOUT" });
  },
);

test("the maker hears each deadline that becomes the earliest to come", { timeout: 10_000 }, async () => {
  let now = 1000;
  const agent = testAgent({ host: { nowNs: () => now } });
  const heard: number[] = [];
  const timeline = createSoftwareTimeline(agent, { onDeadline: (deadlineNs) => heard.push(deadlineNs) });
  const there = importFence(agent.another(), timeline.createFence(1).handle());
  const ask = async (deadlineNs: number): Promise<void> => {
    there.setDeadline(deadlineNs);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  for (const deadlineNs of [3000, 5000, 2000, 4000]) await ask(deadlineNs);
  assert.deepEqual(heard, [3000, 2000]);
  // A deadline that has passed hides no later one.
  now = 2500;
  for (const deadlineNs of [6000, 4000, 7000]) await ask(deadlineNs);
  assert.deepEqual(heard, [3000, 2000, 6000, 4000]);
});
