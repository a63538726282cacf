/** Area K of the conformance cases: the points of a syncobj that is used as a timeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, FenceChain, Syncobj, type Fence } from "../../src/index.js";
import { fails } from "./buffers.js";
import { closedSyncobj, counter, isDone, isMissing, pendingFence, signaledFence } from "./syncobjs.js";

test("SYO-23 points of several timelines are signaled together, the last one as a binary syncobj", () => {
  using domain = Domain.create();
  const four = [1, 1, 1, 0].map((point) => ({ syncobj: domain.createSyncobj(), point }));
  Syncobj.signalPoints(four);
  assert.ok(four.slice(0, 3).every(({ syncobj }) => isDone(syncobj, 1)));
  assert.ok(isDone(four[3]!.syncobj));
});

test("SYO-24 a timeline that is signaled at point 0 is done at point 0, and as a whole", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  syncobj.signalPoint(0);
  assert.ok(isDone(syncobj, 0) && isDone(syncobj));
  assert.equal(syncobj.query(), 0);
  // Point 1 continues from there.
  syncobj.signalPoint(1);
  assert.equal(syncobj.query(), 1);
});

test("SYO-25 a transfer from or to a closed syncobj is refused", async () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj({ signaled: true });
  const closed = closedSyncobj(domain);
  fails("ENOENT", () => Syncobj.transfer(syncobj, closed));
  fails("ENOENT", () => Syncobj.transfer(closed, syncobj));
  await assert.rejects(Syncobj.transferWhenSubmitted(closed, syncobj), { code: "ENOENT" });
});

test("SYO-26 a point can be transferred to a later point of the same timeline", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  syncobj.signalPoint(63);
  Syncobj.transfer({ syncobj, point: 63 }, { syncobj, point: 74 });
  assert.ok(isDone(syncobj, 74));
  assert.equal(syncobj.query(), 74);
});

test("SYO-26 a transfer from a point that is not submitted yet is refused", () => {
  using domain = Domain.create();
  const [empty, target] = [domain.createSyncobj(), domain.createSyncobj()];
  fails("EINVAL", () => Syncobj.transfer(empty, target));
  empty.signalPoint(3);
  fails("EINVAL", () => Syncobj.transfer({ syncobj: empty, point: 4 }, target));
  assert.ok(isMissing(target));
});

test("SYO-26 a transfer may wait for the submission, with a time limit", { timeout: 10_000 }, async () => {
  using domain = Domain.create();
  const [source, target] = [domain.createSyncobj(), domain.createSyncobj()];
  const from = { syncobj: source, point: 2 };
  await assert.rejects(Syncobj.transferWhenSubmitted(from, target, { timeout: 5 }), { code: "ETIMEDOUT" });
  const transfer = Syncobj.transferWhenSubmitted(from, { syncobj: target, point: 1 });
  source.addPoint(1, pendingFence(domain));
  source.addPoint(2, pendingFence(domain));
  // The point that was seen counts, whatever becomes of the source.
  source.reset();
  await transfer;
  assert.equal(target.query({ lastSubmitted: true }), 1);
  assert.equal(isDone(target, 1), false);
});

test("SYO-27 the fence of a software timeline's point becomes a point, which signals with it", async () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  const [binary, syncobj] = [domain.createSyncobj(), domain.createSyncobj()];
  binary.importSyncFile(domain.createSyncFile(timeline.createFence(1)));
  Syncobj.transfer(binary, { syncobj, point: 1 });
  assert.equal(syncobj.query(), 0);
  assert.deepEqual(await syncobj.wait({ point: 1, timeout: 0 }), { state: "timed-out" });
  timeline.advance();
  assert.equal(syncobj.query(), 1);
  assert.deepEqual(await syncobj.wait({ point: 1, timeout: 0 }), { state: "signaled", index: 0 });
});

test("SYO-28 a point that was signaled by hand is transferred to the next", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  syncobj.addPoint(1, signaledFence(domain));
  syncobj.signalPoint(2);
  Syncobj.transfer({ syncobj, point: 2 }, { syncobj, point: 3 });
  assert.equal(syncobj.query(), 3);
});

test("SYO-28 a transfer to point 0 takes the fence as it is: a chain makes the other a timeline", () => {
  using domain = Domain.create();
  const [source, target] = [domain.createSyncobj(), domain.createSyncobj()];
  const fences = [1, 2, 3].map(() => pendingFence(domain));
  fences.forEach((fence, i) => source.addPoint(i + 1, fence));
  fences[0]!.signal();
  Syncobj.transfer({ syncobj: source, point: 2 }, target);
  assert.deepEqual([target.query(), target.query({ lastSubmitted: true })], [1, 2]);
  fences[1]!.signal();
  assert.equal(target.query(), 2);
  // A point that is done and gone is a stub.
  Syncobj.transfer({ syncobj: source, point: 1 }, target);
  assert.ok(isDone(target) && !(target.fence instanceof FenceChain));
});

test("SYO-32 each of 100 points is what the timeline has come to, and is done with the one before", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  let point = 0;
  for (let i = 0; i < 100; i++) {
    point += 1 + Math.floor(Math.random() * 1000);
    syncobj.signalPoint(point);
    assert.equal(syncobj.query(), point);
    assert.ok(isDone(syncobj, point) && isDone(syncobj, point - 1));
  }
});

test("a query tells the last point that is done with all before it, or the last there is", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const fences = [1, 2, 3].map(() => pendingFence(domain));
  fences.forEach((fence, i) => syncobj.addPoint(10 * (i + 1), fence));
  fences[1]!.signal();
  assert.deepEqual([syncobj.query(), syncobj.query({ lastSubmitted: true })], [0, 30]);
  fences[0]!.signal();
  assert.equal(syncobj.query(), 20);
  fences[2]!.signal();
  assert.equal(syncobj.query(), 30);
  syncobj.signal();
  assert.deepEqual([syncobj.query(), syncobj.query({ lastSubmitted: true })], [0, 0]);
});

test("a point that is added backwards lets the query start again, and run ahead", () => {
  using domain = Domain.create();
  const add = (syncobj: Syncobj, point: number): Fence => {
    const fence = pendingFence(domain);
    syncobj.addPoint(point, fence);
    return fence;
  };
  using syncobj = domain.createSyncobj();
  add(syncobj, 1).signal();
  add(syncobj, 5);
  assert.equal(syncobj.query(), 1);
  const third = add(syncobj, 3);
  assert.deepEqual([syncobj.query(), isDone(syncobj, 1)], [0, false]);
  add(syncobj, 6);
  third.signal();
  assert.deepEqual([syncobj.query(), isDone(syncobj, 5)], [5, false]);
});

test("a plain fence below a point still has to signal (syncobj.2)", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const below = pendingFence(domain);
  syncobj.replaceFence(below);
  syncobj.signalPoint(1);
  assert.deepEqual([syncobj.query(), isDone(syncobj, 1)], [0, false]);
  below.signal();
  assert.deepEqual([syncobj.query(), isDone(syncobj, 1)], [1, true]);
});

test("100,000 points that signal one after the other are added, queried and found", { timeout: 60_000 }, () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const POINTS = 100_000;
  const pending: Fence[] = [];
  for (let point = 1; point <= POINTS; point++) {
    pending.push(pendingFence(domain));
    syncobj.addPoint(point, pending.at(-1)!);
    if (pending.length > 4) pending.shift()!.signal();
  }
  assert.equal(syncobj.query(), POINTS - 4);
  for (const fence of pending) fence.signal();
  assert.equal(syncobj.query(), POINTS);
});

test("100,000 pending points are added one on top of the other, and signal", { timeout: 60_000 }, () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const POINTS = 100_000;
  using timeline = domain.createSoftwareTimeline();
  for (let point = 1; point <= POINTS; point++) syncobj.addPoint(point, timeline.createFence(point));
  const count = counter();
  syncobj.onPoint(1, count.run);
  syncobj.onPoint(POINTS, count.run);
  timeline.advance(POINTS / 2);
  assert.deepEqual([syncobj.query(), count.runs], [POINTS / 2, 1]);
  timeline.advance(POINTS / 2);
  assert.deepEqual([syncobj.query(), count.runs], [POINTS, 2]);
});
