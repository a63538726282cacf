/** Area K of the conformance cases: waiting for syncobjs. */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Domain, Syncobj, type Fence, type SyncobjWaitOptions } from "../../src/index.js";
import { BLOCKS } from "../blocking.js";
import { isMissing, pendingFence, signaledFence } from "./syncobjs.js";

const PATIENT = { timeout: 20_000 };
const TIMED_OUT = { state: "timed-out" };
const FIRST = { state: "signaled", index: 0 };
const MISSING = { code: "EINVAL" };

/** The states of a syncobj: without a fence, with a pending one, with a signaled one. */
type Standing = "unsubmitted" | "submitted" | "signaled";

function standing(domain: Domain, how: Standing): Syncobj {
  const syncobj = domain.createSyncobj({ signaled: how === "signaled" });
  if (how === "submitted") syncobj.replaceFence(pendingFence(domain));
  return syncobj;
}

test("SYO-05 a syncobj that was made signaled is done", async () => {
  using domain = Domain.create();
  assert.deepEqual(await domain.createSyncobj({ signaled: true }).wait({ timeout: 0 }), FIRST);
});

test("SYO-11 an option that does not exist is not looked at", async () => {
  using domain = Domain.create();
  const options = { timeout: 0, waitForever: true } as SyncobjWaitOptions;
  assert.deepEqual(await domain.createSyncobj({ signaled: true }).wait(options), FIRST);
});

test("SYO-13 what is not submitted yet is refused, or waited for (syncobj-wait.1)", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  for (const timeout of [0, 20]) {
    await assert.rejects(syncobj.wait({ timeout }), MISSING);
    for (const option of ["forSubmit", "available"]) {
      assert.deepEqual(await syncobj.wait({ timeout, [option]: true }), TIMED_OUT);
      assert.deepEqual(await syncobj.wait({ timeout, [option]: true, point: 3 }), TIMED_OUT);
    }
  }
});

test("SYO-14 what was submitted is waited for, or available", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = standing(domain, "submitted");
  for (const timeout of [0, 20]) {
    assert.deepEqual(await syncobj.wait({ timeout }), TIMED_OUT);
    assert.deepEqual(await syncobj.wait({ timeout, available: true }), FIRST);
  }
});

test("SYO-15 what is signaled is done, however it is waited for", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = standing(domain, "signaled");
  for (const limit of [{ timeout: 0 }, { timeout: 20 }, { untilNs: 0 }, { untilNs: Infinity }, {}]) {
    for (const all of [false, true]) {
      for (const option of ["forSubmit", "available", "none"]) {
        assert.deepEqual(await syncobj.wait({ ...limit, all, [option]: true }), FIRST);
      }
    }
  }
});

const STANDINGS: readonly Standing[] = ["unsubmitted", "submitted", "signaled"];

for (const all of [false, true]) {
  for (const forSubmit of [false, true]) {
    const name = `SYO-16 three in any states, ${all ? "all" : "any"}${forSubmit ? ", for submission" : ""}`;
    test(name, PATIENT, async () => {
      using domain = Domain.create();
      const triples = STANDINGS.flatMap((a) => STANDINGS.flatMap((b) => STANDINGS.map((c) => [a, b, c] as const)));
      for (const triple of triples) {
        const three = triple.map((how) => standing(domain, how));
        const signaled = triple.map((how) => how === "signaled");
        const done = all ? signaled.every(Boolean) : signaled.some(Boolean);
        for (const options of [{ timeout: 0 }, { timeout: 1 }]) {
          const wait = Syncobj.wait(three, { ...options, all, forSubmit });
          if (triple.includes("unsubmitted") && !forSubmit) await assert.rejects(wait, MISSING, triple.join());
          else {
            const expected = done ? { state: "signaled", index: signaled.indexOf(true) } : TIMED_OUT;
            assert.deepEqual(await wait, expected, triple.join());
          }
        }
      }
    });
  }
}

test("SYO-17 a wait ends when the fence signals", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const fence = pendingFence(domain);
  syncobj.replaceFence(fence);
  const waits = [syncobj.wait(), Syncobj.wait([standing(domain, "submitted"), syncobj])];
  setTimeout(() => fence.signal(), 5);
  assert.deepEqual(await Promise.all(waits), [FIRST, { state: "signaled", index: 1 }]);
});

