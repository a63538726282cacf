import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { assertWarnedOnce, FENCE_KINDS, makeFence, opsFence, testAgent } from "../../test/conformance/support.js";
import { laterFence, type Fence } from "./fence.js";

const EIO = -5;
const PATIENT = { timeout: 10_000 };

test("numbers of 32 bits compare by their signed difference, whatever is above them", () => {
  const agent = testAgent();
  const fence = (seqno: number): Fence => opsFence(agent, { seqno32: true }, 9, seqno);
  const later: [number, number, boolean][] = [
    [2, 1, true],
    [1, 2, false],
    [0, 0xffff_ffff, true],
    [0xffff_ffff, 0, false],
    [2 ** 32 + 1, 5, false],
    [5, 2 ** 32 + 1, true],
    [0, 2 ** 31, false],
    [2 ** 31, 0, false],
    [7, 7, false],
  ];
  for (const [a, b, expected] of later) assert.equal(fence(a).isLater(fence(b)), expected, `${a} after ${b}`);
});

test("laterFence() is the later one, the second of two equal ones, and nothing if that has signaled", () => {
  const agent = testAgent();
  const [early, overdue, same] = [opsFence(agent, {}, 9, 1), opsFence(agent, {}, 9, 2), opsFence(agent, {}, 9, 2)];
  assert.equal(laterFence(early, overdue), overdue);
  assert.equal(laterFence(overdue, early), overdue);
  assert.equal(laterFence(overdue, same), same);
  overdue.signal();
  assert.equal(laterFence(overdue, early), undefined);
});

test("a fence describes itself as current kernels do", () => {
  const fence = opsFence(testAgent(), {}, 9, 4);
  assert.equal(fence.describe(), "9:4 line driver unsignalled");
  fence.signal();
  assert.equal(fence.describe(), "9:4 line driver signalled");
});

