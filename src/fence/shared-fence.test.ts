import assert from "node:assert/strict";
import { test } from "node:test";
import { opsFence, testAgent } from "../../test/conformance/support.js";
import { fenceHandle, importFence } from "./fence-handle.js";
import { Timeline } from "./timeline.js";

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

test("the maker of a published fence hears the deadlines that other agents ask for", { timeout: 10_000 }, async () => {
  const agent = testAgent();
  const heard: number[] = [];
  const fence = opsFence(agent, { setDeadline: (_fence, deadlineNs) => void heard.push(deadlineNs) });
  const there = importFence(agent.another(), fenceHandle(fence));
  const now = agent.host.nowNs();
  for (const ms of [9000, 5000, 7000]) {
    there.setDeadline(now + ms * 1e6);
    await turn();
  }
  fence.signal();
  there.setDeadline(now + 1e9);
  await turn();
  assert.deepEqual(heard, [now + 9000e6, now + 5000e6]);
});

test("the owner of a timeline hears of a deadline behind one that has passed", { timeout: 10_000 }, async () => {
  let now = 1000;
  const agent = testAgent({ host: { nowNs: () => now } });
  const heard: number[] = [];
  const timeline = new Timeline(agent, { onDeadline: (deadlineNs) => heard.push(deadlineNs) });
  const there = [1, 2].map(() => importFence(agent.another(), fenceHandle(timeline.createFence())));
  for (const [i, fence] of there.entries()) {
    fence.setDeadline(2000 * (i + 1));
    await turn();
    now += 2000;
  }
  assert.deepEqual(heard, [2000, 4000]);
});

test("fences of one timeline call back in order when hang recovery ends it", { timeout: 10_000 }, async () => {
  const agent = testAgent();
  const timeline = new Timeline(agent, { timeLimit: 10 });
  const order: number[] = [];
  const fences = [1, 2, 3].map(() => timeline.createFence());
  for (const i of [2, 0, 1]) fences[i]!.addCallback(({ seqno }) => order.push(seqno));
  while (order.length < 3) await turn();
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal(fences[0]!.error?.code, "ETIMEDOUT");
});
