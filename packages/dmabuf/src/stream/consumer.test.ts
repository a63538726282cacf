import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, isPending, joinMortal } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { publish, streamed, takeAll } from "../../test/streams.js";
import type { Domain } from "../threads.js";
import type { Fence } from "../fence/fence.js";
import { copiedBytes } from "../buffer/copies.js";
import { rawFormat } from "./format.js";
import type { Loan } from "./frame.js";
import type { FrameStream } from "./frame-stream.js";

describe("several consumers", () => {
  test("in one agent each get all frames, and share the hold of a frame", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 1);
    const consumers = [theirs.frames(), theirs.frames(), theirs.frames()];
    assert.equal(stream.consumers, 3);
    await publish(stream);
    const frames = await Promise.all(consumers.map((consumer) => consumer.next()));
    assert.deepEqual(
      frames.map((frame) => frame!.sequence),
      [0, 0, 0],
    );
    const loan = stream.loan();
    for (const frame of frames) {
      assert.equal(await isPending(loan), true);
      frame![Symbol.dispose]();
    }
    await loan;
  });

  test("may be in the producer's own agent", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [own, other] = [stream.frames(), theirs.frames()];
    const consuming = [own, other].map(async (consumer) => {
      const sequences: number[] = [];
      for await (using frame of consumer) sequences.push(frame.sequence);
      return sequences;
    });
    await publish(stream, 8);
    stream.end();
    const all = Array.from({ length: 8 }, (_, i) => i);
    assert.deepEqual(await Promise.all(consuming), [all, all]);
  });

  test("are at most 64 at a time", (t) => {
    const { stream } = streamed(t);
    const consumers = Array.from({ length: 64 }, () => stream.frames());
    assert.throws(() => stream.frames(), { code: "ENOSPC", message: /64 consumers/ });
    consumers[40]![Symbol.dispose]();
    stream.frames();
  });
});

