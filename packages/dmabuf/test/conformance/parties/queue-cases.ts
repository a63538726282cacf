/** Area L of the conformance cases, with the scheduler and those whose work it waits for in different places. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Place } from "./party.js";
import { begin } from "./waiting.js";

const PATIENT = { timeout: 30_000 };

export function queueCases(place: Place): void {
  for (const how of ["throws", "rejects"] as const) {
    test(
      `SCH-12 behind a job that ${how} a job waits for the other agent's device (two agents)`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 1);
        const slow = domain.createTimeline().createFence();
        const dependent = await begin(parties[0]!.start("followFailed", slow.handle(), how));
        assert.equal(await dependent.isSettled(), false);
        slow.signal();
        assert.deepEqual(await dependent.done, { slow: 1, failed: -5 });
      },
    );
  }
}
