/** Area E of the conformance cases: sync files and software timelines. */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, DmaBufError, SyncFile, type SoftwareTimeline } from "../../src/index.js";

/** A sync file for a value of a software timeline, as the kernel's own call makes it. */
function point(domain: Domain, timeline: SoftwareTimeline, value: number): SyncFile {
  return domain.createSyncFile(timeline.createFence(value));
}

/** How many fences are pending, and how many have signaled. */
function counts(file: SyncFile): { active: number; signaled: number } {
  const { fences } = file.info();
  const active = fences.filter(({ status }) => status === 0).length;
  return { active, signaled: fences.length - active };
}

const SIGNALED_ONCE = { active: 0, signaled: 1 };

test("SYF-01 a timeline can be made and closed", () => {
  using domain = Domain.create({ timelines: 1 });
  for (let i = 0; i < 3; i++) domain.createSoftwareTimeline().close();
});

test("SYF-02 a value of a timeline makes a sync file of one pending fence", () => {
  using domain = Domain.create();
  using file = point(domain, domain.createSoftwareTimeline(), 1);
  assert.deepEqual(counts(file), { active: 1, signaled: 0 });
});

test("SYF-03 a closed timeline makes no fences, and a handle of another kind opens none", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 1);
  const handle = file.handle();
  timeline.close();
  for (const call of [
    () => timeline.createFence(1),
    () => timeline.advance(),
    () => timeline.handle(),
    () => timeline.value,
  ]) {
    assert.throws(call, { code: "EBADF" });
  }
  for (const other of [{ ...handle, kind: "software-timeline" }, undefined, 3]) {
    assert.throws(() => domain.import(other as never), { code: "EINVAL" });
  }
});

test("SYF-04 a sync file is ready when the timeline has come to its value, and stays so", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 5);
  const ready = [0, 1, 4, 10].map((amount) => {
    timeline.advance(amount);
    return file.isReady();
  });
  assert.deepEqual(ready, [false, false, true, true]);
  assert.equal(timeline.value, 15);
});

test("SYF-05 points of one timeline are merged into the last of them", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  const [a, b, c] = [1, 2, 3].map((value) => point(domain, timeline, value)) as [SyncFile, SyncFile, SyncFile];
  const d = SyncFile.merge("d", c, SyncFile.merge("ba", b, a));
  for (const file of [a, b, c, d]) assert.deepEqual(counts(file), { active: 1, signaled: 0 });
});

test("SYF-06 points of one timeline signal in turn, and their merge with the last", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  const [a, b, c] = [1, 2, 3].map((value) => point(domain, timeline, value)) as [SyncFile, SyncFile, SyncFile];
  const d = SyncFile.merge("d", c, SyncFile.merge("ba", b, a));
  const seen: boolean[][] = [];
  for (let i = 0; i < 3; i++) {
    timeline.advance();
    seen.push([a, b, c, d].map((file) => file.isReady()));
  }
  assert.deepEqual(seen, [
    [true, false, false, false],
    [true, true, false, false],
    [true, true, true, true],
  ]);
  assert.deepEqual(counts(d), SIGNALED_ONCE);
});

test("SYF-07 a sync file merged with itself holds its fence once", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 5);
  using merged = SyncFile.merge("twice", file, file);
  assert.equal(merged.isReady(), false);
  timeline.advance(5);
  assert.equal(merged.isReady(), true);
  assert.deepEqual(counts(merged), SIGNALED_ONCE);
});

interface Merged {
  readonly timelines: SoftwareTimeline[];
  readonly inputs: SyncFile[];
  readonly file: SyncFile;
}

/** Point 5 of each of three timelines, merged. */
function mergedOfThree(domain: Domain): Merged {
  const timelines = [1, 2, 3].map(() => domain.createSoftwareTimeline());
  const inputs = timelines.map((timeline) => point(domain, timeline, 5));
  const file = inputs.reduce((merged, input) => SyncFile.merge("merged", merged, input));
  return { timelines, inputs, file };
}

test("SYF-08 points of three timelines are merged into three fences", () => {
  using domain = Domain.create();
  const { file } = mergedOfThree(domain);
  assert.deepEqual(counts(file), { active: 3, signaled: 0 });
  assert.equal(file.isReady(), false);
});

test("SYF-09 a merge of three timelines is ready when the last of them has come there", () => {
  using domain = Domain.create();
  const { file, timelines } = mergedOfThree(domain);
  const seen = timelines.map((timeline) => {
    timeline.advance(5);
    return [counts(file), file.isReady(), file.info().status];
  });
  assert.deepEqual(seen, [
    [{ active: 2, signaled: 1 }, false, 0],
    [{ active: 1, signaled: 2 }, false, 0],
    [{ active: 0, signaled: 3 }, true, 1],
  ]);
});