describe("a consumer", () => {
  test("may hold several frames at once and give them back in any order", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const consumer = theirs.frames();
    await publish(stream, 3);
    const frames = [await consumer.next(), await consumer.next(), await consumer.next()];
    const loan = stream.loan();
    assert.equal(await isPending(loan), true);
    frames[1]![Symbol.dispose]();
    (await loan)!.publish();
    assert.equal((await consumer.next())!.sequence, 3);
    assert.equal(frames[0]!.bytes.length, 8);
  });

  test(
    "that joins overdue begins with the oldest frame there is, and has missed none",
    { timeout: 10_000 },
    async (t) => {
      const { stream, theirs } = streamed(t, 3);
      await publish(stream, 5);
      const consumer = theirs.frames();
      assert.deepEqual(await takeAll(consumer), [2, 3, 4]);
      assert.equal(consumer.missed, 0);
    },
  );

  test("has not missed what was gone between the frames that it found", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    await publish(stream);
    const kept = (await theirs.frames({ policy: "newest" }).next())!;
    await publish(stream, 5);
    const consumer = theirs.frames();
    kept[Symbol.dispose]();
    assert.deepEqual(await takeAll(consumer), [0, 5]);
    assert.equal(consumer.missed, 0);
  });

  test(
    "waits for the first frame, and gets those that are published during the wait",
    { timeout: 10_000 },
    async (t) => {
      const { stream, theirs } = streamed(t);
      const consumer = theirs.frames();
      const waiting = [consumer.next(), consumer.next()];
      assert.equal(await isPending(waiting[0]!), true);
      await publish(stream, 2);
      const frames = await Promise.all(waiting);
      assert.deepEqual(
        frames.map((frame) => frame!.sequence),
        [0, 1],
      );
    },
  );

  test(
    "gives up after its time or when told to, and loses nothing by it",
    { ...BLOCKS, timeout: 10_000 },
    async (t) => {
      const { stream, theirs } = streamed(t);
      const consumer = theirs.frames({ timeout: 5 });
      const expected = { code: "ETIMEDOUT", message: /Stream "stream" has published no frame in 5 ms/ };
      await assert.rejects(consumer.next(), expected);
      assert.throws(() => consumer.nextSync({ timeout: 5 }), expected);
      const reason = new Error("enough");
      const end = new AbortController();
      const aborted = consumer.next({ signal: end.signal });
      end.abort(reason);
      await assert.rejects(aborted, reason);
      await publish(stream, 2);
      assert.equal(consumer.nextSync()!.sequence, 0);
      assert.equal((await consumer.next())!.sequence, 1);
    },
  );

  test("gets what was published before the end, and then the end, again and again", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    await publish(stream, 2);
    stream.end();
    assert.deepEqual(await takeAll(consumer), [0, 1]);
    for (let i = 0; i < 2; i++) assert.equal(await consumer.next(), undefined);
  });

  test("gets what was published before the failure, and then its error each time", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    await publish(stream);
    stream.fail("ENODEV");
    const expected = { code: "ENODEV", message: /Stream "stream" has failed: its producer gave it up/ };
    assert.equal((await consumer.next())!.sequence, 0);
    for (let i = 0; i < 2; i++) await assert.rejects(consumer.next(), expected);
    const sequences: number[] = [];
    const loop = async (): Promise<void> => {
      for await (using frame of theirs.frames()) sequences.push(frame.sequence);
    };
    await assert.rejects(loop(), expected);
    assert.deepEqual(sequences, [0]);
  });

  for (const [how, end] of Object.entries({
    ends: (stream: FrameStream) => stream.end(),
    "is closed": (stream: FrameStream) => stream.close(),
  })) {
    test(`that waits when the stream ${how} gets the end`, { timeout: 10_000 }, async (t) => {
      const { stream, theirs } = streamed(t);
      const waiting = theirs.frames().next();
      assert.equal(await isPending(waiting), true);
      end(stream);
      assert.equal(await waiting, undefined);
    });
  }

  test("that waits when the producer dies gets ESRCH", DIES, async (t) => {
    const domain = createDomain(t);
    const { domain: mortal, die } = joinMortal(domain);
    const waiting = domain
      .import(mortal.createStream({ format: rawFormat(1) }).handle())
      .frames()
      .next();
    const failed = assert.rejects(waiting, { code: "ESRCH" });
    await die();
    await failed;
  });

  test("leaves the stream when its loop ends, in whatever way", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t);
    await publish(stream, 2);
    for await (using frame of theirs.frames()) {
      assert.equal(stream.consumers, 1);
      if (frame.sequence === 1) break;
    }
    assert.equal(stream.consumers, 0);
    const loop = async (): Promise<void> => {
      for await (using _frame of theirs.frames()) throw new Error("out of the loop");
    };
    await assert.rejects(loop(), /out of the loop/);
    assert.equal(stream.consumers, 0);
  });

  test(
    "that leaves gives its frames back; what waits in it gets the end, and it is EBADF",
    { timeout: 10_000 },
    async (t) => {
      const { stream, theirs } = streamed(t, 1);
      const consumer = theirs.frames();
      await publish(stream);
      const frame = (await consumer.next())!;
      const waiting = consumer.next();
      const loan = stream.loan();
      assert.equal(await isPending(loan), true);
      consumer[Symbol.dispose]();
      consumer[Symbol.dispose]();
      (await loan)!.publish();
      assert.equal(await waiting, undefined);
      assert.throws(() => frame.bytes, { code: "EBADF" });
      await assert.rejects(consumer.next(), { code: "EBADF", message: /it was left/ });
    },
  );

  test("whose stream is closed in its agent gets the end", { timeout: 10_000 }, async (t) => {
    const { theirs } = streamed(t);
    const waiting = theirs.frames().next();
    theirs.close();
    assert.equal(await waiting, undefined);
  });

  test("with an unknown policy is refused, and takes no place", (t) => {
    const { stream, theirs } = streamed(t);
    const expected = { name: "TypeError", message: /"block", "drop-oldest" or "newest", not "fastest"/ };
    assert.throws(() => theirs.frames({ policy: "fastest" as "newest" }), expected);
    assert.equal(stream.consumers, 0);
  });
});

