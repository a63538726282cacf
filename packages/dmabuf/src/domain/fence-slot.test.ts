import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import { createWasmMemory } from "../substrate/wasm-memory.js";
import { claimAgentSlot, type Member } from "./agent-slot.js";
import { hintDeadline, keyDeadline, keyProgress, keyTime } from "./fence-slot.js";
import { checkSizes, Layout, ONE_SHOT } from "./layout.js";
import { claimOneShot, completeOneShot } from "./one-shot-slot.js";
import { advanceTimeline, claimTimeline, completeTimeline, freeTimeline, LAST_SEQUENCE } from "./timeline-slot.js";
import { segmentOf } from "./segment-protocol.js";

const DAY = 86_400e9;
/** What a browser's clock says in 2026: nanoseconds since 1970. */
const BROWSER = 1_795_000_000_123 * 1e6;
const FENCE = { name: "n", driverName: "d", context: 1, seqno: 1, seqno32: false, timeLimit: 1000 };

for (const isWasm of [true, false]) {
  const layout = new Layout(checkSizes({ agents: 2, oneShots: 64 }));
  const bytes = layout.words * 4;
  const memory = createSharedSubstrate(isWasm ? createWasmMemory(bytes)! : new SharedArrayBuffer(bytes));
  const segment = segmentOf(memory, layout);
  const member: Member = { ...segment, identity: claimAgentSlot(segment, "agent") };
  const build = isWasm ? "atomic instructions" : "imported words";

  function signaledAt(time: number): number | undefined {
    const key = claimOneShot(member, FENCE);
    completeOneShot(member, key, 0, time);
    return keyTime(member, key);
  }

  test(`a fence's time is exact, of a machine that runs for years and of a browser, too (${build})`, () => {
    for (const time of [1, 12_345, DAY, 104 * DAY, Number.MAX_SAFE_INTEGER, BROWSER]) {
      assert.equal(signaledAt(time), time);
    }
    assert.ok(Math.abs(signaledAt(200 * DAY + 1)! - 200 * DAY) <= 256);
  });

  test(`numbers above 32 bits have their times, each its own (timeline-slot.10, ${build})`, () => {
    const timeline = claimTimeline(member, { name: "n", driverName: "d", timeLimit: 1000 });
    const numbers = [1, 2 ** 32, 2 ** 32 + 1, 2 ** 32 + 1023, 2 ** 32 + 2046, 2 ** 46 + 5, 2 ** 46 + 6, LAST_SEQUENCE];
    let completed = 0;
    for (const [i, sequence] of numbers.entries()) {
      assert.ok(completeTimeline(member, timeline, completed, sequence, i + 1));
      assert.equal(keyTime(member, { ...timeline, sequence }), i + 1);
      completed = sequence;
    }
    assert.equal(keyTime(member, { ...timeline, sequence: 2 ** 46 + 6 }), undefined);
    assert.equal(keyProgress(member, timeline), LAST_SEQUENCE);
    assert.throws(() => advanceTimeline(member, timeline, 1, 1), { code: "EOVERFLOW" });
    freeTimeline(member, timeline.slot, member.identity);
  });

  test(`a timeline keeps a browser's times, the newest and those before (${build})`, () => {
    const timeline = claimTimeline(member, { name: "n", driverName: "d", timeLimit: 1000 });
    const times = [1, Number.MAX_SAFE_INTEGER, BROWSER, BROWSER + 256];
    for (const [i, time] of times.entries()) {
      assert.ok(completeTimeline(member, timeline, i, i + 1, time));
      assert.equal(keyTime(member, { ...timeline, sequence: i + 1 }), time, "the newest");
    }
    assert.deepEqual(
      times.map((_, i) => keyTime(member, { ...timeline, sequence: i + 1 })),
      times,
    );
    freeTimeline(member, timeline.slot, member.identity);
  });

  test(`the earliest deadline counts, whatever its unit (${build})`, () => {
    const key = claimOneShot(member, FENCE);
    const word = layout.oneShot(key.slot) + ONE_SHOT.DEADLINE;
    assert.equal(keyDeadline(member, key), 0);
    let last = 2n ** 64n;
    for (const time of [BROWSER + 1e6, BROWSER, 105 * DAY, Number.MAX_SAFE_INTEGER, DAY, 1]) {
      hintDeadline(member, key, time, 0);
      hintDeadline(member, key, time + 2e6, 0);
      assert.equal(keyDeadline(member, key), time);
      assert.ok(memory.load64(word) < last, "a later time is a greater word");
      last = memory.load64(word);
    }
  });

  test(`a time and a deadline are of their generation alone (${build})`, () => {
    const key = claimOneShot(member, FENCE);
    const next = { ...key, generation: key.generation + 1 };
    completeOneShot(member, key, 0, BROWSER);
    hintDeadline(member, next, BROWSER, 0);
    assert.equal(keyTime(member, next), undefined);
    assert.equal(keyDeadline(member, next), 0);
    assert.equal(keyDeadline(member, key), 0);
  });
}
