/** Area A of the conformance cases: waiting for fences. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fence } from "../../src/fence/fence.js";
import { waitAny, waitAnySync } from "../../src/fence/wait-many.js";
import { BLOCKS } from "../blocking.js";
import { FENCE_KINDS, makeFence, opsFence, testAgent, type FenceKind } from "./support.js";

const EIO = -5;
const PATIENT = { timeout: 10_000 };

for (const kind of FENCE_KINDS) {
  test(`FEN-12 a wait with time limit 0 tells whether the fence has signaled (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    assert.equal(await fence.wait({ timeout: 0 }), "timed-out");
    assert.equal(fence.waitSync({ timeout: 0 }), "timed-out");
    fence.signal();
    assert.equal(await fence.wait({ timeout: 0 }), "signaled");
    assert.equal(fence.waitSync({ timeout: 0 }), "signaled");
  });

  test(`FEN-13 a wait for a fence that does not signal times out (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    assert.equal(await fence.wait({ timeout: 1 }), "timed-out");
    assert.equal(fence.isSignaled(), false);
  });

  test(`FEN-13 a wait that blocks times out (${kind} fence)`, { ...PATIENT, ...BLOCKS }, () => {
    const fence = makeFence(testAgent(), kind);
    assert.equal(fence.waitSync({ timeout: 1 }), "timed-out");
    assert.equal(fence.isSignaled(), false);
  });

  test(`FEN-14 a wait ends when a timer signals the fence (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    setTimeout(() => fence.signal(), 1);
    assert.equal(await fence.wait({ timeout: 9_000 }), "signaled");
    assert.equal(fence.status, 1);
  });

  test(`FEN-23 a wait with a negative timeout is refused with EINVAL (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    for (const timeout of [-1, -Infinity, NaN]) {
      await assert.rejects(fence.wait({ timeout }), { code: "EINVAL" });
      assert.throws(() => fence.waitSync({ timeout }), { code: "EINVAL" });
    }
  });

  test(`FEN-27 a wait that is aborted already rejects with the reason (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    const reason = new Error("no longer wanted");
    const signal = AbortSignal.abort(reason);
    for (const timeout of [0, 100]) await assert.rejects(fence.wait({ timeout, signal }), reason);
    fence[Symbol.dispose]();
  });

  test(`FEN-28 a signaled fence wins over an abort (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    fence.setError("EIO");
    fence.signal();
    assert.equal(await fence.wait({ signal: AbortSignal.abort() }), "signaled");
    assert.equal(fence.status, EIO);
  });
}

test("FEN-14 a wait that blocks ends when the fence is found finished", { ...PATIENT, ...BLOCKS }, () => {
  const agent = testAgent();
  const end = agent.host.nowNs() + 1e6;
  const fence = opsFence(agent, { signaled: () => agent.host.nowNs() >= end });
  assert.equal(fence.waitSync(), "signaled");
});

// wait-many.1
test("FEN-24 waitAny() with time limit 0 only looks: in order, and without enabling signaling", PATIENT, async () => {
  const agent = testAgent();
  const looks: number[] = [];
  const fences = [0, 1, 2].map((index) =>
    opsFence(agent, {
      enableSignaling: () => assert.fail("signaling was enabled"),
      signaled: () => looks.push(index) < 0,
    }),
  );
  assert.deepEqual(await waitAny(fences, { timeout: 0 }), { state: "timed-out" });
  assert.deepEqual(looks.splice(0), [0, 1, 2]);
  assert.deepEqual(waitAnySync(fences, { timeout: 0 }), { state: "timed-out" });
  assert.deepEqual(looks, [0, 1, 2]);
});

for (const kind of FENCE_KINDS) {
  test(
    `FEN-25 waitAny() finds the one that has signaled, and leaves no callback (${kind} fences)`,
    PATIENT,
    async () => {
      const { fences, warnings } = threeFences(kind);
      fences[2]!.signal();
      assert.deepEqual(await waitAny(fences, { timeout: 10 }), { state: "signaled", index: 2 });
      assert.deepEqual(waitAnySync(fences, { timeout: 10 }), { state: "signaled", index: 2 });
      // A fence that is dropped with a callback on it is reported.
      for (const fence of fences) if (kind !== "published") fence[Symbol.dispose]();
      assert.deepEqual(warnings(), []);
    },
  );

  // wait-many.2
  test(
    `FEN-25 waitAny() ends at the first signal, with the lowest that is signaled (${kind} fences)`,
    PATIENT,
    async () => {
      const { fences, warnings } = threeFences(kind);
      const waiting = waitAny(fences);
      fences[2]!.signal();
      fences[1]!.signal();
      assert.deepEqual(await waiting, { state: "signaled", index: 1 });
      if (kind !== "published") fences[0]![Symbol.dispose]();
      assert.deepEqual(warnings(), []);
    },
  );
}

test("FEN-26 waitAny() of no fences is refused with EINVAL", PATIENT, async () => {
  for (const timeout of [0, 10]) {
    await assert.rejects(waitAny([], { timeout }), { code: "EINVAL" });
    assert.throws(() => waitAnySync([], { timeout }), { code: "EINVAL" });
  }
});

function threeFences(kind: FenceKind): { fences: Fence[]; warnings: () => string[] } {
  const agent = testAgent();
  const fences = [0, 1, 2].map(() => makeFence(agent, kind));
  return { fences, warnings: () => agent.takeWarnings() };
}