describe("a frame", () => {
  test("may be given back twice, and does not give back another consumer's", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 1);
    const [one, other] = [theirs.frames(), theirs.frames()];
    await publish(stream);
    const [frame, kept] = [(await one.next())!, (await other.next())!];
    frame[Symbol.dispose]();
    frame[Symbol.dispose]();
    assert.equal(kept.bytes.length, 8);
    await assert.rejects(stream.loan({ timeout: 10 }), { code: "ETIMEDOUT" });
  });

  test(
    "can be read but not written through its buffer, and is copied on request only",
    { timeout: 10_000 },
    async (t) => {
      const { stream, theirs } = streamed(t);
      const before = copiedBytes();
      const consumer = theirs.frames();
      await publish(stream);
      const frame = (await consumer.next())!;
      assert.throws(() => frame.buffer.handle("read-write"), { code: "EACCES" });
      assert.equal(frame.bytes.buffer, frame.buffer.segments[0]!.memory);
      assert.throws(() => frame.tensor, TypeError);
      assert.equal(copiedBytes(), before);
      assert.ok(frame.copy().buffer instanceof ArrayBuffer);
      assert.equal(copiedBytes(), before + 8);
    },
  );
});

describe("a frame that a fence still writes", () => {
  /** Publishes a frame whose bytes come with a fence. */
  async function publishPending(domain: Domain, stream: FrameStream): Promise<Fence> {
    const loan: Loan = (await stream.loan())!;
    const fence = domain.createTimeline().createFence();
    {
      using _lock = await loan.buffer.reservation.lock();
      loan.buffer.reservation.reserveFences(1);
      loan.buffer.reservation.addFence(fence, "write");
    }
    loan.publish();
    return fence;
  }

  test("comes when the fence has signaled", { timeout: 10_000 }, async (t) => {
    const { domain, stream, theirs } = streamed(t);
    const fence = await publishPending(domain, stream);
    const frame = theirs.frames().next();
    assert.equal(await isPending(frame), true);
    fence.signal();
    assert.equal((await frame)!.sequence, 0);
  });

  test("is the next one again for who did not wait so long", { ...BLOCKS, timeout: 10_000 }, async (t) => {
    const { domain, stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    const fence = await publishPending(domain, stream);
    await publish(stream);
    await assert.rejects(consumer.next({ timeout: 5 }), { code: "ETIMEDOUT" });
    assert.throws(() => consumer.nextSync({ timeout: 5 }), { code: "ETIMEDOUT" });
    fence.signal();
    assert.deepEqual(await takeAll(consumer), [0, 1]);
    assert.equal(consumer.missed, 0);
  });

  test("is missed by who wants the newest and did not wait so long", { timeout: 10_000 }, async (t) => {
    const { domain, stream, theirs } = streamed(t);
    const consumer = theirs.frames({ policy: "newest" });
    await publishPending(domain, stream);
    await assert.rejects(consumer.next({ timeout: 5 }), { code: "ETIMEDOUT" });
    await publish(stream);
    assert.deepEqual(await takeAll(consumer), [1]);
    assert.equal(consumer.missed, 1);
  });

  test("is given back if its consumer leaves before that", { timeout: 10_000 }, async (t) => {
    const { domain, stream, theirs } = streamed(t, 1);
    const consumer = theirs.frames();
    const fence = await publishPending(domain, stream);
    const waiting = consumer.next();
    assert.equal(await isPending(waiting), true);
    consumer[Symbol.dispose]();
    fence.signal();
    assert.equal(await waiting, undefined);
    await publish(stream);
  });
});
