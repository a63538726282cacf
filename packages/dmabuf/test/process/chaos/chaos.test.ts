/**
 * A short chaos run, and each of its invariants tripped by a fault that is planted in the members. The long one is
 * `npm run chaos`.
 *
 * Environment: DMABUF_SEED (random, printed); DMABUF_WORDS=atomics leaves the planted faults out.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IS_ON_ATOMICS } from "../../once.js";
import { runChaos } from "./chaos.js";
import type { Fault } from "./orders.js";
import { makePlan } from "./plan.js";

const SEED = Number(process.env["DMABUF_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const LIMIT = { timeout: 240_000 };

test("the same seed gives the same plan, another one another (chaos.6)", () => {
  assert.deepEqual(makePlan(1, 60), makePlan(1, 60));
  assert.notDeepEqual(makePlan(1, 60), makePlan(2, 60));
  assert.deepEqual(makePlan(1, 10), makePlan(1, 60).slice(0, makePlan(1, 10).length));
});

// chaos.1
test("processes that are killed and stopped everywhere lose nothing and leave nothing behind", LIMIT, async (t) => {
  console.log(`DMABUF_SEED=${SEED}`);
  const { blows, deeds, recoveries } = await runChaos({ seed: SEED, seconds: 8 });
  t.diagnostic(`${JSON.stringify({ blows, deeds })}, ${recoveries.length} recoveries`);
  for (const deed of ["reads", "writes", "locks", "waits", "frames", "published", "parcels"]) {
    assert.ok(deeds[deed]! > 0, deed);
  }
});

const TRIPPED: Record<Fault, RegExp> = {
  torn: /a buffer was seen while agent \d+, which is alive, was writing it/,
  wake: /chaos.2: party \d+ does nothing any more/,
  descriptor: /chaos.3: party \d+ has left with \d+ more descriptors/,
  slot: /all slots to be free \(chaos.4\)/,
  // A party that asks it for memory, as it seems to live, has no answer.
  membership: /what party \d+ held to be given back|Cannot import the buffer: no holder has answered/,
  stray: /chaos.7: the threads of party \d+ have left \d+ descriptors and 0 mappings/,
  early: /chaos.9: the only consumer that was waited for misses a frame/,
  // The member itself may be the first that wants it.
  lock: /chaos.2: party \d+ does nothing any more|Cannot block for the reservation of buffer "buffer \d+": this thread holds it itself/,
  // A party that waits for it blocks, and answers no import.
  dead: /chaos.8: party \d+ waits for what party \d+ held, whose reaper is stopped|Cannot import the buffer: no holder has answered/,
  fence: /chaos.5: fence \d+ of slot \d+ is pending on buffer \d+, and its owner \d+ is gone/,
};

// What these try is the run itself: once is enough, on whichever words the members work.
const PLANTED = IS_ON_ATOMICS ? [] : (Object.entries(TRIPPED) as [Fault, RegExp][]);

for (const [fault, found] of PLANTED) {
  test(`a chaos run finds the fault that is planted in its members: ${fault}`, LIMIT, async () => {
    const seconds = ["dead", "early"].includes(fault) ? 6 : 2;
    const silence = { wake: 4_000, lock: 4_000, dead: 10_000 }[fault as string] ?? 30_000;
    // It takes some reapers until one is stopped at a bad moment.
    const kinds = fault === "dead" ? { kinds: ["stop reaper"] as const } : {};
    await assert.rejects(runChaos({ seed: 3, parties: 3, seconds, silence, fault, ...kinds }), found);
  });
}
