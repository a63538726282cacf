/** Area K of the conformance cases: events of a syncobj's points. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, type Fence, type Syncobj } from "../../src/index.js";
import { fails } from "./buffers.js";
import { closedSyncobj, counter, pendingFence, signaledFence } from "./syncobjs.js";

test("SYO-33 an event calls a function, of a syncobj that is open", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  for (const wrong of [undefined, 3, domain.createSyncFile(pendingFence(domain))]) {
    fails("EINVAL", () => syncobj.onPoint(0, wrong as never));
  }
  fails("ENOENT", () => closedSyncobj(domain).onPoint(0, () => {}));
});

/** Registers for a point both ways; the two counts. */
function events(syncobj: Syncobj, point: number): () => { available: number; signaled: number } {
  const [available, signaled] = [counter(), counter()];
  syncobj.onPoint(point, available.run, { available: true });
  syncobj.onPoint(point, signaled.run);
  return () => ({ available: available.runs, signaled: signaled.runs });
}

for (const point of [0, 1]) {
  const kind = point === 0 ? "binary" : "timeline";
  const submit = (syncobj: Syncobj, fence: Fence): void => {
    if (point === 0) syncobj.replaceFence(fence);
    else syncobj.addPoint(point, fence);
  };

  test(`SYO-34 a submitted point is available, and signaled when its fence is (${kind})`, () => {
    using domain = Domain.create();
    using syncobj = domain.createSyncobj();
    const fence = pendingFence(domain);
    submit(syncobj, fence);
    const runs = events(syncobj, point);
    assert.deepEqual(runs(), { available: 1, signaled: 0 });
    fence.signal();
    assert.deepEqual(runs(), { available: 1, signaled: 1 });
  });

  test(`SYO-35 a point that is not submitted yet is neither, until it is (${kind})`, () => {
    using domain = Domain.create();
    using syncobj = domain.createSyncobj();
    const runs = events(syncobj, point);
    assert.deepEqual(runs(), { available: 0, signaled: 0 });
    syncobj.reset();
    const fence = pendingFence(domain);
    submit(syncobj, fence);
    assert.deepEqual(runs(), { available: 1, signaled: 0 });
    fence.signal();
    assert.deepEqual(runs(), { available: 1, signaled: 1 });
  });

  test(`SYO-36 a point that is signaled already is both at once (${kind})`, () => {
    using domain = Domain.create();
    using syncobj = domain.createSyncobj();
    submit(syncobj, signaledFence(domain));
    assert.deepEqual(events(syncobj, point)(), { available: 1, signaled: 1 });
  });
}

test("SYO-35 once its point exists, an event belongs to that fence", () => {
  using domain = Domain.create();
  const syncobj = domain.createSyncobj();
  const fence = pendingFence(domain);
  syncobj.addPoint(1, fence);
  const runs = events(syncobj, 1);
  syncobj.signal();
  syncobj.reset();
  syncobj.close();
  assert.equal(runs().signaled, 0);
  fence.signal();
  assert.equal(runs().signaled, 1);
});

test("SYO-35 a plain fence is point 0 alone, and a point waits for all below it", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  const runs = events(syncobj, 2);
  syncobj.signal();
  assert.deepEqual(runs(), { available: 0, signaled: 0 });
  const below = pendingFence(domain);
  syncobj.addPoint(1, below);
  syncobj.signalPoint(2);
  assert.deepEqual(runs(), { available: 1, signaled: 0 });
  below.signal();
  assert.deepEqual(runs(), { available: 1, signaled: 1 });
});

test("SYO-35 an event for a point is forgotten with the last holder, or when it is removed", () => {
  using domain = Domain.create();
  const first = domain.createSyncobj();
  const second = first.duplicate();
  const count = counter();
  const removed = first.onPoint(0, count.run);
  first.onPoint(0, count.run);
  assert.equal(removed.remove(), true);
  assert.equal(removed.remove(), false);
  first.close();
  second.signal();
  assert.equal(count.runs, 1);
});
