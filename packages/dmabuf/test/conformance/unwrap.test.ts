/** Area D of the conformance cases: what is in containers, and merging. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FenceArray, createFenceArray } from "../../src/fence/fence-array.js";
import { createFenceChain } from "../../src/fence/fence-chain.js";
import { importFence } from "../../src/fence/import-fence.js";
import { isSameFence, type Fence } from "../../src/fence/fence.js";
import { stubFence } from "../../src/fence/stub.js";
import { allocateContexts } from "../../src/fence/timeline.js";
import { mergeFences, newestOfEachContext, unwrap } from "../../src/fence/unwrap.js";
import { FENCE_KINDS, makeFence, opsFence, testAgent, type TestAgent } from "./support.js";

/** Registers a fact about two fences of each kind. Nothing may be reported while it runs. */
function fact(name: string, body: (f1: Fence, f2: Fence, agent: TestAgent) => void): void {
  for (const kind of FENCE_KINDS) {
    test(`${name} (${kind} fences)`, () => {
      const agent = testAgent();
      body(makeFence(agent, kind), makeFence(agent, kind), agent);
      assert.deepEqual(agent.takeWarnings(), []);
    });
  }
}

fact("UNW-01 a chain over an array can be made and dropped", (f1, _f2, agent) => {
  const array = createFenceArray(agent, [f1]);
  createFenceChain(undefined, array, 1)[Symbol.dispose]();
  array[Symbol.dispose]();
});

fact("UNW-02 an array holds its members, in order", (f1, f2, agent) => {
  assert.deepEqual([...unwrap(createFenceArray(agent, [f1, f2]))], [f1, f2]);
});

fact("UNW-03 a chain holds its fences, newest first", (f1, f2) => {
  assert.deepEqual([...unwrap(createFenceChain(f1, f2, 1))], [f2, f1]);
  const chain = createFenceChain(createFenceChain(undefined, f1, 1), f2, 2);
  assert.deepEqual([...unwrap(chain)], [f2, f1]);
});

fact("UNW-04 a chain of arrays holds their members", (f1, f2, agent) => {
  assert.deepEqual([...unwrap(createFenceChain(undefined, createFenceArray(agent, [f1, f2]), 1))], [f1, f2]);
});

fact("UNW-05 a plain fence holds itself", (f1) => {
  assert.deepEqual([...unwrap(f1)], [f1]);
});

test("UNW-05 signaled fences are held too, except those that a chain has dropped", () => {
  const agent = testAgent();
  const [f1, f2, f3] = [opsFence(agent), opsFence(agent), opsFence(agent)];
  const chain = createFenceChain(createFenceChain(undefined, f1, 1), createFenceArray(agent, [f2, f3]), 2);
  for (const fence of [f1, f2]) fence.signal();
  assert.deepEqual([...unwrap(chain)], [f2, f3]);
});

fact("UNW-06 two pending fences are merged into an array of both", (f1, f2, agent) => {
  const merged = mergeFences(agent, [f2, f1]);
  assert.ok(merged instanceof FenceArray);
  assert.deepEqual([...unwrap(merged)], [f1, f2]);
  f1.signal();
  assert.equal(merged.isSignaled(), false);
  f2.signal();
  assert.equal(merged.status, 1);
});

test("UNW-06 of each context the newest fence is kept, whatever it was wrapped in", () => {
  const agent = testAgent();
  const [one, two] = [allocateContexts(agent, 1), allocateContexts(agent, 1)];
  const fence = (context: number, seqno: number): Fence => opsFence(agent, {}, context, seqno);
  const [a1, a2, a3, b1] = [fence(one, 1), fence(one, 2), fence(one, 3), fence(two, 1)];
  const chain = createFenceChain(createFenceChain(undefined, b1, 1), a3, 2);
  const merged = mergeFences(agent, [a1, createFenceArray(agent, [a2, b1]), chain, a1]);
  assert.deepEqual([...unwrap(merged)], [a3, b1]);
  assert.equal(merged.seqno, 1);
});

test("UNW-06 fences of one context alone need no array", () => {
  const agent = testAgent();
  const context = allocateContexts(agent, 1);
  const [early, late] = [opsFence(agent, {}, context, 1), opsFence(agent, {}, context, 2)];
  assert.equal(mergeFences(agent, [late, early]), late);
  assert.equal(mergeFences(agent, [late, late]), late);
});

test("UNW-06 a fence that went through another agent and came back is merged with itself", () => {
  const agent = testAgent();
  const fence = makeFence(agent, "published");
  const there = importFence(agent.another(), fence.handle());
  const back = importFence(agent, there.handle());
  assert.notEqual(back, fence);
  assert.ok(isSameFence(mergeFences(agent, [fence, back]), fence));
});

fact("UNW-07 of a pending and a signaled fence the pending one itself is left", (f1, f2, agent) => {
  f2.signal();
  assert.equal(mergeFences(agent, [f1, f2]), f1);
  assert.equal(mergeFences(agent, [f2, f1, stubFence(agent)]), f1);
});

fact("UNW-08 signaled fences are merged into a stub with the time of the last one", (f1, f2, agent) => {
  f1.signal(2_000_000_000);
  f2.setError("EIO");
  f2.signal(1_000_000_000);
  const merged = mergeFences(agent, [f1, f2]);
  assert.deepEqual([merged.status, merged.timestamp, merged.driverName], [1, 2_000_000_000, "stub"]);
  assert.notEqual(merged, stubFence(agent));
});

test("UNW-08 nothing at all is merged into a stub of time 0", () => {
  const agent = testAgent();
  assert.deepEqual([mergeFences(agent, []).status, mergeFences(agent, []).timestamp], [1, 0]);
});

test("UNW-09 of fences with numbers of 32 bits the one after the wrap is kept", () => {
  const agent = testAgent();
  const context = allocateContexts(agent, 1);
  const before = opsFence(agent, { seqno32: true }, context, 0xffff_ffff);
  const after = opsFence(agent, { seqno32: true }, context, 1);
  assert.deepEqual(newestOfEachContext([after, before]), [after]);
  assert.deepEqual(newestOfEachContext([before, after]), [after]);
  assert.deepEqual(newestOfEachContext([]), []);
});
