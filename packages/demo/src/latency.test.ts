import assert from "node:assert/strict";
import { test } from "node:test";
import { percentiles } from "./latency.js";

test("percentiles() sorts by value, not by text", () => {
  const samples = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.deepEqual(percentiles(samples), { p50: 51, p99: 100 });
  assert.deepEqual(percentiles([7]), { p50: 7, p99: 7 });
});

test("percentiles() of nothing are undefined", () => {
  assert.equal(percentiles([]), undefined);
});
