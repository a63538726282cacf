/** Area K of the conformance cases: syncobjs. Points, events and waiting have files of their own. */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, Syncobj } from "../../src/index.js";
import { fails } from "./buffers.js";
import { closedSyncobj, isDone, isMissing, pendingFence } from "./syncobjs.js";

test("SYO-01 a syncobj is closed once, and again does nothing", () => {
  using domain = Domain.create();
  const syncobj = domain.createSyncobj();
  syncobj.close();
  syncobj.close();
  assert.equal(syncobj.isClosed, true);
});

test("SYO-02 a new syncobj has no fence, unless it is to be signaled", () => {
  using domain = Domain.create();
  assert.equal(domain.createSyncobj().fence, undefined);
  const before = agentOf(domain).host.nowNs();
  const { fence } = domain.createSyncobj({ signaled: true });
  assert.equal(fence!.status, 1);
  assert.ok(fence!.timestamp! >= before);
});

test("SYO-03 a closed syncobj is neither duplicated nor exported", () => {
  using domain = Domain.create();
  fails("ENOENT", () => closedSyncobj(domain).duplicate());
  fails("ENOENT", () => closedSyncobj(domain).exportSyncFile());
});

test("SYO-04 only a sync file is imported", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  for (const wrong of [-1, undefined, syncobj, pendingFence(domain)]) {
    assert.throws(() => syncobj.importSyncFile(wrong as never), TypeError);
  }
  const file = domain.createSyncFile(pendingFence(domain));
  fails("ENOENT", () => closedSyncobj(domain).importSyncFile(file));
  file.close();
  fails("EBADF", () => syncobj.importSyncFile(file));
});

test("SYO-06 a duplicate is another holder of the same object, which lives until the last is closed", () => {
  using domain = Domain.create();
  const first = domain.createSyncobj();
  const second = first.duplicate();
  assert.notEqual(first, second);
  first.replaceFence(pendingFence(domain));
  assert.equal(second.fence, first.fence);
  first.close();
  assert.notEqual(second.fence, undefined);
  second.signal();
  assert.equal(second.fence!.status, 1);
});

test("SYO-07 a call for no syncobjs at all is refused, except a wait", async () => {
  for (const call of [
    () => Syncobj.reset([]),
    () => Syncobj.signal([]),
    () => Syncobj.signalPoints([]),
    () => Syncobj.query([]),
  ]) {
    fails("EINVAL", call);
  }
  assert.deepEqual(await Syncobj.wait([]), { state: "signaled", index: -1 });
  assert.deepEqual(Syncobj.waitSync([]), { state: "signaled", index: -1 });
});

test("SYO-08 a closed syncobj is refused by every call", async () => {
  using domain = Domain.create();
  const closed = closedSyncobj(domain);
  for (const call of [
    () => closed.reset(),
    () => closed.signal(),
    () => closed.query(),
    () => closed.signalPoint(1),
    () => closed.addPoint(1, pendingFence(domain)),
    () => closed.replaceFence(undefined),
    () => closed.fence,
    () => closed.onPoint(0, () => {}),
    () => closed.waitSync({ forSubmit: true, timeout: 0 }),
  ]) {
    fails("ENOENT", call);
  }
  await assert.rejects(closed.wait(), { code: "ENOENT" });
});

/** Three syncobjs of which the second is closed. */
function withOneClosed(domain: Domain, options = {}): [Syncobj, Syncobj, Syncobj] {
  return [domain.createSyncobj(options), closedSyncobj(domain), domain.createSyncobj(options)];
}

test("SYO-09 a reset of several resets none if one of them is closed (syncobj.1)", () => {
  using domain = Domain.create();
  const three = withOneClosed(domain, { signaled: true });
  fails("ENOENT", () => Syncobj.reset(three));
  assert.ok(isDone(three[0]) && isDone(three[2]));
});

