import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, joinDomain, isPending } from "../../test/agents.js";
import { publish, streamed, takeAll } from "../../test/streams.js";
import { rawFormat } from "./format.js";

describe("policy block", () => {
  test("gets every frame in order, however slow it is", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const consumer = theirs.frames();
    const sequences: number[] = [];
    const consuming = (async () => {
      for await (using frame of consumer) {
        sequences.push(frame.sequence);
        if (frame.sequence % 7 === 0) await isPending(new Promise(() => {}));
      }
    })();
    await publish(stream, 20);
    stream.end();
    await consuming;
    assert.deepEqual(
      sequences,
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.equal(consumer.missed, 0);
  });

  test("is the default, and holds the others' producer back too", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const slow = theirs.frames();
    const fast = theirs.frames({ policy: "newest" });
    assert.equal(slow.policy, "block");
    await publish(stream, 2);
    assert.deepEqual(await takeAll(fast), [1]);
    await assert.rejects(stream.loan({ timeout: 10 }), { code: "ETIMEDOUT" });
    assert.deepEqual(await takeAll(slow), [0, 1]);
    await publish(stream);
  });
});

describe("policy drop-oldest", () => {
  test("loses the oldest frames, counts them, and never blocks the producer", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const consumer = theirs.frames({ policy: "drop-oldest" });
    await publish(stream, 2);
    assert.deepEqual(await takeAll(consumer), [0, 1]);
    await publish(stream, 10);
    assert.deepEqual(await takeAll(consumer), [9, 10, 11]);
    assert.equal(consumer.missed, 7);
    await publish(stream, 3);
    assert.deepEqual(await takeAll(consumer), [12, 13, 14]);
    assert.equal(consumer.missed, 7);
  });

  test("keeps the frame that it holds while all others are dropped", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const consumer = theirs.frames({ policy: "drop-oldest" });
    const loan = (await stream.loan())!;
    loan.bytes.fill(7);
    loan.publish();
    const frame = (await consumer.next())!;
    await publish(stream, 5);
    assert.deepEqual([...frame.bytes], Array<number>(8).fill(7));
    assert.equal((await consumer.next())!.sequence, 5);
    assert.equal(consumer.missed, 4);
  });
});

describe("policy newest", () => {
  test("always takes the newest frame and counts those it has passed over", { timeout: 10_000 }, async (t) => {
    const { stream, theirs } = streamed(t, 4);
    const consumer = theirs.frames({ policy: "newest" });
    await publish(stream, 3);
    assert.deepEqual(await takeAll(consumer), [2]);
    assert.equal(consumer.missed, 2);
    await publish(stream);
    assert.deepEqual(await takeAll(consumer), [3]);
    await publish(stream, 50);
    assert.deepEqual(await takeAll(consumer), [53]);
    assert.equal(consumer.missed, 51);
  });
});

test(
  "a consumer that joins when another stream has the slot is refused, and leaves that one alone",
  { timeout: 10_000 },
  async (t) => {
    const domain = createDomain(t, { streams: 1 });
    const old = domain.createStream({ format: rawFormat(1) });
    const theirs = joinDomain(t, domain).import(old.handle());
    (await old.loan())!.publish();
    old.close();
    const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
    (await stream.loan())!.publish();
    assert.throws(() => theirs.frames(), { code: "ESTALE", message: /another has its place/ });
    assert.deepEqual([theirs.consumers, stream.consumers], [0, 0]);
    assert.equal((await stream.loan())!.publish(), 1);
  },
);

test("a slot is not used again while a consumer of its last stream has not left", { timeout: 10_000 }, async (t) => {
  const domain = createDomain(t, { streams: 1 });
  const old = domain.createStream({ format: rawFormat(1) });
  const consumer = joinDomain(t, domain).import(old.handle()).frames();
  (await old.loan())!.publish();
  old.close();
  assert.throws(() => domain.createStream({ format: rawFormat(1) }), { code: "ENOSPC" });
  assert.equal((await consumer.next())!.sequence, 0);
  assert.equal(await consumer.next(), undefined);
  consumer[Symbol.dispose]();
  domain.createStream({ format: rawFormat(1) });
});
