import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal, pause } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { isDone, isMissing, pendingFence } from "../../test/conformance/syncobjs.js";
import type { Domain } from "../threads.js";
import { isSameFence, type Fence } from "./fence.js";
import { FenceChain } from "./fence-chain.js";
import type { SyncobjHandle } from "./syncobj-handle.js";
import { Syncobj } from "./syncobj.js";

const PATIENT = { timeout: 20_000 };
const ROOM = 64;

/** A handle as it arrives in another agent. */
function sent(syncobj: Syncobj): SyncobjHandle {
  return structuredClone(syncobj.handle());
}

function pendingFences(domain: Domain, count: number): Fence[] {
  return Array.from({ length: count }, () => pendingFence(domain));
}

test("Syncobj.handle(): the other agent gets what is stored there when it is sent", (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const [below, one, two, three] = pendingFences(domain, 4) as [Fence, Fence, Fence, Fence];
  const mine = domain.createSyncobj();
  mine.replaceFence(below);
  mine.addPoint(3, domain.createFenceArray([one, two], { signalOnAny: true }));
  mine.signalPoint(4);
  mine.addPoint(2, domain.createFenceArray([two, three]));
  const before = mine.fence as FenceChain;
  const theirs = other.import(sent(mine));
  for (const head of [mine.fence as FenceChain, theirs.fence as FenceChain]) {
    const shape = (fence: Fence): unknown => [
      fence.context,
      fence.seqno,
      fence instanceof FenceChain && fence.previousSeqno,
    ];
    assert.deepEqual([...head.elements()].map(shape), [...before.elements()].map(shape));
  }
  one.signal();
  three.signal();
  assert.equal(isDone(theirs, 4), false);
  below.signal();
  two.signal();
  assert.ok(isDone(theirs) && isDone(theirs, 4));
});

test("each holder of a syncobj can change it, and all see it", (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const mine = domain.createSyncobj();
  const theirs = other.import(sent(mine));
  assert.equal(theirs.fence, undefined);
  const [first, second] = [pendingFence(domain), pendingFence(other)];
  mine.addPoint(1, first);
  theirs.addPoint(2, second);
  assert.deepEqual([mine.query({ lastSubmitted: true }), theirs.query({ lastSubmitted: true })], [2, 2]);
  first.signal();
  assert.deepEqual([mine.query(), theirs.query()], [1, 1]);
  second.signal();
  assert.deepEqual([mine.query(), theirs.query()], [2, 2]);
  theirs.reset();
  assert.equal(mine.fence, undefined);
  const before = domain.now();
  mine.signal();
  assert.equal(theirs.fence!.timestamp, mine.fence!.timestamp);
  assert.ok(theirs.fence!.timestamp! >= Math.floor(before) && theirs.fence!.timestamp! <= domain.now());
});

test("an agent keeps its own objects for what is stored there, until an agent changes it", (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const mine = domain.createSyncobj();
  const fence = pendingFence(domain);
  mine.replaceFence(fence);
  const theirs = other.import(sent(mine));
  assert.equal(mine.fence, fence);
  assert.equal(theirs.fence, theirs.fence);
  assert.ok(isSameFence(other.import(fence.handle()), theirs.fence!));
  theirs.addPoint(1, pendingFence(other));
  assert.equal([...(mine.fence as FenceChain).elements()].at(-1), fence);
  assert.equal(mine.fence, mine.fence);
});

test("the error of a fence that has failed is seen wherever it goes, and after its slot was used again", (t) => {
  const domain = createDomain(t, { oneShots: 1 });
  const other = joinDomain(t, domain);
  const mine = domain.createSyncobj();
  const failed = pendingFence(domain);
  failed.setError("EIO");
  failed.signal();
  mine.replaceFence(failed);
  const handle = sent(mine);
  pendingFence(domain).handle();
  const theirs = other.import(handle);
  assert.equal(theirs.fence!.error?.code, "EIO");
  assert.equal(other.import(theirs.fence!.handle()).error?.code, "EIO");
});

test("domain.import() of a syncobj: the same syncobj for all handles, in flight too, until the last holder has gone", (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const mine = domain.createSyncobj({ signaled: true });
  const [first, second] = [sent(mine), sent(mine)];
  mine.close();
  const [one, two] = [other.import(first), other.import(second)];
  one.reset();
  assert.equal(two.fence, undefined);
  one.close();
  two.signalPoint(5);
  const again = other.import(first);
  assert.equal(again.query(), 5);
  for (const holder of [two, again]) holder.close();
  assert.throws(() => other.import(first), { code: "ESTALE" });
  assert.throws(() => domain.import(second), { code: "ESTALE" });
});