test("SYO-10 a signal to several signals none if one of them is closed", () => {
  using domain = Domain.create();
  const three = withOneClosed(domain);
  fails("ENOENT", () => Syncobj.signal(three));
  fails("ENOENT", () => Syncobj.signalPoints(three));
  fails("ENOENT", () => Syncobj.query(three));
  assert.ok(isMissing(three[0]) && isMissing(three[2]));
});

test("SYO-12 a call on several takes a list, and what is in it must be syncobjs", () => {
  using domain = Domain.create();
  assert.deepEqual([Syncobj.reset.length, Syncobj.signal.length, Syncobj.signalPoints.length], [1, 1, 1]);
  for (const wrong of [0, undefined, { syncobj: 3 }, pendingFence(domain)]) {
    assert.throws(() => Syncobj.signal([domain.createSyncobj(), wrong as never]), TypeError);
  }
});

test("SYO-21 several are reset together", () => {
  using domain = Domain.create();
  const three = [0, 1, 2].map(() => domain.createSyncobj({ signaled: true }));
  Syncobj.reset(three);
  assert.ok(three.every((syncobj) => isMissing(syncobj)));
});

test("SYO-29 a sync file that was imported is its own: reset and signal of the syncobj leave it alone", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  using file = domain.createSyncFile(pendingFence(domain));
  syncobj.importSyncFile(file);
  syncobj.reset();
  syncobj.signal();
  assert.equal(file.isReady(), false);
  file.fence.signal();
  assert.equal(file.isReady(), true);
});

test("SYO-30 a sync file that was exported is not told of a signal by hand", () => {
  using domain = Domain.create();
  using syncobj = domain.createSyncobj();
  syncobj.replaceFence(pendingFence(domain));
  using file = syncobj.exportSyncFile();
  syncobj.signal();
  assert.equal(file.isReady(), false);
});

test("SYO-30 the export of a timeline holds all of it: its import makes a timeline with the same points", () => {
  using domain = Domain.create();
  using other = Domain.join(domain.invite());
  const [source, target] = [domain.createSyncobj(), other.createSyncobj()];
  const fences = [1, 2].map(() => pendingFence(domain));
  fences.forEach((fence, i) => source.addPoint(i + 1, fence));
  target.importSyncFile(other.import(source.exportSyncFile().handle()));
  for (let point = 0; point <= 2; point++) {
    assert.deepEqual([target.query(), target.query({ lastSubmitted: true })], [point, 2]);
    fences[point]?.signal();
  }
});

test("SYO-30 a point is exported, and a sync file imported as a point", () => {
  using domain = Domain.create();
  const [source, target] = [domain.createSyncobj(), domain.createSyncobj()];
  const fences = [1, 2].map(() => pendingFence(domain));
  fences.forEach((fence, i) => source.addPoint(i + 1, fence));
  fails("EINVAL", () => source.exportSyncFile(3));
  target.importSyncFile(source.exportSyncFile(1), 7);
  assert.equal(target.query({ lastSubmitted: true }), 7);
  assert.equal(isDone(target, 7), false);
  fences[0]!.signal();
  assert.equal(isDone(target, 7), true);
  assert.equal(source.exportSyncFile(1).status, 1);
});

test("SYO-31 a syncobj without a fence is not exported", () => {
  using domain = Domain.create();
  fails("EINVAL", () => domain.createSyncobj().exportSyncFile());
});

test("a syncobj takes fences of its own agent, and points that are counted", () => {
  using domain = Domain.create();
  using other = Domain.join(domain.invite());
  using syncobj = domain.createSyncobj();
  for (const wrong of [3, domain.createSyncobj(), pendingFence(other)]) {
    assert.throws(() => syncobj.replaceFence(wrong as never), TypeError);
    assert.throws(() => syncobj.addPoint(1, wrong as never), TypeError);
  }
  for (const wrong of [-1, 0.5, 2 ** 53, NaN]) {
    assert.throws(() => syncobj.addPoint(wrong, pendingFence(domain)), RangeError);
    assert.throws(() => syncobj.exportSyncFile(wrong), RangeError);
    assert.throws(() => syncobj.onPoint(wrong, () => {}), RangeError);
  }
});
