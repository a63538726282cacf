import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DomainSnapshot } from "dmabuf/node";
import { snapshotWith } from "../../test/snapshot-with.js";
import { rateHistory, ratesAt } from "./rates.js";

describe("ratesAt()", () => {
  test("is over the second before the snapshot, and of streams that were there", () => {
    // 20 frames a second, and then none.
    const all = Array.from({ length: 31 }, (_, n) => snapshot(n, Math.min(n, 20) * 2));
    assert.equal(ratesAt(all, 15).get("0.1"), 20);
    assert.equal(ratesAt(all, 5).get("0.1"), 20);
    assert.equal(ratesAt(all, 25).get("0.1"), 10);
    assert.equal(ratesAt(all, 30).get("0.1"), 0);
    assert.deepEqual([...ratesAt(all, 0)], []);
    assert.deepEqual([...ratesAt([], -1)], []);
    const other = snapshot(31, 5, 2);
    assert.deepEqual([...ratesAt([...all, other], 31)], []);
  });

  test("counts on when the number of a stream's frames begins anew", () => {
    assert.equal(ratesAt([snapshot(0, 2 ** 31 - 5), snapshot(10, 5)], 1).get("0.1"), 10);
  });
});

describe("rateHistory()", () => {
  test("has one rate a second, the newest last, as far back as the stream was there", () => {
    const all = [snapshot(0, 0, 2), ...Array.from({ length: 41 }, (_, n) => snapshot(n + 1, n < 20 ? n : 20))];
    assert.deepEqual(rateHistory(all, 41, "0.1"), [10, 10, 0, 0]);
    assert.deepEqual(rateHistory(all, 21, "0.1"), [10, 10]);
    assert.deepEqual(rateHistory(all, 41, "7.1"), []);
  });
});

function snapshot(tenths: number, published: number, generation = 1): DomainSnapshot {
  const stream = { slot: 0, name: "s", producer: 1, producerWaits: false, places: [], consumers: [], groups: [] };
  return snapshotWith({ at: tenths * 1e8, streams: [{ ...stream, generation, published }] });
}
