/** Areas C, D and E: what sync files show of fences. */
import assert from "node:assert/strict";
import type { CommonCase, SyncFileLike, TimelineLike, World } from "./world.js";

const SIGNALED_ONCE = { active: 0, signaled: 1 };

export const SYNC_FILE_CASES: readonly CommonCase[] = [
  {
    id: "SYF-01",
    fact: "a timeline opens and closes",
    run: (world) => world.timeline().close(),
  },
  {
    id: "SYF-04",
    fact: "a point is ready when its number is reached, and stays so",
    run(world) {
      const timeline = world.timeline();
      const file = timeline.fence(5);
      const seen = [file.isReady()];
      for (const amount of [1, 4, 10]) {
        timeline.advance(amount);
        seen.push(file.isReady());
      }
      assert.deepEqual(seen, [false, false, true, true]);
    },
  },
  {
    id: "SYF-05",
    fact: "merging points of one timeline leaves the latest",
    run(world) {
      const { a, b, c, merged } = threePoints(world);
      for (const file of [a, b, c, merged]) assert.deepEqual(counts(file), { active: 1, signaled: 0 });
    },
  },
  {
    id: "SYF-06",
    fact: "points signal in turn, and their merge with the last",
    run(world) {
      const { timeline, a, b, c, merged } = threePoints(world);
      const seen = [a, b, c].map(() => {
        timeline.advance();
        return [a, b, c, merged].map((file) => file.isReady());
      });
      assert.deepEqual(seen, [
        [true, false, false, false],
        [true, true, false, false],
        [true, true, true, true],
      ]);
      assert.deepEqual(counts(merged), SIGNALED_ONCE);
    },
  },
  {
    id: "SYF-07",
    fact: "a point merged with itself is one fence",
    run(world) {
      const timeline = world.timeline();
      const file = timeline.fence(5);
      const merged = world.merge("twice", file, file);
      assert.equal(merged.isReady(), false);
      timeline.advance(5);
      assert.deepEqual([merged.isReady(), counts(merged)], [true, SIGNALED_ONCE]);
    },
  },
  {
    id: "SYF-08",
    fact: "a merge of three timelines holds three fences",
    run(world) {
      const { file } = mergedOfThree(world);
      assert.deepEqual([counts(file), file.isReady()], [{ active: 3, signaled: 0 }, false]);
    },
  },
  {
    id: "SYF-09",
    fact: "a merge of three timelines is ready with the last of them",
    run(world) {
      const { file, timelines } = mergedOfThree(world);
      const seen = timelines.map((timeline) => {
        timeline.advance(5);
        return [counts(file), file.isReady()];
      });
      assert.deepEqual(seen, [
        [{ active: 2, signaled: 1 }, false],
        [{ active: 1, signaled: 2 }, false],
        [{ active: 0, signaled: 3 }, true],
      ]);
    },
  },
  {
    id: "SYF-12",
    fact: "a merge has its own name, and leaves its inputs as they are",
    run(world) {
      const timeline = world.timeline();
      const [a, b] = [timeline.fence(1), timeline.fence(2)];
      const names = [a.info().name, b.info().name];
      const merged = world.merge("frame", a, b);
      assert.deepEqual([merged.info().name, a.info().name, b.info().name], ["frame", ...names]);
      timeline.advance();
      assert.deepEqual([a.isReady(), b.isReady()], [true, false]);
    },
  },
  {
    id: "SYF-13",
    fact: "a name of 40 characters is cut to 31",
    run(world) {
      const file = world.timeline().fence(1);
      assert.equal(world.merge("n".repeat(40), file, file).name, "n".repeat(31));
    },
  },
  {
    id: "SYF-14",
    fact: "a sync file is named by driver, timeline, context and number",
    run(world) {
      const { name, status, fences } = world.timeline().fence(7).info();
      assert.match(name, /^sw_sync-.+\d+-7$/);
      assert.equal(name.startsWith(`sw_sync-${fences[0]!.timelineName}`), true);
      assert.deepEqual([status, fences.length], [0, 1]);
    },
  },
  {
    id: "SYF-16",
    fact: "a closed timeline fails its pending points with ENOENT, and the first that has not succeeded gives the status",
    run(world) {
      const [a, b] = [world.timeline(), world.timeline()];
      const file = world.merge("", a.fence(1), b.fence(1));
      b.close();
      assert.deepEqual(
        file
          .info()
          .fences.map(({ driverName, status }) => [driverName, status])
          .sort(),
        [
          ["sw_sync", -2],
          ["sw_sync", 0],
        ],
      );
      a.advance();
      assert.deepEqual([file.isReady(), file.info().status, file.status], [true, -2, -2]);
      // What has signaled is left out of a merge, and its error with it.
      assert.deepEqual(
        world
          .merge("", file, file)
          .info()
          .fences.map(({ driverName, status }) => [driverName, status]),
        [["stub", 1]],
      );
    },
  },
  {
    id: "SYF-19",
    fact: "a fence has a time of the monotonic clock once it has signaled, and none before",
    run(world) {
      const timeline = world.timeline();
      const file = timeline.fence(1);
      assert.equal(file.info().fences[0]!.timestamp, undefined);
      const before = Number(process.hrtime.bigint());
      timeline.advance();
      file.isReady();
      const { timestamp } = file.info().fences[0]!;
      assert.ok(before <= timestamp! && timestamp! <= Number(process.hrtime.bigint()));
    },
  },
  {
    id: "SYF-20",
    fact: "a merge does not need its inputs any more",
    async run(world) {
      const [a, b] = [world.timeline(), world.timeline()];
      const inputs = [a.fence(1), b.fence(1)];
      const merged = world.merge("", inputs[0]!, inputs[1]!);
      inputs[0]!.close();
      const waiting = merged.wait();
      a.advance();
      b.advance();
      assert.deepEqual([await waiting, merged.info().status], ["signaled", 1]);
    },
  },
  {
    id: "SYF-23",
    fact: "the close of a timeline changes nothing for what had signaled before",
    run(world) {
      const timeline = world.timeline();
      const [file, later] = [timeline.fence(1), timeline.fence(2)];
      timeline.advance();
      timeline.close();
      assert.deepEqual([file.isReady(), file.status, later.isReady(), later.status], [true, 1, true, -2]);
    },
  },
  {
    id: "SYF-24",
    fact: "each point is ready as soon as the timeline comes there",
    run(world) {
      const timeline = world.timeline();
      timeline.advance(10);
      let value = 10;
      for (const prime of [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
      ]) {
        const file = timeline.fence(value + prime);
        assert.equal(file.isReady(), false);
        timeline.advance(prime);
        value += prime;
        assert.equal(file.isReady(), true);
      }
    },
  },
  {
    id: "SYF-26",
    fact: "of several deadlines the earliest is kept",
    run(world) {
      const timeline = world.timeline();
      const file = timeline.fence(1);
      assert.equal(timeline.deadline(file), undefined);
      const now = Number(process.hrtime.bigint());
      for (const ms of [200, 100, 300]) file.setDeadline(now + ms * 1e6);
      assert.equal(timeline.deadline(file), now + 100e6);
    },
  },
  {
    id: "UNW-06",
    fact: "a merge of two pending fences holds exactly those",
    run(world) {
      const [a, b] = [world.timeline(), world.timeline()];
      const merged = world.merge("", a.fence(1), b.fence(1));
      assert.deepEqual(counts(merged), { active: 2, signaled: 0 });
    },
  },
  {
    id: "UNW-07",
    fact: "a merge of a pending and a signaled fence is the pending one",
    run(world) {
      const [a, b] = [world.timeline(), world.timeline()];
      const [pending, signaled] = [a.fence(1), b.fence(1)];
      b.advance();
      const merged = world.merge("", pending, signaled);
      assert.deepEqual([merged.name, counts(merged)], [pending.name, { active: 1, signaled: 0 }]);
    },
  },
  {
    id: "UNW-08",
    fact: "a merge of signaled fences is a stub with the later time",
    run(world) {
      const [a, b] = [world.timeline(), world.timeline()];
      const files = [a.fence(1), b.fence(1)];
      a.advance();
      files[0]!.isReady();
      b.advance();
      files[1]!.isReady();
      const later = files[1]!.info().fences[0]!.timestamp;
      const { fences, status } = world.merge("", files[0]!, files[1]!).info();
      assert.deepEqual(
        [status, fences],
        [1, [{ driverName: "stub", timelineName: "stub", status: 1, timestamp: later }]],
      );
    },
  },
  {
    id: "FEN-12",
    fact: "a wait that only looks is over before the signal, and done after it",
    run(world) {
      const timeline = world.timeline();
      const file = timeline.fence(1);
      assert.equal(file.waitSync({ timeout: 0 }), "timed-out");
      timeline.advance();
      assert.equal(file.waitSync({ timeout: 0 }), "signaled");
    },
  },
  {
    id: "FEN-13",
    fact: "a wait for a fence that does not signal takes its time and ends",
    async run(world) {
      const file = world.timeline().fence(1);
      const start = performance.now();
      assert.equal(await file.wait({ timeout: 20 }), "timed-out");
      assert.ok(performance.now() - start >= 19);
    },
  },
  {
    id: "FEN-34",
    fact: "of two fences that signal one after the other the second has no earlier time",
    run(world) {
      const timeline = world.timeline();
      const files = [timeline.fence(1), timeline.fence(2)];
      timeline.advance();
      timeline.advance();
      const [first, second] = files.map((file) => file.isReady() && file.info().fences[0]!.timestamp!);
      assert.ok(Number(first) <= Number(second));
    },
  },
];

/** Points 1, 2 and 3 of one timeline, and all of them merged. */
function threePoints(world: World): Record<"a" | "b" | "c" | "merged", SyncFileLike> & { timeline: TimelineLike } {
  const timeline = world.timeline();
  const [a, b, c] = [timeline.fence(1), timeline.fence(2), timeline.fence(3)];
  return { timeline, a, b, c, merged: world.merge("d", c, world.merge("ba", b, a)) };
}

/** Point 5 of each of three timelines, merged. */
function mergedOfThree(world: World): { timelines: TimelineLike[]; file: SyncFileLike } {
  const timelines = [1, 2, 3].map(() => world.timeline());
  const inputs = timelines.map((timeline) => timeline.fence(5));
  return { timelines, file: inputs.reduce((merged, input) => world.merge("merged", merged, input)) };
}

function counts(file: SyncFileLike): { active: number; signaled: number } {
  const { fences } = file.info();
  const active = fences.filter(({ status }) => status === 0).length;
  return { active, signaled: fences.length - active };
}
