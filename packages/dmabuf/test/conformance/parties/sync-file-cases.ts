/** Area E of the conformance cases, with the timeline and who waits for it in different places. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { PAGE_SIZE, SyncFile } from "../../../src/index.js";
import type { Place } from "./party.js";
import { begin } from "./waiting.js";

const PATIENT = { timeout: 60_000 };

export function syncFileCases(place: Place): void {
  test(
    "SYF-04 a sync file is ready for another agent when the timeline has come there",
    PATIENT,
    async (t: TestContext) => {
      const { domain, parties } = await place.meet(t, 2);
      using timeline = domain.createSoftwareTimeline();
      using file = domain.createSyncFile(timeline.createFence(2));
      const waits = [parties[0]!.start("poll", file.handle()), parties[1]!.start("pollSync", file.handle())];
      await Promise.all(waits.map(({ begun }) => begun));
      timeline.advance();
      assert.equal((await parties[0]!.ask("infoOf", file.handle())).status, 0);
      timeline.advance();
      for (const { done } of waits) assert.equal(await done, "signaled");
    },
  );

  test(
    "SYF-09 a merge of the timelines of several agents is ready when the last has come there",
    PATIENT,
    async (t) => {
      const { domain, parties } = await place.meet(t, 1);
      const timelines = [0, 1].map(() => domain.createSoftwareTimeline());
      const files = timelines.map((timeline) => domain.createSyncFile(timeline.createFence(1)));
      using merged = SyncFile.merge("both", files[0]!, files[1]!);
      const wait = parties[0]!.start("poll", merged.handle());
      await wait.begun;
      timelines[0]!.advance();
      const { name, status, fences } = await parties[0]!.ask("infoOf", merged.handle());
      assert.deepEqual([name, status, fences.map(({ status }) => status)], ["both", 0, [1, 0]]);
      timelines[1]!.advance();
      assert.equal(await wait.done, "signaled");
    },
  );

  for (const blocking of [false, true]) {
    const poll = blocking ? "waitSync()" : "wait()";

    test(
      `SYF-21 ${poll} here ends when a agent that was given the timeline advances it`,
      PATIENT,
      async (t: TestContext) => {
        const { domain, parties } = await place.meet(t, 1);
        using timeline = domain.createSoftwareTimeline();
        using file = domain.createSyncFile(timeline.createFence(1));
        const advanced = parties[0]!.ask("advance", timeline.handle(), 1, 100);
        assert.equal(file.isReady(), false);
        if (blocking) assert.equal(file.waitSync(), "signaled");
        else assert.equal(await file.wait(), "signaled");
        await advanced;
        assert.equal(timeline.value, 1);
      },
    );
  }

  test("SYF-22 a timeline that was sent on by its receiver is still the same one", PATIENT, async (t: TestContext) => {
    const { domain, parties } = await place.meet(t, 2);
    using timeline = domain.createSoftwareTimeline();
    using file = domain.createSyncFile(timeline.createFence(2));
    const handle = timeline.handle();
    await parties[0]!.ask("advance", handle, 1);
    assert.equal(file.isReady(), false);
    const last = parties[1]!.ask("advance", structuredClone(handle), 1);
    assert.equal(await file.wait(), "signaled");
    await last;
  });

  test("SYF-06 a merge made elsewhere is active until its last point, then one signaled entry", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 1);
    using timeline = domain.createSoftwareTimeline();
    const points = [1, 2, 3].map((value) => domain.createSyncFile(timeline.createFence(value)).handle());
    const inner = await parties[0]!.ask("mergeFiles", "inner", points[1]!, points[0]!);
    using merged = domain.import(await parties[0]!.ask("mergeFiles", "outer", points[2]!, inner));
    assert.equal(merged.name, "outer");
    for (const status of [0, 0, 1]) {
      timeline.advance();
      assert.deepEqual([merged.status, merged.info().fences.map(({ status }) => status)], [status, [status]]);
    }
  });

  test("SYF-20 a merge needs neither the inputs nor who merged them", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 2);
    const timelines = [0, 1].map(() => domain.createSoftwareTimeline());
    const [a, b] = timelines.map((timeline) => domain.createSyncFile(timeline.createFence(1)));
    const merged = await parties[0]!.ask("mergeFiles", "both", a!.handle(), b!.handle());
    a!.close();
    await parties[0]![Symbol.asyncDispose]();
    const waiting = await begin(parties[1]!.start("poll", merged));
    timelines[0]!.advance();
    assert.equal(await waiting.isSettled(), false);
    timelines[1]!.advance();
    assert.equal(await waiting.done, "signaled");
  });

  test("SYF-23 a point that was reached stays ready after the timeline is closed", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 1);
    const timeline = domain.createSoftwareTimeline();
    const file = domain.createSyncFile(timeline.createFence(1)).handle();
    timeline.advance();
    timeline.close();
    assert.equal(await parties[0]!.ask("pollSync", file), "signaled");
    assert.equal((await parties[0]!.ask("infoOf", file)).status, 1);
  });

  test("several agents advance one timeline at once, and no step is lost", PATIENT, async (t: TestContext) => {
    const STEPS = 20_000;
    const { domain, parties } = await place.meet(t, 2);
    using timeline = domain.createSoftwareTimeline();
    using file = domain.createSyncFile(timeline.createFence(3 * STEPS));
    const others = parties.map((party) => party.start("advanceOften", timeline.handle(), STEPS));
    await Promise.all(others.map(({ begun }) => begun));
    for (let step = 0; step < STEPS; step++) timeline.advance();
    assert.equal(await file.wait(), "signaled");
    await Promise.all(others.map(({ done }) => done));
    assert.equal(timeline.value, 3 * STEPS);
  });

  test(
    "SYF-27 eight consumers take turns, and each sees what the producer wrote before its point",
    PATIENT,
    async (t) => {
      const CONSUMERS = 8;
      const ROUNDS = 4096;
      const { domain, parties } = await place.meet(t, CONSUMERS);
      using points = domain.createSoftwareTimeline();
      using looked = domain.createSoftwareTimeline();
      using buffer = domain.allocate(PAGE_SIZE);
      const counter = new Int32Array(buffer.segments[0]!.memory, 0, 1);
      const consumers = parties.map((party, k) =>
        party.start("takeTurns", {
          points: points.handle(),
          looked: looked.handle(),
          counter: structuredClone(buffer.handle()),
          first: k + 1,
          step: CONSUMERS,
          last: ROUNDS,
        }),
      );
      await Promise.all(consumers.map(({ begun }) => begun));
      for (let value = 1; value <= ROUNDS; value++) {
        counter[0]! += 1;
        points.advance();
        assert.equal(looked.createFence(value).waitSync({ timeout: 60_000 }), "signaled");
      }
      for (const { done } of consumers) assert.equal(await done, 0);
    },
  );
}
