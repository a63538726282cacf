/** Area K of the conformance cases, with syncobjs that parties in different places have in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FenceChain, JoinedDomain, SyncobjHandleData, Syncobj } from "../../../src/index.js";
import { until } from "../../agents.js";
import type { Place } from "./party.js";
import type { SentPoint } from "./syncobj-tasks.js";
import { isDone, isMissing, pendingFence } from "../syncobjs.js";

const PATIENT = { timeout: 60_000 };
const FIRST = { state: "signaled", index: 0 };
const TIMED_OUT = { state: "timed-out" };

/** As many handles as parties open it: each is its own. */
function sent(syncobj: Syncobj): SyncobjHandleData {
  return structuredClone(syncobj.handle());
}

function sentPoint(syncobj: Syncobj, point = 0): SentPoint {
  return { syncobj: sent(syncobj), point };
}

function shared(domain: JoinedDomain, count: number): Syncobj[] {
  return Array.from({ length: count }, () => domain.createSyncobj());
}

export function sharedSyncobjCases(place: Place): void {
  test("SYO-06 what an agent was sent is the same object, for as long as any agent holds it", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const syncobj = domain.createSyncobj();
    const [first, second] = [sent(syncobj), sent(syncobj)];
    await parties[0]!.ask("submit", { syncobj: first, point: 2 }, "fence");
    assert.deepEqual(await parties[1]!.ask("querySyncobj", second), [0, 2]);
    await parties[0]!.ask("signal", "fence");
    assert.equal(syncobj.query(), 2);
    syncobj.close();
    await assert.rejects(parties[0]!.ask("querySyncobj", first), { code: "ESTALE" });
  });

  for (const task of ["waitForPoints", "waitForPointsSync"] as const) {
    test(
      `SYO-13 SYO-14 ${task}() of an agent: what no agent has submitted, and what this one has`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 1);
        const [syncobj] = shared(domain, 1) as [Syncobj];
        const entry = sentPoint(syncobj);
        await assert.rejects(parties[0]!.ask(task, [entry], { timeout: 0 }), { code: "EINVAL" });
        assert.deepEqual(await parties[0]!.ask(task, [entry], { timeout: 5, forSubmit: true }), TIMED_OUT);
        syncobj.replaceFence(pendingFence(domain));
        assert.deepEqual(await parties[0]!.ask(task, [entry], { timeout: 5 }), TIMED_OUT);
        assert.deepEqual(await parties[0]!.ask(task, [entry], { available: true }), FIRST);
      },
    );

    for (const point of [0, 2]) {
      test(
        `SYO-17 SYO-18 ${task}() of an agent for point ${point} that another submits and signals`,
        PATIENT,
        async (t) => {
          const { domain, parties } = await place.meet(t, 2);
          const [syncobj] = shared(domain, 1) as [Syncobj];
          const wait = parties[0]!.start(task, [sentPoint(syncobj, point)], { forSubmit: true });
          await wait.begun;
          await parties[1]!.ask("submit", sentPoint(syncobj, point), "fence");
          assert.equal(isDone(syncobj, point), false);
          await parties[1]!.ask("signal", "fence");
          assert.deepEqual(await wait.done, FIRST);
        },
      );
    }

    test(`SYO-16 ${task}() of an agent for any and for all, which others submit and signal`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 3);
      const [one, two] = shared(domain, 2) as [Syncobj, Syncobj];
      const entries = (): SentPoint[] => [sentPoint(one, 1), sentPoint(two)];
      const any = parties[0]!.start(task, entries(), { forSubmit: true });
      const all = parties[1]!.start(task, entries(), { forSubmit: true, all: true });
      await Promise.all([any.begun, all.begun]);
      await parties[2]!.ask("signalSyncobjs", [sent(two)]);
      assert.deepEqual(await any.done, { state: "signaled", index: 1 });
      one.addPoint(1, pendingFence(domain));
      one.signalPoint(2);
      const below = (one.fence as FenceChain).previous() as FenceChain;
      below.fence.signal();
      const { state } = await all.done;
      assert.equal(state, "signaled");
    });
  }

  for (const blocking of [false, true]) {
    const name = blocking ? "waitSync()" : "wait()";
    test(`SYO-18 ${name} for submission ends when an agent signals the syncobj, or a point`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 1);
      const [binary, timeline] = shared(domain, 2) as [Syncobj, Syncobj];
      const submitted = [
        parties[0]!.ask("signalSyncobjs", [sent(binary)], 20),
        parties[0]!.ask("signalPoints", [sentPoint(timeline, 3)], 40),
      ];
      const one = { forSubmit: true };
      const two = { forSubmit: true, point: 2 };
      assert.deepEqual(blocking ? binary.waitSync(one) : await binary.wait(one), FIRST);
      assert.deepEqual(blocking ? timeline.waitSync(two) : await timeline.wait(two), FIRST);
      await Promise.all(submitted);
    });
  }

  test("SYO-20 SYO-21 three that an agent resets have no fence here", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 1);
    const three = [0, 1, 2].map(() => domain.createSyncobj({ signaled: true }));
    await parties[0]!.ask("resetSyncobjs", three.map(sent));
    assert.ok(three.every((syncobj) => isMissing(syncobj)));
  });

  test("SYO-23 points that an agent signals together are done here", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 1);
    const four = shared(domain, 4);
    const points = [1, 1, 1, 0];
    await parties[0]!.ask(
      "signalPoints",
      four.map((syncobj, i) => sentPoint(syncobj, points[i])),
    );
    assert.ok(four.every((syncobj, i) => isDone(syncobj, points[i])));
  });

  test("SYO-26 an agent's transfer waits for the submission of another", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const [source, target] = shared(domain, 2) as [Syncobj, Syncobj];
    const transfer = parties[0]!.start("transferWhenSubmitted", sentPoint(source, 2), sentPoint(target, 5));
    await transfer.begun;
    await parties[1]!.ask("submit", sentPoint(source, 2), "fence");
    await transfer.done;
    assert.deepEqual([target.query(), target.query({ lastSubmitted: true })], [0, 5]);
    await parties[1]!.ask("signal", "fence");
    assert.equal(target.query(), 5);
  });

  test("SYO-27 SYO-28 what an agent transfers signals with the fence of a third", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const [binary, timeline] = shared(domain, 2) as [Syncobj, Syncobj];
    await parties[0]!.ask("submit", sentPoint(binary), "fence");
    await parties[1]!.ask("transferPoint", sentPoint(binary), sentPoint(timeline, 1));
    assert.deepEqual(await timeline.wait({ point: 1, timeout: 0 }), TIMED_OUT);
    await parties[0]!.ask("signal", "fence");
    assert.equal(timeline.query(), 1);
    timeline.signalPoint(2);
    await parties[1]!.ask("transferPoint", sentPoint(timeline, 2), sentPoint(timeline, 3));
    assert.deepEqual(await parties[0]!.ask("querySyncobj", sent(timeline)), [3, 3]);
  });

  test("SYO-29 SYO-30 a sync file goes into and out of a syncobj in two agents, and is its own", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const [syncobj] = shared(domain, 1) as [Syncobj];
    using file = domain.createSyncFile(pendingFence(domain));
    await parties[0]!.ask("importPoint", sentPoint(syncobj, 1), file.handle());
    using exported = domain.import(await parties[1]!.ask("exportPoint", sentPoint(syncobj)));
    await parties[0]!.ask("signalSyncobjs", [sent(syncobj)]);
    await parties[1]!.ask("resetSyncobjs", [sent(syncobj)]);
    assert.deepEqual([file.isReady(), exported.isReady()], [false, false]);
    file.fence.signal();
    assert.equal(await exported.wait(), "signaled");
  });

  test("SYO-32 of the points that two agents and this one add at once none is lost", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const [syncobj] = shared(domain, 1) as [Syncobj];
    const POINTS = 2000;
    const every = (first: number): number[] => Array.from({ length: POINTS }, (_, i) => 3 * i + first);
    const added = parties.map((party, i) => party.start("addOften", sent(syncobj), every(i + 1)));
    await Promise.all(added.map(({ begun }) => begun));
    for (const point of every(3)) {
      syncobj.signalPoint(point);
      assert.ok(syncobj.query({ lastSubmitted: true }) >= point);
    }
    for (const { done } of added) assert.equal(await done, 0);
    const last = 3 * POINTS;
    assert.deepEqual([isDone(syncobj, last), syncobj.query({ lastSubmitted: true })], [true, last]);
  });

  for (const point of [0, 1]) {
    test(
      `SYO-34 SYO-35 SYO-36 an agent's events of point ${point} come with another's submission and signal`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 2);
        const [syncobj] = shared(domain, 1) as [Syncobj];
        const events = parties[0]!.start("pointEvents", sentPoint(syncobj, point));
        await events.begun;
        await parties[1]!.ask("submit", sentPoint(syncobj, point), "fence");
        const late = parties[1]!.start("pointEvents", sentPoint(syncobj, point));
        await late.begun;
        await parties[1]!.ask("signal", "fence");
        assert.deepEqual(await events.done, ["available", "signaled"]);
        assert.deepEqual(await late.done, ["available", "signaled"]);
        assert.deepEqual(await parties[0]!.ask("pointEvents", sentPoint(syncobj, point)), ["available", "signaled"]);
      },
    );
  }

  test("SYO-17 the points of an agent that is terminated end, and those of the others stay", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const [syncobj] = shared(domain, 1) as [Syncobj];
    await parties[0]!.ask("submit", sentPoint(syncobj, 1), "mortal's");
    await parties[1]!.ask("submit", sentPoint(syncobj, 2), "other's");
    const first = syncobj.exportSyncFile(1);
    const waits = [1, 2].map((point) => parties[1]!.start("waitForPoints", [sentPoint(syncobj, point)]));
    await Promise.all(waits.map(({ begun }) => begun));
    await parties[0]![Symbol.asyncDispose]();
    assert.deepEqual(await waits[0]!.done, FIRST);
    assert.equal(first.info().fences[0]!.status, -3);
    assert.deepEqual([syncobj.query(), isDone(syncobj, 2)], [1, false]);
    await parties[1]!.ask("signal", "other's");
    assert.deepEqual(await waits[1]!.done, FIRST);
  });

  test(
    "SYO-32 agents that are terminated in the middle of adding points leave the timeline whole",
    PATIENT,
    async (t) => {
      const { domain, parties } = await place.meet(t, 4);
      const [syncobj] = shared(domain, 1) as [Syncobj];
      const points = Array.from({ length: 1e6 }, (_, i) => i + 1);
      for (const party of parties.slice(1)) {
        const before = syncobj.query({ lastSubmitted: true });
        const added = party.start("addOften", sent(syncobj), points);
        const ended = assert.rejects(added.done, /has ended/);
        await added.begun;
        await until(() => syncobj.query({ lastSubmitted: true }) > before + 10);
        await party[Symbol.asyncDispose]();
        await ended;
        // What it left pending has ended: nothing below the new point is in the way.
        const next = syncobj.query({ lastSubmitted: true }) + 1;
        await parties[0]!.ask("signalPoints", [sentPoint(syncobj, next)]);
        assert.deepEqual(await syncobj.wait({ point: next }), FIRST);
        assert.equal(syncobj.query(), next);
      }
    },
  );
}
