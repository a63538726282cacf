/** Area K of the conformance cases, with the syncobj and who signals its fence in different places. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Place } from "./party.js";

const PATIENT = { timeout: 60_000 };
const FIRST = { state: "signaled", index: 0 };

export function syncobjCases(place: Place): void {
  for (const point of [0, 1]) {
    for (const blocking of [false, true]) {
      const name = `SYO-17 ${blocking ? "waitSync()" : "wait()"} ends when a agent signals ${point === 0 ? "the fence" : "a point's fence"}`;
      test(name, PATIENT, async (t: TestContext) => {
        const { domain, parties } = await place.meet(t, 1);
        using timeline = domain.createSoftwareTimeline();
        using syncobj = domain.createSyncobj();
        syncobj.importSyncFile(domain.createSyncFile(timeline.createFence(1)), point);
        const advanced = parties[0]!.ask("advance", timeline.handle(), 1, 50);
        assert.deepEqual(blocking ? syncobj.waitSync({ point }) : await syncobj.wait({ point }), FIRST);
        await advanced;
      });
    }
  }

  test("SYO-18 a wait for submission ends when the fence that comes is signaled by a agent", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 1);
    using timeline = domain.createSoftwareTimeline();
    using syncobj = domain.createSyncobj();
    const waiting = syncobj.wait({ forSubmit: true, point: 2 });
    syncobj.signalPoint(1);
    syncobj.addPoint(2, timeline.createFence(1));
    await parties[0]!.ask("advance", timeline.handle(), 1);
    assert.deepEqual(await waiting, FIRST);
    assert.equal(syncobj.query(), 2);
  });

  test(
    "SYO-29 an agent that was sent an exported sync file is told of its fence, not of the syncobj",
    PATIENT,
    async (t) => {
      const { domain, parties } = await place.meet(t, 1);
      using timeline = domain.createSoftwareTimeline();
      using syncobj = domain.createSyncobj();
      syncobj.addPoint(1, timeline.createFence(1));
      const file = syncobj.exportSyncFile().handle();
      const wait = parties[0]!.start("pollSync", file);
      await wait.begun;
      syncobj.signal();
      syncobj.reset();
      assert.equal(await domain.import(file).wait({ timeout: 20 }), "timed-out");
      timeline.advance();
      assert.equal(await wait.done, "signaled");
    },
  );
}
