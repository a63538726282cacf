import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, isPending } from "../../test/agents.js";
import { publish, streamed } from "../../test/streams.js";
import type { Fence } from "../fence/fence.js";
import { createTimeline } from "../fence/timeline.js";
import { userOf } from "../reservation/reservation.js";
import type { AccessMode } from "../reservation/usage.js";
import { rawFormat } from "./format.js";
import type { Consumer } from "./consumer.js";
import type { Frame, Loan } from "./frame.js";
import { metadataOffset } from "./metadata.js";

type Used = Pick<Frame, "buffer"> | Pick<Loan, "buffer">;

/** Has work on a frame's buffer until the fence signals. */
function begin({ buffer: { reservation } }: Used, mode: AccessMode, timeLimit = 10_000): Fence {
  const fence = createTimeline(userOf(reservation).agent, { name: "gpu", timeLimit }).createFence();
  using _lock = reservation.tryLock()!;
  reservation.reserveFences(1);
  reservation.addFence(fence, mode);
  return fence;
}

/** The frame that is there at once, given back. */
function look(consumer: Consumer): number | undefined {
  using frame = consumer.tryNext();
  return frame?.sequence;
}

describe("tryNext()", () => {
  test("gives the frames that are there, and nothing while there is none", async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    assert.deepEqual([look(consumer), consumer.hasEnded, consumer.error], [undefined, false, undefined]);
    await publish(stream, 2);
    assert.deepEqual([look(consumer), look(consumer), look(consumer)], [0, 1, undefined]);
    assert.equal(consumer.hasEnded, false);
  });

  test("takes the newest, or what is left of the oldest, as next() does", async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const [newest, oldest] = [theirs.frames({ policy: "newest" }), theirs.frames({ policy: "drop-oldest" })];
    await publish(stream, 5);
    assert.deepEqual([look(newest), newest.missed, look(newest)], [4, 4, undefined]);
    assert.deepEqual([look(oldest), look(oldest), oldest.missed], [2, 3, 2]);
  });

  test("is no exception when the stream ends: all that was published comes first", async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    await publish(stream);
    stream.end();
    assert.equal(consumer.hasEnded, false);
    assert.deepEqual([look(consumer), consumer.hasEnded], [0, false]);
    assert.deepEqual([look(consumer), consumer.hasEnded, consumer.error], [undefined, true, undefined]);
  });

  test("is no exception when the stream fails: the consumer has the error that next() throws", async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    await publish(stream);
    stream.fail("ENODEV");
    assert.deepEqual([look(consumer), consumer.error], [0, undefined]);
    assert.deepEqual([look(consumer), consumer.hasEnded, consumer.error?.code], [undefined, true, "ENODEV"]);
    await assert.rejects(consumer.next(), { code: "ENODEV", message: consumer.error!.message });
    stream.close();
    assert.equal(look(consumer), undefined);
    assert.equal(consumer.error?.code, "ENODEV");
  });

  test("is no exception after the close of the consumer, of its stream, or of its domain", async (t) => {
    const { stream, theirs, domain } = streamed(t);
    const consumers = [theirs.frames(), theirs.frames(), stream.frames()] as const;
    await publish(stream);
    consumers[0].close();
    assert.deepEqual([look(consumers[0]), look(consumers[1])], [undefined, 0]);
    theirs.close();
    domain.close();
    for (const consumer of consumers) assert.deepEqual([look(consumer), consumer.hasEnded], [undefined, true]);
  });

  test("is no exception for damaged data: that frame is missed, and the next one comes", async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    const loan = (await stream.loan())!;
    const { memory, offset } = loan.buffer.segments[0]!;
    loan.publish({ data: 1 });
    new Uint8Array(memory, offset + metadataOffset(stream.format.size) + 24, 1).fill(200);
    await publish(stream);
    assert.deepEqual([look(consumer), consumer.missed], [1, 1]);
  });

  for (const policy of ["block", "newest"] as const) {
    test(`gives a frame once its fences have signaled, with policy ${policy}`, async (t) => {
      const { stream, theirs } = streamed(t);
      const consumer = theirs.frames({ policy });
      using loan = (await stream.loan())!;
      const writing = begin(loan, "write");
      loan.publish();
      for (let i = 0; i < 3; i++) assert.equal(look(consumer), undefined);
      const next = consumer.next();
      assert.equal(await isPending(next), true);
      writing.signal();
      using frame = await next;
      assert.equal(frame!.sequence, 0);
      assert.deepEqual([look(consumer), consumer.missed], [undefined, 0]);
    });
  }

  test("passes over a frame whose writing is overdue, where frames may be lost, and waits for it where not", async (t) => {
    const { stream, theirs } = streamed(t);
    const [losing, waiting] = [theirs.frames({ policy: "drop-oldest" }), theirs.frames()];
    using loan = (await stream.loan())!;
    const writing = begin(loan, "write", 20);
    loan.publish();
    assert.equal(await loan.buffer.reservation.wait("write"), "signaled");
    assert.deepEqual([look(waiting), look(losing), losing.missed], [undefined, undefined, 1]);
    await publish(stream);
    assert.deepEqual([look(waiting), look(losing)], [undefined, 1]);
    writing.signal();
    assert.deepEqual([look(waiting), look(waiting), waiting.missed], [0, 1, 0]);
  });
});

describe("tryLoan()", () => {
  test("gives a loan where one is free, and nothing where a frame is held", async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const consumer = theirs.frames();
    assert.deepEqual([stream.tryLoan()!.publish(), stream.tryLoan()!.publish()], [0, 1]);
    assert.equal(stream.tryLoan(), undefined);
    using frame = consumer.tryNext()!;
    assert.equal(stream.tryLoan(), undefined);
    frame.close();
    using loan = stream.tryLoan()!;
    assert.equal(stream.tryLoan(), undefined);
    loan.close();
    assert.equal((await stream.loan())!.publish(), 2);
  });

  test("is no exception after the end and the close; an end that does not produce is one", (t) => {
    const { stream, theirs } = streamed(t);
    assert.throws(() => theirs.tryLoan(), { code: "EPERM" });
    assert.deepEqual([stream.hasEnded, theirs.hasEnded], [false, false]);
    stream.end();
    assert.deepEqual([stream.tryLoan(), stream.hasEnded, theirs.hasEnded], [undefined, true, true]);
    stream.close();
    assert.deepEqual([stream.tryLoan(), stream.hasEnded], [undefined, true]);
    theirs.close();
    assert.throws(() => theirs.tryLoan(), { code: "EPERM" });
    const domain = createDomain(t);
    const other = domain.createStream({ format: rawFormat(1) });
    domain.close();
    assert.deepEqual([other.tryLoan(), other.hasEnded], [undefined, true]);
  });

  test("passes over a buffer that a fence still reads, and keeps the frame in it", async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const consumer = theirs.frames({ policy: "drop-oldest" });
    await publish(stream);
    using frame = consumer.tryNext()!;
    const reading = begin(frame, "read");
    frame.close();
    for (let i = 1; i < 4; i++) {
      using loan = stream.tryLoan()!;
      assert.notEqual(loan.buffer.inode, frame.buffer.inode);
      loan.publish();
    }
    using held = stream.tryLoan();
    assert.equal(stream.tryLoan(), undefined);
    // The frame of number 0 is there still.
    const late = stream.frames();
    assert.equal(look(late), 0);
    late.close();
    reading.signal();
    using again = stream.tryLoan()!;
    assert.equal(again.buffer.inode, frame.buffer.inode);
    held!.close();
  });
});
