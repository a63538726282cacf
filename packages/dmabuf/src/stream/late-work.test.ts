import assert from "node:assert/strict";
import { test } from "node:test";
import { isPending } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { publish, streamed } from "../../test/streams.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { Fence } from "../fence/fence.js";
import { Timeline } from "../fence/timeline.js";
import type { AccessMode } from "../reservation/usage.js";

const PATIENT = { timeout: 20_000 };
const LATE = /agent "[a-z]*" has not finished its work on timeline "gpu", which timed out$/;

/** Has work on a buffer stand in its reservation until the fence signals; after that time it is late. */
function begin({ reservation }: DmaBuf, mode: AccessMode, timeLimit = 20): Fence {
  const fence = new Timeline(reservation.agent, { name: "gpu", timeLimit }).createFence();
  using _lock = reservation.tryLock()!;
  reservation.reserveFences(1);
  reservation.addFence(fence, mode);
  return fence;
}

test("a producer goes round a frame that is read under a fence past its time limit", PATIENT, async (t) => {
  const { stream, theirs } = streamed(t, 3);
  const consumer = theirs.frames({ policy: "drop-oldest" });
  await publish(stream);
  const frame = (await consumer.next())!;
  const reading = begin(frame.buffer, "read");
  const { bytes } = frame;
  const before = bytes.slice();
  frame[Symbol.dispose]();
  for (let i = 1; i < 10; i++) {
    const blank = (await stream.blank({ timeout: 5_000 }))!;
    assert.notEqual(blank.buffer.inode, frame.buffer.inode);
    blank.bytes.fill(i);
    blank.publish();
  }
  assert.deepEqual(bytes.slice(), before);
  reading.signal();
  const inodes = new Set<number>();
  for (let i = 0; i < 3; i++) {
    const blank = (await stream.blank())!;
    inodes.add(blank.buffer.inode);
    blank.publish();
  }
  assert.ok(inodes.has(frame.buffer.inode), "the place is used again");
});

test("a producer that has no other place waits, and says for whom", PATIENT, async (t) => {
  const { stream, theirs } = streamed(t, 1);
  const consumer = theirs.frames();
  await publish(stream);
  const frame = (await consumer.next())!;
  const reading = begin(frame.buffer, "read");
  frame[Symbol.dispose]();
  await assert.rejects(stream.blank({ timeout: 100 }), { code: "ETIMEDOUT", message: LATE });
  const waiting = stream.blank();
  assert.equal(await isPending(waiting), true);
  reading.signal();
  (await waiting)!.publish();
});

test("a producer that blocks its thread goes round a late reader's frame", { ...BLOCKS, ...PATIENT }, async (t) => {
  const { stream, theirs } = streamed(t, 2);
  const consumer = theirs.frames({ policy: "drop-oldest" });
  await publish(stream);
  const frame = consumer.nextSync()!;
  const reading = begin(frame.buffer, "read");
  frame[Symbol.dispose]();
  for (let i = 1; i < 5; i++) {
    const blank = stream.blankSync({ timeout: 5_000 })!;
    assert.notEqual(blank.buffer.inode, frame.buffer.inode);
    const other = theirs.frames({ policy: "newest" });
    blank.publish();
    // Nobody holds the only other place.
    other.nextSync()![Symbol.dispose]();
    other[Symbol.dispose]();
  }
  const held = stream.blankSync()!;
  assert.throws(() => stream.blankSync({ timeout: 5 }), { code: "ETIMEDOUT", message: LATE });
  reading.signal();
  assert.equal(stream.blankSync()!.buffer.inode, frame.buffer.inode);
  held[Symbol.dispose]();
});

for (const how of ["next", "nextSync"] as const) {
  const options = how === "nextSync" ? { ...BLOCKS, ...PATIENT } : PATIENT;

  test(
    `${how}() waits for a frame whose writing is late, with a consumer that holds the producer`,
    options,
    async (t) => {
      const { stream, theirs } = streamed(t, 2);
      const consumer = theirs.frames();
      const blank = (await stream.blank())!;
      const writing = begin(blank.buffer, "write");
      blank.publish();
      assert.equal(await blank.buffer.reservation.wait("write"), "signaled");
      const take = async (): Promise<unknown> => consumer[how]({ timeout: 100 });
      await assert.rejects(take(), { code: "ETIMEDOUT", message: LATE });
      await publish(stream);
      writing.signal();
      using frame = (await consumer[how]())!;
      assert.equal(frame.sequence, 0);
      assert.equal(consumer.missed, 0);
    },
  );

  test(
    `${how}() passes over a frame whose writing is late, with a consumer that drops the oldest`,
    options,
    async (t) => {
      const { stream, theirs } = streamed(t, 3);
      const consumer = theirs.frames({ policy: "drop-oldest" });
      const blank = (await stream.blank())!;
      begin(blank.buffer, "write");
      blank.publish();
      await publish(stream);
      using frame = (await consumer[how]())!;
      assert.equal(frame.sequence, 1);
      assert.equal(consumer.missed, 1);
    },
  );

  test(`${how}() passes over a frame whose writing is late, with a consumer of the newest`, options, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const consumer = theirs.frames({ policy: "newest" });
    await publish(stream);
    const blank = (await stream.blank())!;
    begin(blank.buffer, "write");
    blank.publish();
    assert.equal(await blank.buffer.reservation.wait("write"), "signaled");
    const take = async (): Promise<unknown> => consumer[how]({ timeout: 100 });
    // What is older than that one is not the newest.
    await assert.rejects(take(), { code: "ETIMEDOUT" });
    assert.equal(consumer.missed, 2);
    await publish(stream);
    using frame = (await consumer[how]())!;
    assert.equal(frame.sequence, 2);
  });
}
