import assert from "node:assert/strict";
import { test } from "node:test";
import { isPending } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { publish, streamed } from "../../test/streams.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { Fence } from "../fence/fence.js";
import type { AccessMode } from "../reservation/usage.js";
import { createTimeline } from "../fence/timeline.js";
import { userOf } from "../reservation/reservation.js";

const PATIENT = { timeout: 20_000 };
const late = /agent "[a-z]*" has not finished its work on timeline "gpu", which timed out(;|$)/;

/** Has work on a buffer in its reservation until the fence signals; after that time it is overdue. */
function begin({ reservation }: DmaBuf, mode: AccessMode, timeLimit = 20): Fence {
  const fence = createTimeline(userOf(reservation).agent, { name: "gpu", timeLimit }).createFence();
  using _lock = reservation.tryLock()!;
  reservation.reserveFences(1);
  reservation.addFence(fence, mode);
  return fence;
}

test("a producer skips a frame that is read under a fence past its time limit", PATIENT, async (t) => {
  const { stream, theirs } = streamed(t, 3);
  const consumer = theirs.frames({ policy: "drop-oldest" });
  await publish(stream);
  const frame = (await consumer.next())!;
  const reading = begin(frame.buffer, "read");
  const { bytes } = frame;
  const before = bytes.slice();
  frame[Symbol.dispose]();
  for (let i = 1; i < 10; i++) {
    const loan = (await stream.loan({ timeout: 30_000 }))!;
    assert.notEqual(loan.buffer.inode, frame.buffer.inode);
    loan.bytes.fill(i);
    loan.publish();
  }
  assert.deepEqual(bytes.slice(), before);
  reading.signal();
  const inodes = new Set<number>();
  for (let i = 0; i < 3; i++) {
    const loan = (await stream.loan())!;
    inodes.add(loan.buffer.inode);
    loan.publish();
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
  await assert.rejects(stream.loan({ timeout: 100 }), { code: "ETIMEDOUT", message: late });
  const waiting = stream.loan();
  assert.equal(await isPending(waiting), true);
  reading.signal();
  (await waiting)!.publish();
});

test("a producer that blocks its thread skips a late reader's frame", { ...BLOCKS, ...PATIENT }, async (t) => {
  const { stream, theirs } = streamed(t, 2);
  const consumer = theirs.frames({ policy: "drop-oldest" });
  await publish(stream);
  const frame = consumer.nextSync()!;
  const reading = begin(frame.buffer, "read");
  frame[Symbol.dispose]();
  for (let i = 1; i < 5; i++) {
    const loan = stream.loanSync({ timeout: 30_000 })!;
    assert.notEqual(loan.buffer.inode, frame.buffer.inode);
    const other = theirs.frames({ policy: "newest" });
    loan.publish();
    // No consumer holds the only other place.
    other.nextSync()![Symbol.dispose]();
    other[Symbol.dispose]();
  }
  const held = stream.loanSync()!;
  assert.throws(() => stream.loanSync({ timeout: 5 }), { code: "ETIMEDOUT", message: late });
  reading.signal();
  assert.equal(stream.loanSync()!.buffer.inode, frame.buffer.inode);
  held[Symbol.dispose]();
});

for (const how of ["next", "nextSync"] as const) {
  const options = how === "nextSync" ? { ...BLOCKS, ...PATIENT } : PATIENT;

  test(
    `${how}() waits for a frame whose writing is overdue, with a consumer that holds the producer`,
    options,
    async (t) => {
      const { stream, theirs } = streamed(t, 2);
      const consumer = theirs.frames();
      const loan = (await stream.loan())!;
      const writing = begin(loan.buffer, "write");
      loan.publish();
      assert.equal(await loan.buffer.reservation.wait("write"), "signaled");
      const take = async (): Promise<unknown> => consumer[how]({ timeout: 100 });
      await assert.rejects(take(), { code: "ETIMEDOUT", message: late });
      await publish(stream);
      writing.signal();
      using frame = (await consumer[how]())!;
      assert.equal(frame.sequence, 0);
      assert.equal(consumer.missed, 0);
    },
  );

  test(
    `${how}() passes over a frame whose writing is overdue, with a consumer that drops the oldest`,
    options,
    async (t) => {
      const { stream, theirs } = streamed(t, 3);
      const consumer = theirs.frames({ policy: "drop-oldest" });
      const loan = (await stream.loan())!;
      begin(loan.buffer, "write");
      loan.publish();
      await publish(stream);
      using frame = (await consumer[how]())!;
      assert.equal(frame.sequence, 1);
      assert.equal(consumer.missed, 1);
    },
  );

  test(`${how}() passes over a frame whose writing is overdue, with a consumer of the newest`, options, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const consumer = theirs.frames({ policy: "newest" });
    await publish(stream);
    const loan = (await stream.loan())!;
    begin(loan.buffer, "write");
    loan.publish();
    assert.equal(await loan.buffer.reservation.wait("write"), "signaled");
    const take = async (): Promise<unknown> => consumer[how]({ timeout: 100 });
    // What is older than that one is not the newest.
    await assert.rejects(take(), { code: "ETIMEDOUT" });
    assert.equal(consumer.missed, 2);
    await publish(stream);
    using frame = (await consumer[how]())!;
    assert.equal(frame.sequence, 2);
  });
}