test(
  "a handle that no agent opens holds the syncobj until it is disposed, or for the domain's limit",
  PATIENT,
  async (t) => {
    const domain = createDomain(t, { handleLimit: 5 });
    const mine = domain.createSyncobj();
    const [disposed, late] = [mine.handle(), mine.handle()];
    disposed[Symbol.dispose]();
    mine.close();
    domain.import(structuredClone(late)).close();
    assert.throws(() => domain.import(late), { code: "ESTALE" });
    const next = domain.createSyncobj();
    const limited = next.handle();
    next.close();
    await pause(30);
    assert.throws(() => domain.import(limited), { code: "ESTALE" });
  },
);

test("domain.import() of a syncobj refuses what is no handle, or one of another domain", (t) => {
  const domain = createDomain(t);
  const stranger = createDomain(t);
  const handle = sent(domain.createSyncobj());
  assert.throws(() => stranger.import(handle), { code: "EINVAL", message: /belongs to domain/ });
  const wrong = [undefined, 3, { ...handle, kind: "fence" }, { ...handle, slot: -1 }, { ...handle, slot: 1e6 }];
  for (const each of [...wrong, { ...handle, inflight: { index: 99, ticket: 1 } }, { ...handle, generation: 0.5 }]) {
    assert.throws(() => domain.import(each as never), { code: "EINVAL" });
  }
});

test("a domain has as many shared syncobjs as its option says, and any number of others", (t) => {
  const domain = createDomain(t, { syncobjs: 1 });
  const [one, two] = [domain.createSyncobj(), domain.createSyncobj()];
  const handle = one.handle();
  assert.throws(() => two.handle(), { code: "ENOSPC", message: /option "syncobjs"/ });
  one.close();
  handle[Symbol.dispose]();
  assert.equal(two.handle().slot, 0);
});

test("a shared syncobj has room for 64 pending fences, and says so before anything changes", (t) => {
  const domain = createDomain(t, { oneShots: 100 });
  const mine = domain.createSyncobj();
  const fences = pendingFences(domain, ROOM + 1);
  fences.forEach((fence, i) => mine.addPoint(i + 1, fence));
  const full = { code: "ENOSPC", message: /65 fences .* room for 64/ };
  assert.throws(() => mine.handle(), full);
  fences[0]!.signal();
  const theirs = joinDomain(t, domain).import(sent(mine));
  assert.throws(() => theirs.signalPoint(100), full);
  assert.deepEqual([mine.query(), theirs.query({ lastSubmitted: true })], [1, ROOM + 1]);
  fences[1]!.signal();
  theirs.signalPoint(100);
  assert.equal(mine.query({ lastSubmitted: true }), 100);
  for (const fence of fences) fence.signal();
  assert.equal(mine.query(), 100);
});

test("links that have signaled make room, however many points are added", (t) => {
  const domain = createDomain(t);
  const mine = domain.createSyncobj();
  const theirs = joinDomain(t, domain).import(sent(mine));
  using timeline = domain.createSoftwareTimeline();
  for (let point = 1; point <= 1000; point++) {
    mine.addPoint(point, timeline.createFence(point));
    if (point > 20) timeline.advance();
  }
  assert.deepEqual([theirs.query(), theirs.query({ lastSubmitted: true })], [980, 1000]);
});

for (const point of [0, 3]) {
  test(`a wait and an event hear of point ${point} that another agent submits and signals`, PATIENT, async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const mine = domain.createSyncobj();
    const runs: string[] = [];
    mine.onPoint(point, () => runs.push("available"), { available: true });
    const theirs = other.import(sent(mine));
    mine.onPoint(point, () => runs.push("signaled"));
    const available = mine.wait({ point, forSubmit: true, available: true });
    const signaled = mine.wait({ point, forSubmit: true });
    theirs.reset();
    assert.ok(await isPending(available));
    const fence = pendingFence(other);
    if (point === 0) theirs.replaceFence(fence);
    else theirs.addPoint(point, fence);
    await available;
    assert.deepEqual(runs, ["available"]);
    assert.ok(await isPending(signaled));
    theirs.reset();
    fence.signal();
    assert.deepEqual(await signaled, { state: "signaled", index: 0 });
    assert.deepEqual(runs, ["available", "signaled"]);
  });
}

test("a transfer waits for what another agent submits", PATIENT, async (t) => {
  const domain = createDomain(t);
  const [mine, target] = [domain.createSyncobj(), domain.createSyncobj()];
  const theirs = joinDomain(t, domain).import(sent(mine));
  const transfer = Syncobj.transferWhenSubmitted({ syncobj: mine, point: 2 }, { syncobj: target, point: 7 });
  theirs.signalPoint(1);
  assert.ok(await isPending(transfer));
  theirs.signalPoint(2);
  await transfer;
  assert.equal(target.query(), 7);
});