for (const kind of FENCE_KINDS) {
  test(`result() rejects with the fence's own error (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    const result = fence.result();
    fence.setError("ENODATA");
    fence.signal();
    await assert.rejects(result, { name: "DmaBufError", code: "ENODATA" });
    await assert.rejects(fence.result({ timeout: 0 }), { code: "ENODATA" });
  });

  test(`result() of work that went well gives nothing, and of work that takes too long is ETIMEDOUT (${kind} fence)`, async () => {
    const fence = makeFence(testAgent(), kind);
    await assert.rejects(fence.result({ timeout: 0 }), { code: "ETIMEDOUT" });
    fence.signal();
    assert.equal(await fence.result(), undefined);
  });

  test(`an error that comes after the signal is reported and changes nothing (${kind} fence)`, () => {
    const agent = testAgent();
    const fence = makeFence(agent, kind);
    fence.signal();
    fence.setError("EIO");
    assertWarnedOnce(agent, /has signaled: its error can no longer be set/);
    assert.equal(fence.status, 1);
  });

  test(`a fence without a waiter is dropped in silence, pending as it is (${kind} fence)`, () => {
    if (kind === "published") return; // What was published may be waited for by any agent.
    const agent = testAgent();
    const fence = makeFence(agent, kind);
    fence.addCallback(() => assert.fail("was removed")).remove();
    fence[Symbol.dispose]();
    assert.equal(fence.status, 0);
    assert.deepEqual(agent.takeWarnings(), []);
  });

  test(`a callback that throws is reported, and the others run (${kind} fence)`, () => {
    const agent = testAgent();
    const fence = makeFence(agent, kind);
    let runs = 0;
    fence.addCallback(() => {
      throw new Error("not my day");
    });
    fence.addCallback(() => runs++);
    assert.equal(fence.signal(), true);
    assert.equal(runs, 1);
    assertWarnedOnce(agent, /A callback .* threw: Error: not my day/);
  });

  test(`a callback may remove one that comes after it, which then never runs (${kind} fence)`, () => {
    const fence = makeFence(testAgent(), kind);
    const removed: boolean[] = [];
    fence.addCallback(() => removed.push(second.remove()));
    const second = fence.addCallback(() => assert.fail("was removed"));
    fence.signal();
    assert.deepEqual(removed, [true]);
  });

  // fence.3
  test(`a callback finds its fence signaled, and adds no other (${kind} fence)`, () => {
    const fence = makeFence(testAgent(), kind);
    const seen: unknown[] = [];
    fence.addCallback(() => {
      seen.push(fence.status, fence.signal(), fence.addCallback(() => assert.fail("never runs")).queued);
    });
    fence.signal();
    assert.deepEqual(seen, [1, false, false]);
  });

  test(`a wait whose process may end is still a wait (${kind} fence)`, PATIENT, async () => {
    const fence = makeFence(testAgent(), kind);
    const waiting = fence.wait({ unref: true });
    fence.signal();
    assert.equal(await waiting, "signaled");
  });

  test(`a thread does not block without a limit for what only it can signal (${kind} fence)`, BLOCKS, () => {
    const fence = makeFence(testAgent(), kind);
    assert.throws(() => fence.waitSync(), { code: "EDEADLK" });
    fence.signal();
    assert.equal(fence.waitSync(), "signaled");
  });
}

test("a callback is removed when it is disposed, once", () => {
  const fence = makeFence(testAgent(), "local");
  {
    using callback = fence.addCallback(() => assert.fail("was removed"));
    assert.equal(callback.queued, true);
  }
  fence.signal();
});

test("work that is found finished has the time that its maker knows", () => {
  const agent = testAgent();
  const fence = opsFence(agent, { signaled: (self) => self.signal(42) || true });
  assert.equal(fence.timestamp, 42);
  const unknown = opsFence(agent, { signaled: () => true });
  assert.ok(unknown.timestamp! > 42);
});

test("the check that finds work finished may say why it failed", () => {
  const fence = opsFence(testAgent(), {
    signaled: (self) => {
      self.setError("EIO");
      return true;
    },
  });
  assert.equal(fence.status, EIO);
});

test("a fence that signals while its signaling is enabled takes no callback", () => {
  const fence = opsFence(testAgent(), { enableSignaling: (self) => self.signal() });
  const callback = fence.addCallback(() => assert.fail("never runs"));
  assert.equal(callback.queued, false);
  assert.equal(fence.status, 1);
});

test("the error of a fence names the fence", () => {
  const fence = opsFence(testAgent(), {}, 9, 4);
  fence.setError("EIO");
  fence.signal();
  assert.equal(fence.error!.message, "EIO: Fence 9:4 of driver line failed");
});

test("an error is given by its name or by its number", () => {
  const agent = testAgent();
  for (const error of ["EIO", EIO] as const) {
    const fence = opsFence(agent);
    fence.setError(error);
    fence.signal();
    assert.equal(fence.status, EIO);
  }
});

test("to remove a callback takes no longer when there are many of them", () => {
  // Nanoseconds for each, the best of some tries: a removal that searches a list takes sixteen times as long.
  const each = (count: number): number => {
    let best = Infinity;
    for (let attempt = 0; attempt < 7; attempt++) {
      const fence = makeFence(testAgent(), "local");
      const callbacks = Array.from({ length: count }, () => fence.addCallback(() => {}));
      const start = performance.now();
      for (const callback of callbacks.reverse()) callback.remove();
      best = Math.min(best, (performance.now() - start) / count);
    }
    return best;
  };
  const [few, many] = [each(4_000), each(64_000)];
  assert.ok(many < few * 8, `${many * 1e6} ns of 64,000, ${few * 1e6} ns of 4,000`);
});

test("a fence whose maker fails at its end is still disposed, and that is reported", () => {
  const agent = testAgent();
  const fail = (): never => {
    throw new Error("planned");
  };
  let looks = 0;
  const failsLater = { signaled: () => looks++ > 0 && fail() };
  for (const ops of [{ release: fail }, failsLater, { signaled: () => false, release: fail }]) {
    const fence = opsFence(agent, ops);
    fence.addCallback(() => {});
    if (ops !== failsLater) fence.signal();
    fence[Symbol.dispose]();
    fence[Symbol.dispose]();
    assertWarnedOnce(agent, /^The maker of a fence failed: Error: planned$/);
  }
});

test("resultSync() ends as result() does: in time, with the fence's error, or too late", BLOCKS, async () => {
  const agent = testAgent();
  const [good, bad, late] = [1, 2, 3].map(() => opsFence(agent));
  good!.signal();
  good!.resultSync();
  await good!.result();
  bad!.setError("EIO");
  bad!.signal();
  assert.throws(() => bad!.resultSync(), { code: "EIO" });
  await assert.rejects(bad!.result(), { code: "EIO" });
  assert.throws(() => late!.resultSync({ timeout: 1 }), { code: "ETIMEDOUT" });
  await assert.rejects(late!.result({ timeout: 1 }), { code: "ETIMEDOUT" });
  assert.throws(() => late!.resultSync(), { code: "EDEADLK" });
});
