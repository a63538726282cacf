import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { makeFence, opsFence, testAgent } from "../../test/conformance/support.js";
import type { Fence } from "./fence.js";
import { importFence } from "./import-fence.js";
import { waitAll, waitAllSync, waitAny, waitAnySync } from "./wait-many.js";
import { createTimeline } from "./timeline.js";

const PATIENT = { timeout: 10_000 };

test("waitAny() enables no fence behind the first that has signaled", PATIENT, async () => {
  const agent = testAgent();
  const enabled: number[] = [];
  const fences = [0, 1, 2].map((index) =>
    opsFence(agent, { enableSignaling: () => enabled.push(index) > 0 && index !== 1 }),
  );
  assert.deepEqual(await waitAny(fences), { state: "signaled", index: 1 });
  assert.deepEqual(enabled, [0, 1]);
});

test("waitAny() rejects with the abort's reason and leaves no callback", PATIENT, async () => {
  const agent = testAgent();
  const fences = [makeFence(agent, "local"), makeFence(agent, "timeline")];
  const abort = new AbortController();
  const waiting = waitAny(fences, { signal: abort.signal });
  abort.abort("enough");
  await assert.rejects(waiting, (reason) => reason === "enough");
  for (const fence of fences) fence[Symbol.dispose]();
  assert.deepEqual(agent.takeWarnings(), []);
});

test("waitAny() leaves no callback when a fence cannot be enabled", PATIENT, async () => {
  const agent = testAgent();
  const broken = opsFence(agent, {
    enableSignaling: () => {
      throw new Error("no device");
    },
  });
  const first = makeFence(agent, "local");
  await assert.rejects(waitAny([first, broken]), /no device/);
  first[Symbol.dispose]();
  assert.deepEqual(agent.takeWarnings(), []);
});

test("waitAny() and waitAll() take a fence that has failed for signaled (wait-many.4)", PATIENT, async () => {
  const fence = makeFence(testAgent(), "timeline");
  fence.setError(-5);
  fence.signal();
  assert.deepEqual(await waitAny([fence]), { state: "signaled", index: 0 });
  assert.equal(await waitAll([fence]), "signaled");
});

test("waitAny() and waitAll() find a fence once that is twice in the list", PATIENT, async () => {
  const fence = makeFence(testAgent(), "timeline");
  const waiting = [waitAny([fence, fence]), waitAll([fence, fence])];
  fence.signal();
  assert.deepEqual(await Promise.all(waiting), [{ state: "signaled", index: 0 }, "signaled"]);
});

test("waitAll() goes on until the last fence has signaled", PATIENT, async () => {
  const agent = testAgent();
  const fences = [makeFence(agent, "local"), makeFence(agent, "timeline"), makeFence(agent, "published")];
  let ended = false;
  const waiting = waitAll(fences).then((result) => {
    ended = true;
    return result;
  });
  for (const fence of [fences[2]!, fences[0]!]) {
    fence.signal();
    await turn();
    assert.equal(ended, false);
  }
  fences[1]!.setError("EIO");
  fences[1]!.signal();
  assert.equal(await waiting, "signaled");
});

test("waitAll() times out while one fence is pending, and leaves no callback (wait-many.3)", PATIENT, async () => {
  const agent = testAgent();
  const fences = [makeFence(agent, "local"), makeFence(agent, "timeline")];
  fences[0]!.signal();
  for (const timeout of [0, 1]) assert.equal(await waitAll(fences, { timeout }), "timed-out");
  fences[1]![Symbol.dispose]();
  assert.deepEqual(agent.takeWarnings(), []);
});

test("waitAll() of no fences has nothing to wait for", PATIENT, async () => {
  assert.equal(await waitAll([]), "signaled");
  assert.equal(waitAllSync([]), "signaled");
  await assert.rejects(waitAll([], { timeout: -1 }), { code: "EINVAL" });
  assert.throws(() => waitAllSync([], { timeout: -1 }), { code: "EINVAL" });
});

test("waitAllSync() times out while one fence is pending", { ...PATIENT, ...BLOCKS }, () => {
  const agent = testAgent();
  const fences = [makeFence(agent, "timeline"), makeFence(agent, "timeline")];
  fences[0]!.signal();
  assert.equal(waitAllSync(fences, { timeout: 1 }), "timed-out");
  fences[1]!.signal();
  assert.equal(waitAllSync(fences, { timeout: 1 }), "signaled");
  assert.equal(waitAllSync(fences), "signaled");
});

test("a wait that blocks without a limit is refused with EDEADLK if only this thread could end it", BLOCKS, () => {
  const agent = testAgent();
  const own = makeFence(agent, "timeline");
  const others = importedView(agent);
  assert.throws(() => waitAnySync([own, own]), { code: "EDEADLK" });
  assert.throws(() => waitAllSync([others, own]), { code: "EDEADLK" });
});

test("waitAnySync() without a limit is not refused if another agent can end it", { ...PATIENT, ...BLOCKS }, () => {
  const agent = testAgent();
  // No agent signals either; hang recovery ends the other agent's.
  const fences = [makeFence(agent, "timeline"), importedView(agent, 20)];
  assert.deepEqual(waitAnySync(fences), { state: "signaled", index: 1 });
  assert.equal(fences[1]!.error!.code, "ETIMEDOUT");
});

test(
  "waitAllSync() does not take an idle timeline, whose fence has signaled, for a hung one",
  { ...PATIENT, ...BLOCKS },
  () => {
    const agent = testAgent();
    const idle = createTimeline(agent, { timeLimit: 5 });
    const signaled = idle.createFence();
    signaled.signal();
    assert.equal(waitAllSync([signaled, makeFence(agent, "timeline")], { timeout: 30 }), "timed-out");
    const next = idle.createFence();
    assert.equal(next.status, 0);
  },
);

test("waitAny() and waitAll() reject with ECANCELED when the agent leaves the domain", PATIENT, async () => {
  const agent = testAgent();
  const fences = [makeFence(agent, "local"), importedView(agent)];
  const waiting = [waitAny(fences), waitAll(fences)].map((wait) => assert.rejects(wait, { code: "ECANCELED" }));
  agent.close();
  await Promise.all(waiting);
});

test("fences of two agents cannot be waited for together", PATIENT, async () => {
  const agent = testAgent();
  const fences = [makeFence(agent, "local"), makeFence(agent.another(), "local")];
  await assert.rejects(waitAny(fences), TypeError);
  await assert.rejects(waitAll(fences), TypeError);
  assert.throws(() => waitAnySync(fences), TypeError);
  assert.throws(() => waitAllSync(fences), TypeError);
});

/** A fence that another agent of the domain would have to signal. */
function importedView(agent: ReturnType<typeof testAgent>, timeLimit = 10_000): Fence {
  const fence = createTimeline(agent.another(), { timeLimit }).createFence();
  return importFence(agent, fence.handle());
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