test("a transfer that blocks takes what is there, and gives up in time", { ...BLOCKS, ...PATIENT }, (t) => {
  const domain = createDomain(t);
  const [mine, target] = [domain.createSyncobj(), domain.createSyncobj()];
  const [from, to] = [
    { syncobj: mine, point: 2 },
    { syncobj: target, point: 7 },
  ];
  assert.throws(() => Syncobj.transferWhenSubmittedSync(from, to, { timeout: 5 }), { code: "ETIMEDOUT" });
  assert.throws(() => Syncobj.transferWhenSubmittedSync(from, to, { timeout: Infinity }), { code: "EDEADLK" });
  joinDomain(t, domain).import(sent(mine)).signalPoint(2);
  Syncobj.transferWhenSubmittedSync(from, to);
  assert.equal(target.query(), 7);
});

test(
  "a blocking wait for a submission is refused until another agent could make it",
  { ...BLOCKS, ...PATIENT },
  (t) => {
    const domain = createDomain(t);
    const mine = domain.createSyncobj();
    assert.throws(() => mine.waitSync({ forSubmit: true }), { code: "EDEADLK" });
    const theirs = joinDomain(t, domain).import(sent(mine));
    assert.deepEqual(mine.waitSync({ forSubmit: true, timeout: 2 }), { state: "timed-out" });
    theirs.signalPoint(1);
    assert.deepEqual(mine.waitSync({ forSubmit: true, point: 1 }), { state: "signaled", index: 0 });
  },
);

test("a deadline reaches the agent whose fence it is", PATIENT, async (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const mine = domain.createSyncobj();
  const theirs = other.import(sent(mine));
  const asked = new Promise<number>((resolve) => {
    const setDeadline = (_fence: Fence, deadlineNs: number): void => resolve(deadlineNs);
    theirs.addPoint(1, other.createFence({ driverName: "driver", timelineName: "line", setDeadline }));
  });
  assert.deepEqual(await mine.wait({ point: 1, timeout: 1, deadlineNs: 7e15 }), { state: "timed-out" });
  assert.equal(await asked, 7e15);
});

test("when an agent dies, its points end and those of others stay", DIES, async (t) => {
  const domain = createDomain(t);
  const mine = domain.createSyncobj();
  const { domain: mortal, die } = joinMortal(domain);
  const theirs = mortal.import(sent(mine));
  const fence = pendingFence(domain);
  mine.addPoint(1, fence);
  theirs.addPoint(2, pendingFence(mortal));
  const second = (mine.fence as FenceChain).fence;
  await die();
  assert.equal(second.error?.code, "ESRCH");
  assert.deepEqual([mine.query(), mine.query({ lastSubmitted: true }), isDone(mine, 2)], [0, 2, false]);
  fence.signal();
  assert.equal(mine.query(), 2);
});

test("a syncobj goes with the death of its last holder, and with the handles it had sent", DIES, async (t) => {
  const domain = createDomain(t, { syncobjs: 1 });
  const { domain: mortal, die } = joinMortal(domain);
  const handle = sent(mortal.createSyncobj());
  await die();
  assert.throws(() => domain.import(handle), { code: "ESTALE" });
  assert.equal(domain.createSyncobj().handle().slot, 0);
});

test(
  "an agent that leaves the domain keeps what was stored there last, for itself; the others go on",
  PATIENT,
  async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const mine = domain.createSyncobj();
    const theirs = other.import(sent(mine));
    theirs.signalPoint(1);
    const waiting = theirs.wait({ point: 2, forSubmit: true });
    other.close();
    await assert.rejects(waiting, { code: "ECANCELED" });
    mine.signalPoint(2);
    assert.deepEqual([theirs.query(), mine.query()], [1, 2]);
    theirs.close();
    assert.ok(!isMissing(mine, 2));
    assert.throws(() => other.import(sent(mine)), { code: "EBADF" });
  },
);

test(
  "a transfer that waits goes to the syncobj that was named, although its holder here is closed",
  PATIENT,
  async (t) => {
    const domain = createDomain(t, { syncobjs: 1 });
    const [source, target] = [domain.createSyncobj(), domain.createSyncobj()];
    const theirs = joinDomain(t, domain).import(sent(target));
    const transfer = Syncobj.transferWhenSubmitted({ syncobj: source, point: 1 }, { syncobj: target, point: 3 });
    target.close();
    assert.equal(await isPending(transfer), true);
    source.addPoint(1, pendingFence(domain));
    await transfer;
    assert.equal(theirs.query({ lastSubmitted: true }), 3);
  },
);

test("a transfer that waits changes no syncobj in the place of one that is gone", PATIENT, async (t) => {
  const domain = createDomain(t, { syncobjs: 1 });
  const [source, target] = [domain.createSyncobj(), domain.createSyncobj()];
  const theirs = joinDomain(t, domain).import(sent(target));
  const transfer = Syncobj.transferWhenSubmitted({ syncobj: source, point: 1 }, { syncobj: target, point: 3 });
  target.close();
  theirs.close();
  const next = domain.createSyncobj();
  assert.throws(() => next.handle(), { code: "ENOSPC" });
  source.addPoint(1, pendingFence(domain));
  await transfer;
  void next.handle();
  assert.equal(next.fence, undefined);
});