test("SYF-10 only open sync files of this agent can be merged", () => {
  using domain = Domain.create();
  using other = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 1);
  using foreign = point(other, other.createSoftwareTimeline(), 1);
  for (const wrong of [-1, undefined, timeline, file.fence, foreign]) {
    assert.throws(() => SyncFile.merge("", file, wrong as never), TypeError);
    assert.throws(() => SyncFile.merge("", wrong as never, file), TypeError);
  }
  const closed = point(domain, timeline, 2);
  closed.close();
  assert.throws(() => SyncFile.merge("", file, closed), { code: "EBADF" });
  assert.throws(() => domain.createSyncFile(timeline as never), TypeError);
});

test("SYF-11 a merge takes a name and two sync files, and no flags", () => {
  assert.equal(SyncFile.merge.length, 3);
});

test("SYF-12 a merge has its own name, and its inputs stay as they are", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline({ name: "line" });
  const [a, b] = [point(domain, timeline, 1), point(domain, timeline, 2)];
  const names = [a.name, b.name];
  using merged = SyncFile.merge("frame", a, b);
  assert.equal(merged.info().name, "frame");
  assert.deepEqual([a.name, b.name], names);
  timeline.advance();
  assert.deepEqual([a.isReady(), b.isReady()], [true, false]);
});

test("SYF-13 a name is cut to 31 bytes, after a whole character", () => {
  using domain = Domain.create();
  using file = point(domain, domain.createSoftwareTimeline(), 1);
  assert.equal(SyncFile.merge("n".repeat(40), file, file).name, "n".repeat(31));
  assert.equal(SyncFile.merge("n".repeat(30) + "äx", file, file).name, "n".repeat(30));
  using long = point(domain, domain.createSoftwareTimeline({ name: "l".repeat(31) }), 1);
  assert.equal(long.name, `sw_sync-${"l".repeat(23)}`);
});

test("SYF-14 a sync file without a name is named by its fence", () => {
  using domain = Domain.create({ name: "app" });
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 7);
  const { name, status, fences } = file.info();
  assert.deepEqual([name, status, fences.length], [`sw_sync-app${timeline.context}-7`, 0, 1]);
  assert.equal(SyncFile.merge("", file, file).name, name);
});

test("SYF-15 info() tells of all fences, however many there are", () => {
  using domain = Domain.create();
  const { file } = mergedOfThree(domain);
  assert.equal(file.info().fences.length, 3);
});

test("SYF-16 info() tells timeline, driver, status and time of each fence", () => {
  using domain = Domain.create();
  const timelines = ["a", "b", "c"].map((name) => domain.createSoftwareTimeline({ name }));
  const files = timelines.map((timeline) => point(domain, timeline, 1));
  using merged = files.reduce((merged, file) => SyncFile.merge("abc", merged, file));
  timelines[1]!.close();
  const { name, status, fences } = merged.info();
  assert.deepEqual([name, status], ["abc", 0]);
  assert.deepEqual(
    fences.map(({ driverName, timelineName, status }) => [driverName, timelineName, status]),
    [
      ["sw_sync", "a", 0],
      ["sw_sync", "b", -2],
      ["sw_sync", "c", 0],
    ],
  );
});

test("SYF-16 the first fence that has not succeeded gives the status, the first that failed that of the whole", () => {
  using domain = Domain.create();
  const [a, b] = [domain.createSoftwareTimeline(), domain.createSoftwareTimeline()];
  const file = SyncFile.merge("", point(domain, a, 1), point(domain, b, 1));
  b.close();
  assert.deepEqual([file.info().status, file.status], [0, 0]);
  a.advance();
  assert.deepEqual([file.info().status, file.status], [-2, -2]);
  using stub = SyncFile.merge("", file, file);
  assert.deepEqual([stub.status, stub.info().fences.map(({ driverName }) => driverName)], [1, ["stub"]]);
});

test("SYF-17 info() takes nothing that could be wrong", () => {
  using domain = Domain.create();
  using file = point(domain, domain.createSoftwareTimeline(), 1);
  assert.equal(file.info.length, 0);
});

test("SYF-18 a sync file has methods, and no numbered call", () => {
  using domain = Domain.create();
  assert.equal("ioctl" in point(domain, domain.createSoftwareTimeline(), 1), false);
});

test("SYF-18 every method of a closed sync file is refused", async () => {
  using domain = Domain.create();
  const file = point(domain, domain.createSoftwareTimeline(), 1);
  file.close();
  file.close();
  assert.equal(file.isClosed, true);
  const closed = { code: "EBADF" };
  for (const call of [
    () => file.isReady(),
    () => file.info(),
    () => file.name,
    () => file.status,
    () => file.handle(),
    () => file.setDeadline(1),
    () => file.waitSync(),
  ]) {
    assert.throws(call, closed);
  }
  await assert.rejects(file.wait(), closed);
});

