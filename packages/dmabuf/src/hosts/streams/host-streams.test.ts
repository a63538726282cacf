import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { copiedBytes, imageFormat, rawFormat } from "../../index.js";
import type { Consumer } from "../../stream/consumer.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import { hostOf, twoRelaying, type TestHost } from "../../../test/relayed-hosts.js";

const LONG = { timeout: 120_000 };
const IN_TIME = { timeout: 20_000 };

/** Publishes frames that are filled with their number. */
async function publish(stream: FrameStream, count: number, first = 0): Promise<void> {
  for (let i = first; i < first + count; i++) {
    using loan = (await stream.loan(IN_TIME))!;
    loan.bytes.fill(i);
    loan.publish({ data: { i } });
  }
}

interface Seen {
  readonly sequences: number[];
  error: unknown;
}

async function takeAll(consumer: Consumer): Promise<Seen> {
  const seen: Seen = { sequences: [], error: undefined };
  try {
    for await (using frame of consumer) {
      const { sequence, bytes } = frame;
      assert.ok(
        bytes.every((byte) => byte === (sequence & 0xff)),
        `frame ${sequence} is torn`,
      );
      seen.sequences.push(sequence);
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    seen.error = (error as { code?: string }).code;
  }
  return seen;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await pause(5);
}

async function offers({ hosts }: TestHost, count: number): Promise<void> {
  while ((await hosts.streams()).length < count) await pause(5);
}

const FORMAT = rawFormat(100_000);

function camera({ domain }: TestHost, options = {}): FrameStream {
  return domain.createStream({ name: "camera", format: FORMAT, ...options });
}

describe("a stream of another host", () => {
  test(
    "is found by its name, and its frames are the same: numbers, times, data, lengths stream-relay.2",
    LONG,
    async (t) => {
      const [a, b] = await twoRelaying(t);
      using stream = camera(a, { dataBytes: 5_000 });
      using found = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
      assert.deepEqual([found.name, found.format, found.isProducer], ["camera", FORMAT, false]);
      const consumer = found.frames();
      const before = copiedBytes();
      const data = { text: "ä".repeat(2_000), list: [1, null, { deep: true }] };
      (await stream.loan(IN_TIME))!.publish({ sequence: 5, timestamp: 0.25, data });
      (await stream.loan(IN_TIME))!.publish({ length: 0, data: null });
      using loan = (await stream.loan(IN_TIME))!;
      loan.bytes.fill(9);
      loan.publish({ sequence: 90, length: 70_001 });
      const first = (await consumer.next(IN_TIME))!;
      assert.deepEqual([first.sequence, first.timestamp, first.data, first.length], [5, 0.25, data, 100_000]);
      const second = (await consumer.next(IN_TIME))!;
      assert.deepEqual([second.sequence, second.data, second.length], [6, null, 0]);
      const third = (await consumer.next(IN_TIME))!;
      assert.deepEqual([third.sequence, third.data, third.length, third.bytes[70_000]], [90, undefined, 70_001, 9]);
      assert.equal(consumer.missed, 0);
      assert.equal(copiedBytes(), before, "bytes were copied");
    },
  );

  test("has the pictures of its images stream-relay.2", LONG, async (t) => {
    const [a, b] = await twoRelaying(t);
    using stream = a.domain.createStream({ name: "film", format: imageFormat("NV12", 64, 32) });
    using consumer = (await b.hosts.findStream("film", IN_TIME)).frames();
    const picture = { duration: 40, rotation: 90, visibleRect: { x: 2, y: 2, width: 32, height: 16 } } as const;
    (await stream.loan(IN_TIME))!.publish({ picture, data: { title: "one" } });
    using frame = (await consumer.next(IN_TIME))!;
    assert.deepEqual([frame.picture, frame.data], [picture, { title: "one" }]);
  });

  test(
    "comes whole and in order to all consumers of a host by one connection, and ends stream-relay.5 stream-sender.5",
    LONG,
    async (t) => {
      const [a, b] = await twoRelaying(t);
      using stream = camera(a);
      using found = await b.hosts.findStream("camera", { policy: "block", credits: 3, ...IN_TIME });
      const all = upTo(3).map(() => takeAll(found.frames()));
      await stream.waitForConsumers(1, IN_TIME);
      await publish(stream, 300);
      assert.equal(stream.consumers, 1, "one consumer of the other host's");
      stream.end();
      for (const seen of all) assert.deepEqual(await seen, { sequences: upTo(300), error: undefined });
    },
  );

  test(
    "has failed with what it has failed with there, and with ESRCH when its producer dies stream-relay.5 stream-sender.5 offers.5",
    LONG,
    async (t) => {
      const [a, b] = await twoRelaying(t);
      for (const code of ["EIO", "ESRCH"] as const) {
        using stream = camera(a);
        using found = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
        const seen = takeAll(found.frames());
        await stream.waitForConsumers(1, IN_TIME);
        await publish(stream, 2);
        stream.fail(code);
        assert.deepEqual(await seen, { sequences: [0, 1], error: code });
      }
    },
  );

  test("fails with ESRCH when its host leaves, and another host's takes over stream-relay.5", LONG, async (t) => {
    const [a, b] = await twoRelaying(t);
    const c = await hostOf(t, [a, b], { name: "c" });
    using first = camera(a);
    using follower = b.hosts.follow("camera", { remotePolicy: "block", findTimeout: 60_000, ...IN_TIME });
    const next = follower.next();
    await first.waitForConsumers(1, IN_TIME);
    await publish(first, 1);
    (await next)!.close();
    const second = follower.next();
    await a.hosts.close();
    using other = camera(c);
    await other.waitForConsumers(1, IN_TIME);
    await publish(other, 1, 77);
    using frame = (await second)!;
    assert.deepEqual([frame.data, follower.takeovers], [{ i: 77 }, 1]);
  });

  test("of a host that comes later is waited for, and not found in time", LONG, async (t) => {
    const [a, b] = await twoRelaying(t);
    await assert.rejects(b.hosts.findStream("none", { timeout: 30 }), {
      code: "ETIMEDOUT",
      message: /"none" for 30 ms/,
    });
    const reason = new Error("enough");
    const end = new AbortController();
    const given = b.hosts.findStream("camera", { signal: end.signal });
    end.abort(reason);
    await assert.rejects(given, reason);
    const found = b.hosts.findStream("camera", IN_TIME);
    await pause(50);
    using stream = camera(a);
    assert.equal((await found).name, stream.name);
    await b.hosts.close();
    await assert.rejects(b.hosts.findStream("camera", IN_TIME), { code: "EBADF" });
  });
});

describe("consumers of a host", () => {
  test("have the frames only while one of them is there stream-relay.3 stream-receiver.5", LONG, async (t) => {
    const [a, b] = await twoRelaying(t);
    using stream = camera(a, { buffers: 3 });
    using found = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
    await pause(300);
    assert.equal(stream.consumers, 0, "frames are asked for before a consumer is there");
    const [one, two] = [found.frames(), found.frames()];
    await stream.waitForConsumers(1, IN_TIME);
    await publish(stream, 2);
    assert.equal((await one.next(IN_TIME))!.sequence, 0);
    one.close();
    assert.equal((await two.next(IN_TIME))!.sequence, 0);
    assert.equal((await two.next(IN_TIME))!.sequence, 1);
    two.close();
    await until(() => stream.consumers === 0);
    // Nothing holds the producer, and nothing old is left here: who joins gets what the ring there has.
    await publish(stream, 5, 2);
    using again = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
    const late = again.frames();
    const sequences: number[] = [];
    for (let i = 0; i < 3; i++) {
      using frame = (await late.next(IN_TIME))!;
      sequences.push(frame.sequence);
    }
    assert.deepEqual([sequences, late.missed], [[4, 5, 6], 0]);
  });

  test(
    "hold the producer there if it is asked for, also while frames come stream-relay.4 stream-sender.1",
    LONG,
    async (t) => {
      const [a, b] = await twoRelaying(t);
      using stream = camera(a, { buffers: 2 });
      using found = await b.hosts.findStream("camera", IN_TIME);
      const consumer = found.frames();
      await stream.waitForConsumers(1, IN_TIME);
      // With policy newest nothing holds it.
      await publish(stream, 50);
      const held = (await consumer.next(IN_TIME))!;
      await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
      let published = 0;
      await assert.rejects(
        async () => {
          for (;;) {
            using loan = (await stream.loan({ timeout: 500 }))!;
            loan.bytes.fill(50 + published);
            loan.publish();
            published++;
            await pause(1);
          }
        },
        { code: "ETIMEDOUT" },
      );
      assert.equal(stream.waitsFor.length, 1, "it waits for this host's relay");
      held.close();
      const { missed } = consumer;
      const rest: number[] = [];
      stream.end();
      for await (using frame of consumer) rest.push(frame.sequence);
      assert.equal(rest.at(-1), 49 + published);
      assert.ok(consumer.missed >= missed);
    },
  );

  for (const policy of ["newest", "drop-oldest"] as const) {
    test(`have the last frame by ${policy} also while they use another stream-receiver.6`, LONG, async (t) => {
      const [a, b] = await twoRelaying(t);
      using stream = camera(a, { buffers: 2 });
      using found = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
      const consumer = found.frames({ policy });
      await stream.waitForConsumers(1, IN_TIME);
      await publish(stream, 1);
      using used = (await consumer.next(IN_TIME))!;
      await publish(stream, 1, 1);
      await until(() => found.published === 2);
      // Blanks for what may come next are taken.
      await pause(200);
      using last = (await consumer.next(IN_TIME))!;
      assert.deepEqual([used.sequence, last.sequence], [0, 1]);
    });

    test(
      `have missed what ${policy} has dropped on the way, as the numbers tell stream-relay.2 stream-sender.3`,
      LONG,
      async (t) => {
        const [a, b] = await twoRelaying(t);
        using stream = camera(a, { buffers: 3 });
        using found = await b.hosts.findStream("camera", { policy, ...IN_TIME });
        const consumers = [found.frames(), found.frames({ policy: "newest" })];
        await stream.waitForConsumers(1, IN_TIME);
        const counts = consumers.map(async (consumer) => {
          const sequences: number[] = [];
          for await (using frame of consumer) {
            sequences.push(frame.sequence);
            const all = frame.sequence - sequences[0]! + 1;
            assert.equal(consumer.missed, all - sequences.length, `after ${sequences.join()}`);
            if (sequences.length % 7 === 0) await pause(3);
          }
          return [sequences.at(-1), sequences.length] as const;
        });
        for (let i = 0; i < 600; i++) {
          await publish(stream, 1, i);
          if (i % 4 === 0) await pause(0);
        }
        stream.end();
        const [[last, count], [lastOfNewest, newest]] = (await Promise.all(counts)) as [
          [number, number],
          [number, number],
        ];
        assert.deepEqual([last, lastOfNewest], [599, 599]);
        assert.ok(count < 600 && newest < 600, "nothing was dropped");
      },
    );
  }

  test("get their own host's stream, and no host's that it only relays offers.2 stream-relay.1", LONG, async (t) => {
    const [a, b] = await twoRelaying(t);
    const c = await hostOf(t, [b], { name: "c" });
    using stream = camera(a);
    using found = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
    const consumer = found.frames();
    await stream.waitForConsumers(1, IN_TIME);
    await publish(stream, 1);
    (await consumer.next(IN_TIME))!.close();
    await until(() => c.hosts.list().length === 1);
    const [offered] = await b.hosts.streams();
    assert.deepEqual([offered!.name, offered!.hostName, offered!.format], ["camera", "a", FORMAT]);
    await assert.rejects(c.hosts.findStream("camera", { timeout: 500 }), { code: "ETIMEDOUT" });
    assert.deepEqual(await c.hosts.streams(), []);
    using own = camera(c);
    using mine = await c.hosts.findStream("camera", IN_TIME);
    const there = mine.frames();
    await publish(own, 1, 5);
    assert.deepEqual((await there.next(IN_TIME))!.data, { i: 5 });
  });

  test("get the stream that began last, of several hosts' stream-relay.1", LONG, async (t) => {
    const [a, b] = await twoRelaying(t);
    const c = await hostOf(t, [b], { name: "c" });
    using older = camera(a);
    await offers(b, 1);
    await pause(50);
    using newer = camera(c);
    await offers(b, 2);
    using found = await b.hosts.findStream("camera", { policy: "block", ...IN_TIME });
    using consumer = found.frames();
    await newer.waitForConsumers(1, IN_TIME);
    assert.equal(older.consumers, 0);
    await publish(newer, 1, 3);
    assert.deepEqual((await consumer.next(IN_TIME))!.data, { i: 3 });
  });

  test("get a stream that was there before their host offers.4", LONG, async (t) => {
    const a = await hostOf(t);
    using stream = camera(a);
    await pause(200);
    const b = await hostOf(t, [a]);
    using found = await b.hosts.findStream("camera", IN_TIME);
    assert.deepEqual(found.format, stream.format);
  });

  test("get no stream that is not offered offers.1", LONG, async (t) => {
    const a = await hostOf(t, [], { offers: ["camera"] });
    const b = await hostOf(t, [a]);
    using _hidden = a.domain.createStream({ name: "hidden", format: FORMAT });
    using stream = camera(a);
    using found = await b.hosts.findStream("camera", IN_TIME);
    assert.equal(found.name, stream.name);
    await assert.rejects(b.hosts.findStream("hidden", { timeout: 300 }), { code: "ETIMEDOUT" });
  });
});
