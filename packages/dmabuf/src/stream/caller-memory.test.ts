import assert from "node:assert/strict";
import { test } from "node:test";
import { copiedBytes, Domain, rawFormat, type HeapStorage, type JoinedDomain } from "../index.js";
import type { StorageSegment } from "../buffer/storage.js";
import { ProcessDomain } from "../node/index.js";

/** A heap that gives away memory that the program has, from its start. */
function giveAway({ heaps }: JoinedDomain, { memory, length: room }: StorageSegment): void {
  let used = 0;
  const allocate = (length: number): HeapStorage => {
    assert.ok(used + length <= room);
    used += length;
    return { segments: [{ memory, offset: used - length, length }] };
  };
  heaps.add("mine", { allocate });
}

const LENGTH = 1 << 20;

for (const [kind, create, memoryOf] of [
  ["threads", () => Domain.create(), () => ({ memory: new SharedArrayBuffer(LENGTH), offset: 0, length: LENGTH })],
  ["processes", () => ProcessDomain.create(), (domain: JoinedDomain) => (domain as ProcessDomain).createMemory(LENGTH)],
] as const) {
  test(`the frames of a stream in a domain of ${kind} lie in memory that the program has`, async () => {
    using domain = create();
    const memory = memoryOf(domain);
    giveAway(domain, memory);
    using stream = domain.createStream({ format: rawFormat(1000), buffers: 2, heap: "mine" });
    using consumer = stream.frames();
    const before = copiedBytes();
    for (let n = 1; n <= 4; n++) {
      {
        using loan = (await stream.loan())!;
        loan.bytes.fill(n);
        loan.publish();
      }
      using frame = (await consumer.next())!;
      const mine = new Uint8Array(memory.memory);
      // A byte of what travels with a frame, as its time, may be the same number.
      const isFrame = (at: number): boolean => mine.subarray(at, at + 1000).every((byte) => byte === n);
      const start = mine.findIndex((byte, at) => byte === n && isFrame(at));
      assert.ok(start >= 0 && start + 1000 <= LENGTH);
      mine.fill(n + 100, start, start + 1000);
      assert.ok(frame.bytes.every((byte) => byte === n + 100));
    }
    assert.equal(copiedBytes(), before);
  });
}