test("SYO-18 a wait for submission ends when a signaled fence is attached (syncobj.3)", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const waits = [0, 1].map((point) => syncobj.wait({ forSubmit: true, point }));
  setTimeout(() => syncobj.signal(), 5);
  assert.deepEqual(await waits[0], FIRST);
  setTimeout(() => syncobj.signalPoint(1), 5);
  assert.deepEqual(await waits[1], FIRST);
});

test("SYO-19 a reset of what has no fence changes nothing", async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  await assert.rejects(syncobj.wait(), MISSING);
  syncobj.reset();
  await assert.rejects(syncobj.wait(), MISSING);
});

test("SYO-20 after a reset there is no fence", async () => {
  using domain = Domain.create();
  using syncobj = standing(domain, "signaled");
  syncobj.reset();
  await assert.rejects(syncobj.wait(), MISSING);
});

test("SYO-22 a syncobj is used after a wait in vain", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  await assert.rejects(syncobj.wait({ timeout: 5 }), MISSING);
  assert.deepEqual(await syncobj.wait({ timeout: 5, forSubmit: true }), TIMED_OUT);
  syncobj.signal();
  assert.deepEqual(await syncobj.wait({ timeout: 5 }), FIRST);
});

// syncobj-wait.2
test("a wait keeps the fence that it has seen first, over reset, replacement and close", PATIENT, async () => {
  using domain = Domain.create();
  const syncobj = domain.createSyncobj();
  const fence = pendingFence(domain);
  const waiting = syncobj.wait({ forSubmit: true });
  syncobj.replaceFence(fence);
  syncobj.reset();
  syncobj.signal();
  syncobj.close();
  assert.equal(await Promise.race([waiting, Promise.resolve("pending")]), "pending");
  fence.signal();
  assert.deepEqual(await waiting, FIRST);
});

test("a wait for all tells which was done when it began", PATIENT, async () => {
  using domain = Domain.create();
  const [one, two] = [domain.createSyncobj(), domain.createSyncobj()];
  const fences = [pendingFence(domain), pendingFence(domain)];
  one.replaceFence(fences[0]);
  two.replaceFence(fences[1]);
  const none = Syncobj.wait([one, two], { all: true });
  fences[1]!.signal();
  const second = Syncobj.wait([one, two], { all: true });
  fences[0]!.signal();
  assert.deepEqual(await none, { state: "signaled", index: -1 });
  assert.deepEqual(await second, { state: "signaled", index: 1 });
});

test("points of one timeline are waited for each by itself", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const fences = [pendingFence(domain), pendingFence(domain)];
  const waits = [2, 1].map((point) => syncobj.wait({ point, forSubmit: true }));
  fences.forEach((fence, i) => syncobj.addPoint(i + 1, fence));
  fences[1]!.signal();
  assert.equal(await Promise.race([...waits, Promise.resolve("pending")]), "pending");
  fences[0]!.signal();
  assert.deepEqual(await Promise.all(waits), [FIRST, FIRST]);
});

test("a fence that failed is done (syncobj-wait.3)", async () => {
  using domain = Domain.create();
  using syncobj = standing(domain, "submitted");
  syncobj.fence!.setError("EIO");
  syncobj.fence!.signal();
  assert.deepEqual(await syncobj.wait(), FIRST);
});

test("a wait for availability ends with the submission", PATIENT, async () => {
  using domain = Domain.create();
  const [one, two] = [standing(domain, "submitted"), domain.createSyncobj()];
  const waiting = Syncobj.wait([one, two], { all: true, available: true });
  two.replaceFence(pendingFence(domain));
  assert.deepEqual(await waiting, FIRST);
});

test("the end of a wait may be given as a time, and the earlier of two limits counts", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = standing(domain, "submitted");
  const { host } = agentOf(domain);
  for (const untilNs of [-1, 0, host.nowNs() - 1]) assert.deepEqual(await syncobj.wait({ untilNs }), TIMED_OUT);
  const untilNs = host.nowNs() + 10e6;
  assert.deepEqual(await syncobj.wait({ untilNs, timeout: 60_000 }), TIMED_OUT);
  // A timer may be early by its own resolution.
  assert.ok(host.nowNs() >= untilNs - 2e6);
  assert.deepEqual(await syncobj.wait({ untilNs: Infinity, timeout: 1 }), TIMED_OUT);
  await assert.rejects(syncobj.wait({ untilNs: NaN }), RangeError);
  await assert.rejects(syncobj.wait({ timeout: -1 }), MISSING);
});

