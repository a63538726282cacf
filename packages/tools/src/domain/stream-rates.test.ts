import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainSnapshot, SnapshotBuffer, SnapshotConsumer, SnapshotStream } from "dmabuf/node";
import { StreamRateMeter } from "./stream-rates.js";

const SECOND = 1e9;
const PRODUCER = 1024;
const CONSUMER = 1025;

/** What of a snapshot is looked at. */
function look(at: number, published: number, consumers: Partial<SnapshotConsumer>[], reads = 0): DomainSnapshot {
  const stream: Partial<SnapshotStream> = {
    slot: 0,
    generation: 1,
    name: "camera",
    producer: PRODUCER,
    published,
    consumers: consumers.map((each) => ({ agent: CONSUMER, policy: "block", behind: 0, waits: false, ...each })),
  };
  const buffers = Array.from({ length: reads }, () => ({ stream: { stream: 0, place: 0 }, readers: [CONSUMER] }));
  return { at, streams: [stream], buffers: buffers as unknown as SnapshotBuffer[] } as unknown as DomainSnapshot;
}

test("a rate is what a counter has risen by in the time between the first and the last look: stream-rates.1", () => {
  const meter = new StreamRateMeter();
  meter.add(look(5 * SECOND, 100, [{ cursor: 90 }]));
  assert.equal(meter.rates()[0]!.rate, undefined);
  meter.add(look(6 * SECOND, 130, [{ cursor: 100 }]));
  meter.add(look(7 * SECOND, 160, [{ cursor: 150 }]));
  const [{ rate, consumers }] = meter.rates() as [ReturnType<typeof meter.rates>[number]];
  assert.deepEqual([rate, consumers[0]!.rate], [30, 30]);
});

test("a counter of 31 bits that begins anew has risen all the same: stream-rates.1", () => {
  const meter = new StreamRateMeter();
  meter.add(look(0, 2 ** 31 - 10, []));
  meter.add(look(SECOND, 20, []));
  meter.add(look(2 * SECOND, 50, []));
  assert.equal(meter.rates()[0]!.rate, 30);
});

test("two frames that wait on average, at twenty a second, wait a tenth of a second: stream-rates.2", () => {
  const meter = new StreamRateMeter();
  meter.add(look(0, 0, [{ cursor: 0, behind: 1 }], 1));
  meter.add(look(SECOND, 20, [{ cursor: 20, behind: 3 }], 2));
  const [consumer] = meter.rates()[0]!.consumers;
  assert.deepEqual([consumer!.wait, consumer!.mostBehind, consumer!.behind], [0.1 * SECOND, 3, 3]);
  assert.deepEqual([consumer!.keeps, consumer!.holds], [(1.5 / 20) * SECOND, 2]);
});

test("without a frame there is no time that one waits: stream-rates.2", () => {
  const meter = new StreamRateMeter();
  meter.add(look(0, 7, [{ cursor: 3, behind: 4 }]));
  meter.add(look(SECOND, 7, [{ cursor: 3, behind: 4 }]));
  const [{ rate, consumers }] = meter.rates() as [ReturnType<typeof meter.rates>[number]];
  assert.deepEqual([rate, consumers[0]!.wait, consumers[0]!.keeps], [0, undefined, undefined]);
});

test("a consumer that joins later counts from its first look, and a member of a group has no rate: stream-rates.3", () => {
  const meter = new StreamRateMeter();
  meter.add(look(0, 0, []));
  meter.add(look(SECOND, 10, [{ cursor: 10 }, { group: "workers", behind: 2 }]));
  meter.add(look(2 * SECOND, 20, [{ cursor: 15 }, { group: "workers", behind: 2 }]));
  const [own, member] = meter.rates()[0]!.consumers;
  assert.deepEqual([own!.rate, member!.rate, member!.group], [5, undefined, "workers"]);
});
