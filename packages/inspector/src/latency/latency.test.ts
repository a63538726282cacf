import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainSnapshot, TraceEvent } from "dmabuf/node";
import { consumerKeys, estimatedWaits } from "./estimated.js";
import { EDGES, spreadOf } from "./histogram.js";
import { measuredWaits } from "./measured.js";

function event(point: TraceEvent["point"], agent: number, frame: number, at: number, thing = "0.1"): TraceEvent {
  return { point, agent, frame, at, thing };
}

test("a frame's wait is from its publication to its taking, for each consumer (measured.1)", () => {
  const producer = [1, 2, 3].map((frame) => event("stream:publish", 7, frame, frame * 1000));
  const first = [1, 2, 3].map((frame) => event("stream:take", 8, frame, frame * 1000 + frame * 10));
  const second = [event("stream:take", 9, 2, 2500), event("stream:give-back", 9, 2, 9999)];
  const found = measuredWaits([{ events: first }, { events: producer }, { events: second }]);
  assert.deepEqual(
    found.map(({ stream, agent, spread }) => [stream, agent, spread.times, spread.median, spread.longest]),
    [
      ["0.1", 8, 3, 20, 30],
      ["0.1", 9, 1, 500, 500],
    ],
  );
});

test("frames of other streams, and those whose publication is not known, are not counted (measured.2)", () => {
  const events = [
    event("stream:publish", 7, 1, 1000),
    event("stream:publish", 7, 2, 1000),
    event("stream:take", 8, 1, 2000, "0.2"),
    event("stream:take", 8, 5, 2000),
    event("stream:drop", 8, 1, 2000),
  ];
  assert.deepEqual(measuredWaits([{ events }]), []);
});

function look(at: number, published: number, ...behind: number[]): DomainSnapshot {
  const consumers = behind.map((each) => ({ agent: 8, behind: each }));
  return { at, streams: [{ slot: 0, generation: 1, published, consumers }] } as unknown as DomainSnapshot;
}

test("an average wait is how many wait divided by how many come, second by second (estimated.1)", () => {
  // Two of 20 frames a second wait: a tenth of a second. Then none comes, then one of ten waits, half of the time.
  const looks = [
    look(0, 0, 2),
    look(5e8, 10, 2),
    look(1e9, 20, 0),
    look(2e9, 20, 1),
    look(2.5e9, 25, 0),
    look(3e9, 30, 0),
  ];
  const [spread] = [...estimatedWaits(looks).values()];
  assert.deepEqual([spread?.times, spread?.median, spread?.longest], [2, 5e7, 1e8]);
  assert.equal(estimatedWaits(looks.slice(0, 2)).size, 0);
});

test("a wait that no look has seen is not said to be none (estimated.2)", () => {
  const looks = Array.from({ length: 11 }, (_, i) => look(i * 1e8, i * 5, 0));
  // One of ten looks, at 50 frames a second.
  const [spread] = [...estimatedWaits(looks).values()];
  assert.equal(spread?.longest, 2e6);
});

test("two consumers of one agent are told apart, and the counter of frames may begin anew", () => {
  const looks = [look(0, 2 ** 31 - 5, 1, 3), look(1e9, 5, 1, 3)];
  const waits = estimatedWaits(looks);
  assert.deepEqual([...waits.keys()], consumerKeys(looks[0]!.streams[0]!));
  assert.deepEqual(
    [...waits.values()].map(({ median }) => median),
    [1e8, 3e8],
  );
});

test("each duration is in one bar, and 95 of 100 are not longer than what is said", () => {
  assert.equal(spreadOf([]), undefined);
  const all = Array.from({ length: 100 }, (_, i) => (i + 1) * 1e6);
  const spread = spreadOf(all)!;
  assert.deepEqual([spread.times, spread.median, spread.most95, spread.longest], [100, 50e6, 95e6, 100e6]);
  assert.equal(
    spread.counts.reduce((sum, count) => sum + count, 0),
    100,
  );
  // From 10 to below 20 ms.
  assert.equal(spread.counts[EDGES.indexOf(20e6)], 10);
  const ends = spreadOf([0, 999, 1000, 1e10, 1e12])!.counts;
  assert.deepEqual([ends[0], ends[1], ends.at(-1)], [2, 1, 2]);
});