test("a wait is aborted by its signal, and leaves nothing behind", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const controller = new AbortController();
  const waiting = syncobj.wait({ forSubmit: true, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  syncobj.signal();
  assert.deepEqual(await syncobj.wait({ signal: controller.signal }), FIRST);
  syncobj.reset();
  await assert.rejects(syncobj.wait({ signal: controller.signal, forSubmit: true }), /enough/);
});

test("a wait ends when its thread leaves the domain", PATIENT, async () => {
  const domain = Domain.create();
  const waits = ["unsubmitted", "submitted"].map((how) => standing(domain, how as Standing).wait({ forSubmit: true }));
  domain.close();
  for (const wait of waits) await assert.rejects(wait, { code: "ECANCELED" });
});

/** A fence that tells the deadlines it was given. */
function listening(domain: Domain, deadlines: number[]): Fence {
  const setDeadline = (_fence: Fence, deadlineNs: number): void => void deadlines.push(deadlineNs);
  return domain.createFence({ driverName: "driver", timelineName: "line", setDeadline });
}

test("a wait that has to sleep hints its deadline to every pending fence that it knows", PATIENT, async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const deadlines: number[] = [];
  for (let point = 1; point <= 3; point++) syncobj.addPoint(point, listening(domain, deadlines));
  assert.deepEqual(await syncobj.wait({ timeout: 0, deadlineNs: 7 }), TIMED_OUT);
  assert.deepEqual(deadlines, [7, 7, 7]);
  // Neither one that comes later, nor any if there is nothing to wait for.
  const done = Syncobj.wait([syncobj, standing(domain, "signaled")], { deadlineNs: 8 });
  const later = domain.createSyncobj();
  const waiting = later.wait({ forSubmit: true, deadlineNs: 8, timeout: 5 });
  later.replaceFence(listening(domain, deadlines));
  await Promise.all([done, waiting]);
  assert.deepEqual(deadlines, [7, 7, 7]);
});

test("a blocking wait looks, times out, and is refused where it could not end", { ...BLOCKS, ...PATIENT }, () => {
  using domain = Domain.create();
  const [missing, submitted, signaled] = STANDINGS.map((how) => standing(domain, how)) as [Syncobj, Syncobj, Syncobj];
  assert.deepEqual(Syncobj.waitSync([submitted, signaled]), { state: "signaled", index: 1 });
  assert.deepEqual(Syncobj.waitSync([submitted, signaled], { all: true, timeout: 2 }), TIMED_OUT);
  assert.deepEqual(Syncobj.waitSync([missing], { forSubmit: true, timeout: 2 }), TIMED_OUT);
  assert.throws(() => missing.waitSync(), MISSING);
  for (const call of [
    () => submitted.waitSync(),
    () => missing.waitSync({ forSubmit: true }),
    () => Syncobj.waitSync([submitted, signaled], { all: true }),
  ]) {
    assert.throws(call, { code: "EDEADLK" });
  }
  assert.ok(isMissing(missing));
});

test("a blocking wait ends with a fence of another agent", { ...BLOCKS, ...PATIENT }, (t: TestContext) => {
  const domain = Domain.create();
  t.after(() => domain.close());
  using other = Domain.join(domain.invite());
  using timeline = other.createTimeline({ timeLimit: 30 });
  const foreign = domain.import(timeline.createFence().handle());
  const [mine, theirs] = [standing(domain, "submitted"), domain.createSyncobj()];
  theirs.replaceFence(signaledFence(domain));
  theirs.addPoint(1, foreign);
  const entry = { syncobj: theirs, point: 1 };
  assert.deepEqual(Syncobj.waitSync([mine, entry], { timeout: 1 }), TIMED_OUT);
  assert.throws(() => Syncobj.waitSync([mine, entry], { all: true }), { code: "EDEADLK" });
  // No agent signals it: the wait ends it.
  assert.deepEqual(Syncobj.waitSync([mine, entry]), { state: "signaled", index: 1 });
});
