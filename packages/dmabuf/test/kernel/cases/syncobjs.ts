/** Areas C and K: syncobjs, and chains as they show them. */
import assert from "node:assert/strict";
import { fails } from "../support.js";
import type { CommonCase, SyncobjLike, WaitOptionsLike, World } from "./world.js";

const DONE = { state: "signaled", index: 0 };
const LATE = { state: "timed-out" };
const POINTS = 64;

export const SYNCOBJ_CASES: readonly CommonCase[] = [
  {
    id: "CHN-05",
    fact: "in a gap between points the next higher one decides",
    run(world) {
      const syncobj = world.syncobj();
      const timeline = submitted(world, syncobj, [2, 4, 6]);
      timeline.advance(2);
      assert.deepEqual([look(syncobj, 1), look(syncobj, 2), look(syncobj, 3)], [DONE, DONE, LATE]);
      timeline.advance(2);
      assert.deepEqual([look(syncobj, 3), look(syncobj, 4), look(syncobj, 5)], [DONE, DONE, LATE]);
    },
  },
  {
    id: "CHN-06",
    fact: "points signal one after the other with their fences",
    run(world) {
      const syncobj = world.syncobj();
      const timeline = submitted(
        world,
        syncobj,
        Array.from({ length: POINTS }, (_, i) => i + 1),
      );
      for (let point = 1; point < POINTS; point++) {
        timeline.advance();
        assert.deepEqual([look(syncobj, point), look(syncobj, point + 1), syncobj.query()], [DONE, LATE, point]);
      }
    },
  },
  {
    id: "CHN-09",
    fact: "a point beyond the last is not found",
    run(world) {
      const syncobj = world.syncobj();
      submitted(world, syncobj, [5]);
      fails("EINVAL", () => look(syncobj, 6));
    },
  },
  {
    id: "CHN-12",
    fact: "a point on top of a plain fence waits for that fence too",
    run(world) {
      const syncobj = world.syncobj();
      const timeline = world.timeline();
      syncobj.importSyncFile(timeline.fence(1));
      syncobj.signalPoint(1);
      assert.deepEqual(look(syncobj, 1), LATE);
      timeline.advance();
      assert.deepEqual(look(syncobj, 1), DONE);
    },
  },
  {
    id: "SYO-05",
    fact: "a syncobj that was made signaled is done at once",
    run: (world) => assert.deepEqual(look(world.syncobj({ signaled: true })), DONE),
  },
  {
    id: "SYO-06",
    fact: "another holder of a syncobj sees the same fence, and outlives the first",
    run(world) {
      const first = world.syncobj();
      const second = first.another();
      first.importSyncFile(world.timeline().fence(1));
      assert.deepEqual(look(second), LATE);
      first.close();
      second.signal();
      assert.deepEqual(look(second), DONE);
    },
  },
  {
    id: "SYO-07",
    fact: "a call for no syncobjs at all is refused",
    run({ syncobjs }) {
      fails("EINVAL", () => syncobjs.reset([]));
      fails("EINVAL", () => syncobjs.signal([]));
      fails("EINVAL", () => syncobjs.signalPoints([]));
      fails("EINVAL", () => syncobjs.query([]));
    },
  },
  {
    id: "SYO-08",
    fact: "a closed syncobj is refused by every call",
    run(world) {
      const closed = closedSyncobj(world);
      for (const use of [
        () => closed.reset(),
        () => closed.signal(),
        () => closed.query(),
        () => closed.signalPoint(1),
        () => look(closed),
        () => closed.onPoint(0),
      ]) {
        fails("ENOENT", use);
      }
    },
  },
  {
    id: "SYO-09",
    fact: "a reset of several resets none if one of them is closed",
    run(world) {
      const [first, third] = [world.syncobj({ signaled: true }), world.syncobj({ signaled: true })];
      fails("ENOENT", () => world.syncobjs.reset([first, closedSyncobj(world), third]));
      assert.deepEqual([look(first), look(third)], [DONE, DONE]);
    },
  },
  {
    id: "SYO-10",
    fact: "a signal to several signals none if one of them is closed",
    run(world) {
      const [first, third] = [world.syncobj(), world.syncobj()];
      fails("ENOENT", () => world.syncobjs.signal([first, closedSyncobj(world), third]));
      for (const syncobj of [first, third]) fails("EINVAL", () => look(syncobj));
    },
  },
  {
    id: "SYO-13",
    fact: "a wait for what was not submitted is refused, or takes its time",
    run(world) {
      const syncobj = world.syncobj();
      fails("EINVAL", () => look(syncobj));
      fails("EINVAL", () => syncobj.waitSync({ timeout: 20 }));
      assert.deepEqual(look(syncobj, 0, { forSubmit: true }), LATE);
      assert.deepEqual(syncobj.waitSync({ forSubmit: true, timeout: 20 }), LATE);
    },
  },
  {
    id: "SYO-14",
    fact: "a wait for what was submitted takes its time, or ends at once if that is enough",
    run(world) {
      const syncobj = world.syncobj();
      syncobj.importSyncFile(world.timeline().fence(1));
      assert.deepEqual(look(syncobj), LATE);
      assert.deepEqual(look(syncobj, 0, { available: true }), DONE);
    },
  },
  {
    id: "SYO-15",
    fact: "a wait for what has signaled ends at once, whatever it was asked",
    run(world) {
      const syncobj = world.syncobj({ signaled: true });
      for (const all of [false, true]) {
        for (const forSubmit of [false, true]) {
          for (const timeout of [0, 20, undefined]) {
            const options = { all, forSubmit, ...(timeout !== undefined && { timeout }) };
            assert.deepEqual(syncobj.waitSync(options).state, "signaled");
          }
        }
      }
    },
  },
  {
    id: "SYO-16",
    fact: "waits for any and for all of three, in every mix of their states",
    run(world) {
      const states = ["missing", "pending", "signaled"] as const;
      const timeline = world.timeline();
      for (let mix = 0; mix < 27; mix++) {
        const three = [mix % 3, Math.floor(mix / 3) % 3, Math.floor(mix / 9)].map((state) => states[state]!);
        const entries = three.map((state) => {
          const syncobj = world.syncobj({ signaled: state === "signaled" });
          if (state === "pending") syncobj.importSyncFile(timeline.fence(1));
          return { syncobj, point: 0 };
        });
        for (const all of [false, true]) {
          for (const forSubmit of [false, true]) {
            const wait = (): unknown => world.syncobjs.waitSync(entries, { all, forSubmit, timeout: 0 });
            const done = all ? three.every((each) => each === "signaled") : three.includes("signaled");
            if (three.includes("missing") && !forSubmit) fails("EINVAL", wait);
            else if (!done) assert.deepEqual(wait(), LATE);
            else assert.deepEqual(wait(), { state: "signaled", index: three.indexOf("signaled") });
          }
        }
        for (const { syncobj } of entries) syncobj.close();
      }
    },
  },
  {
    id: "SYO-19",
    fact: "a reset changes nothing where there is nothing",
    run(world) {
      const syncobj = world.syncobj();
      fails("EINVAL", () => look(syncobj));
      syncobj.reset();
      fails("EINVAL", () => look(syncobj));
    },
  },
  {
    id: "SYO-20",
    fact: "a reset takes the fence away",
    run(world) {
      const syncobj = world.syncobj({ signaled: true });
      syncobj.reset();
      fails("EINVAL", () => look(syncobj));
    },
  },
  {
    id: "SYO-21",
    fact: "several are reset together",
    run(world) {
      const three = [1, 2, 3].map(() => world.syncobj({ signaled: true }));
      world.syncobjs.reset(three);
      for (const syncobj of three) fails("EINVAL", () => look(syncobj));
    },
  },
  {
    id: "SYO-22",
    fact: "a wait may be tried until it succeeds",
    run(world) {
      const syncobj = world.syncobj();
      fails("EINVAL", () => look(syncobj));
      assert.deepEqual(look(syncobj, 0, { forSubmit: true }), LATE);
      syncobj.signal();
      assert.deepEqual(look(syncobj), DONE);
    },
  },
  {
    id: "SYO-23",
    fact: "points of several timelines are signaled together, the last one as a binary syncobj",
    run(world) {
      const entries = [1, 1, 1, 0].map((point) => ({ syncobj: world.syncobj(), point }));
      world.syncobjs.signalPoints(entries);
      assert.deepEqual(world.syncobjs.waitSync(entries.slice(0, 3), { all: true, timeout: 0 }), DONE);
      assert.deepEqual(look(entries[3]!.syncobj), DONE);
    },
  },
  {
    id: "SYO-24",
    fact: "a timeline that is signaled at point 0 is done at point 0, and goes on from there",
    run(world) {
      const syncobj = world.syncobj();
      syncobj.signalPoint(0);
      assert.deepEqual([look(syncobj), syncobj.query()], [DONE, 0]);
      syncobj.signalPoint(1);
      assert.equal(syncobj.query(), 1);
    },
  },
  {
    id: "SYO-25",
    fact: "a transfer from or to a closed syncobj is refused",
    run(world) {
      const [open, closed] = [world.syncobj({ signaled: true }), closedSyncobj(world)];
      const [from, to] = [open, closed].map((syncobj) => ({ syncobj, point: 0 }));
      fails("ENOENT", () => world.syncobjs.transfer(from!, to!));
      fails("ENOENT", () => world.syncobjs.transfer(to!, from!));
    },
  },
  {
    id: "SYO-26",
    fact: "a point can be transferred to a later one of the same timeline, and one that is missing cannot",
    run(world) {
      const syncobj = world.syncobj();
      syncobj.signalPoint(63);
      fails("EINVAL", () => world.syncobjs.transfer({ syncobj, point: 64 }, { syncobj, point: 70 }));
      world.syncobjs.transfer({ syncobj, point: 63 }, { syncobj, point: 74 });
      assert.deepEqual([look(syncobj, 74), syncobj.query()], [DONE, 74]);
    },
  },
  {
    id: "SYO-27",
    fact: "the fence of a software timeline becomes a point, which signals with it",
    run(world) {
      const { syncobj, timeline } = transferred(world);
      assert.deepEqual([syncobj.query(), look(syncobj, 1)], [0, LATE]);
      timeline.advance();
      assert.deepEqual([syncobj.query(), look(syncobj, 1)], [1, DONE]);
    },
  },
  {
    id: "SYO-28",
    fact: "a point that was signaled by hand is transferred further",
    run(world) {
      const { syncobj, timeline } = transferred(world);
      timeline.advance();
      syncobj.signalPoint(2);
      world.syncobjs.transfer({ syncobj, point: 2 }, { syncobj, point: 3 });
      assert.equal(syncobj.query(), 3);
    },
  },
  {
    id: "SYO-29",
    fact: "a sync file that was imported is not told of a reset and a signal of the syncobj",
    run(world) {
      const [syncobj, timeline] = [world.syncobj(), world.timeline()];
      const file = timeline.fence(1);
      syncobj.importSyncFile(file);
      syncobj.reset();
      syncobj.signal();
      assert.equal(file.isReady(), false);
      timeline.advance();
      assert.equal(file.isReady(), true);
    },
  },
  {
    id: "SYO-30",
    fact: "a sync file that was exported is not told of a signal by hand",
    run(world) {
      const [syncobj, timeline] = [world.syncobj(), world.timeline()];
      syncobj.importSyncFile(timeline.fence(1));
      const file = syncobj.exportSyncFile();
      syncobj.signal();
      assert.equal(file.isReady(), false);
      timeline.advance();
      assert.equal(file.isReady(), true);
    },
  },
  {
    id: "SYO-31",
    fact: "without a fence there is nothing to export",
    run: (world) => fails("EINVAL", () => world.syncobj().exportSyncFile()),
  },
  {
    id: "SYO-32",
    fact: "100 growing points are each known as soon as they are signaled",
    run(world) {
      const syncobj = world.syncobj();
      // Steps of 1 to 64 in a mixed order, the same in every run.
      for (let i = 0, value = 0; i < 100; i++) {
        value += ((i * 37) % 64) + 1;
        syncobj.signalPoint(value);
        assert.deepEqual([syncobj.query(), look(syncobj, value), look(syncobj, value - 1)], [value, DONE, DONE]);
      }
    },
  },
  ...[0, 5].map((point): CommonCase => ({
    id: "SYO-34",
    fact: `a fence that was submitted at point ${point} is available at once, and the other event comes with its signal`,
    run(world) {
      const [syncobj, timeline] = [world.syncobj(), world.timeline()];
      submit(world, syncobj, timeline.fence(1), point);
      const [signaled, available] = [syncobj.onPoint(point), syncobj.onPoint(point, { available: true })];
      assert.deepEqual([signaled(), available()], [false, true]);
      timeline.advance();
      assert.deepEqual([signaled(), available()], [true, true]);
    },
  })),
  ...[0, 5].map((point): CommonCase => ({
    id: "SYO-35",
    fact: `events of point ${point} that is not there yet come with its fence, and with its signal`,
    run(world) {
      const [syncobj, timeline] = [world.syncobj(), world.timeline()];
      const [signaled, available] = [syncobj.onPoint(point), syncobj.onPoint(point, { available: true })];
      assert.deepEqual([signaled(), available()], [false, false]);
      submit(world, syncobj, timeline.fence(1), point);
      assert.deepEqual([signaled(), available()], [false, true]);
      timeline.advance();
      assert.deepEqual([signaled(), available()], [true, true]);
    },
  })),
  ...[0, 5].map((point): CommonCase => ({
    id: "SYO-36",
    fact: `both events of point ${point} come at once if it has signaled`,
    run(world) {
      const syncobj = world.syncobj();
      if (point === 0) syncobj.signal();
      else syncobj.signalPoint(point);
      assert.deepEqual([syncobj.onPoint(point)(), syncobj.onPoint(point, { available: true })()], [true, true]);
    },
  })),
];

