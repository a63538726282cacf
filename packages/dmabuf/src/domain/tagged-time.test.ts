import assert from "node:assert/strict";
import { test } from "node:test";
import { timed, timeIn, timeless } from "./tagged-time.js";

const DAY = 86_400e9;
/** What a browser's clock says in 2026: nanoseconds since 1970. */
const BROWSER = 1_795_000_000_123 * 1e6;

test("a time is exact, of a machine that runs for years and of a browser, too", () => {
  for (const time of [1, 12_345, DAY, 104 * DAY, Number.MAX_SAFE_INTEGER, BROWSER]) {
    assert.equal(timeIn(timed(7, time), 7), time);
  }
  assert.ok(Math.abs(timeIn(timed(7, 200 * DAY + 1), 7)! - 200 * DAY) <= 256);
  assert.equal(timeIn(timeless(7), 7), 0);
});

test("a later time is a greater word", () => {
  const times = [0, 1, DAY, Number.MAX_SAFE_INTEGER, 105 * DAY, BROWSER, BROWSER + 1e6];
  const words = times.map((time) => (time === 0 ? timeless(3) : timed(3, time)));
  assert.deepEqual(
    words,
    words.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  assert.equal(new Set(words).size, words.length);
});

test("a time is of its generation alone", () => {
  assert.equal(timeIn(timed(7, BROWSER), 8), undefined);
  assert.equal(timeIn(timeless(7), 8), undefined);
});