test("SYF-19 a fence has a time of the monotonic clock once it has signaled, and none before", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 1);
  assert.equal(file.info().fences[0]!.timestamp, undefined);
  const before = agentOf(domain).host.nowNs();
  timeline.advance();
  const { timestamp } = file.info().fences[0]!;
  assert.ok(before <= timestamp! && timestamp! <= agentOf(domain).host.nowNs());
});

test("SYF-19 all fences that one long step passes have a time of that step", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  const files = [1, 70, 999, 1_000_000].map((value) => point(domain, timeline, value));
  timeline.advance(1_000_000);
  const after = agentOf(domain).host.nowNs();
  for (const file of files) assert.ok(file.info().fences[0]!.timestamp! <= after);
});

test("SYF-20 a merge does not need its inputs any more", async () => {
  using domain = Domain.create();
  const [a, b] = [domain.createSoftwareTimeline(), domain.createSoftwareTimeline()];
  const inputs = [point(domain, a, 1), point(domain, b, 1)];
  using merged = SyncFile.merge("", inputs[0]!, inputs[1]!);
  inputs[0]!.close();
  const waiting = merged.wait();
  a.advance();
  b.advance();
  assert.equal(await waiting, "signaled");
  assert.equal(merged.info().status, 1);
});

test("SYF-23 the close of a timeline changes nothing for what had signaled before", () => {
  using domain = Domain.create();
  const timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 1);
  using later = point(domain, timeline, 2);
  timeline.advance();
  timeline.close();
  assert.deepEqual([file.isReady(), file.status], [true, 1]);
  assert.equal(later.fence.error?.code, "ENOENT");
  // Nor does the next use of its place.
  using _next = domain.createSoftwareTimeline();
  assert.equal(file.status, 1);
});

test("SYF-24 each point is ready at once when the timeline comes there", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  timeline.advance(10);
  const primes = Array.from({ length: 98 }, (_, i) => i + 2).filter((n) => {
    for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
    return true;
  });
  assert.equal(primes.length, 25);
  for (const prime of primes) {
    using file = point(domain, timeline, timeline.value + prime);
    assert.equal(file.isReady(), false);
    timeline.advance(prime);
    assert.equal(file.isReady(), true);
  }
});

test("SYF-25 a deadline is a time, whether it has passed or not", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 1);
  for (const wrong of [NaN, Infinity]) assert.throws(() => file.setDeadline(wrong), RangeError);
  file.setDeadline(1);
  file.setDeadline(agentOf(domain).host.nowNs() + 1e9);
  assert.equal(timeline.deadline(file.fence), 1);
});

test("SYF-26 of several deadlines the earliest is kept", () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  using file = point(domain, timeline, 1);
  assert.equal(timeline.deadline(file.fence), undefined);
  const now = agentOf(domain).host.nowNs();
  for (const ms of [200, 100, 300]) file.setDeadline(now + ms * 1e6);
  assert.equal(timeline.deadline(file.fence), now + 100 * 1e6);
  using other = point(domain, timeline, 2);
  assert.equal(timeline.deadline(other.fence), undefined);
  const foreign = domain.createSoftwareTimeline().createFence(1);
  assert.throws(() => timeline.deadline(foreign), { code: "EINVAL" });
});

test("a sync file arrives in another agent with its name and all of its fences", () => {
  using domain = Domain.create({ name: "app" });
  using other = Domain.join(domain.invite());
  const { file, timelines } = mergedOfThree(domain);
  using sent = other.import(structuredClone(file.handle()));
  using plain = point(domain, timelines[0]!, 9);
  assert.equal(other.import(plain.handle()).name, plain.name);
  assert.deepEqual(sent.info(), file.info());
  timelines[1]!.close();
  timelines[0]!.advance(5);
  timelines[2]!.advance(5);
  assert.deepEqual([sent.isReady(), sent.name, sent.status], [true, "merged", -2]);
});

test("a handle of something else, or of another domain, makes no sync file", () => {
  using domain = Domain.create();
  using other = Domain.create();
  using file = point(domain, domain.createSoftwareTimeline(), 1);
  const handle = file.handle();
  assert.throws(() => other.import(handle), { code: "EINVAL" });
  for (const wrong of [
    undefined,
    { ...handle.fence, kind: "sync-file" },
    { ...handle, fence: undefined },
    { ...handle, fence: {} },
  ]) {
    assert.throws(() => domain.import(wrong as never), { name: "DmaBufError", code: "EINVAL" });
  }
  const damaged = { ...handle.fence, slot: 1e9 };
  assert.throws(() => domain.import({ ...handle, fence: damaged }), DmaBufError);
});