function look(syncobj: SyncobjLike, point = 0, options: WaitOptionsLike = {}): unknown {
  return syncobj.waitSync({ point, timeout: 0, ...options });
}

function closedSyncobj(world: World): SyncobjLike {
  const syncobj = world.syncobj();
  syncobj.close();
  return syncobj;
}

/** Puts the fence at a point. */
function submit(world: World, syncobj: SyncobjLike, file: ReturnType<SyncobjLike["exportSyncFile"]>, point: number) {
  if (point === 0) return syncobj.importSyncFile(file);
  const binary = world.syncobj();
  binary.importSyncFile(file);
  world.syncobjs.transfer({ syncobj: binary, point: 0 }, { syncobj, point });
}

/** Points that signal with the same values of a new timeline. */
function submitted(world: World, syncobj: SyncobjLike, points: readonly number[]): ReturnType<World["timeline"]> {
  const timeline = world.timeline();
  for (const point of points) submit(world, syncobj, timeline.fence(point), point);
  return timeline;
}

function transferred(world: World): { syncobj: SyncobjLike; timeline: ReturnType<World["timeline"]> } {
  const [syncobj, timeline] = [world.syncobj(), world.timeline()];
  submit(world, syncobj, timeline.fence(1), 1);
  return { syncobj, timeline };
}
