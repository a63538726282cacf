import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Consumer } from "../../src/stream/consumer.js";
import type { FrameStream } from "../../src/stream/frame-stream.js";
import type { Policy } from "../../src/stream/stream-slot.js";
import { takeAll } from "../streams.js";

/**
 * What every kind of domain must do with frames that have numbers of their own, and with frames that were lost before they came
 * to the producer (stream-slot.11).
 */

/** The two ends of a stream of `rawFormat(8)` with so many buffers, in two agents. */
export type Ends = (t: TestContext, buffers: number) => Promise<{ stream: FrameStream; theirs: FrameStream }>;

const LIMITED = { timeout: 60_000 };

async function publish(stream: FrameStream, ...frames: { sequence?: number; missed?: number }[]): Promise<number[]> {
  const numbers: number[] = [];
  for (const frame of frames) numbers.push((await stream.loan({ timeout: 20_000 }))!.publish(frame));
  return numbers;
}

/** What a consumer gets, and how many it has missed after each frame. */
async function seen(consumer: Consumer): Promise<[number, number][]> {
  const frames: [number, number][] = [];
  for await (using frame of consumer) frames.push([frame.sequence, consumer.missed]);
  return frames;
}

export function numberingFacts(kind: string, ends: Ends): void {
  const fact = (claim: string, run: (t: TestContext) => Promise<void>): void =>
    void test(`${kind}: ${claim}`, LIMITED, run);

  fact("a frame has the number that it is given, and the next one the number after that", async (t) => {
    const { stream, theirs } = await ends(t, 4);
    const consumer = theirs.frames();
    assert.deepEqual(await publish(stream, {}, { sequence: 7 }, {}), [0, 7, 8]);
    assert.deepEqual(await takeAll(consumer), [0, 7, 8]);
    assert.equal(consumer.missed, 0, "a number alone says nothing of frames that are missed");
    const large = 2 ** 40;
    assert.deepEqual(await publish(stream, { sequence: large }, {}), [large, large + 1]);
    assert.deepEqual(await takeAll(consumer), [large, large + 1]);
    assert.equal(stream.published, 5);
  });

  fact("a number that is not greater than the last one is refused, and the loan stays", async (t) => {
    const { stream } = await ends(t, 2);
    await publish(stream, { sequence: 3 });
    const loan = (await stream.loan())!;
    for (const sequence of [3, 0]) {
      const message = `Cannot publish the frame with number ${sequence}: the last one had 3`;
      assert.throws(() => loan.publish({ sequence }), { code: "EINVAL", message: `EINVAL: ${message}` });
    }
    assert.equal(loan.publish({ sequence: 4 }), 4);
  });

  for (const policy of ["block", "drop-oldest", "newest"] as const satisfies Policy[]) {
    fact(
      `a consumer with policy ${policy} misses what was lost after it has joined, with the next frame (stream-slot.11)`,
      async (t) => {
        const { stream, theirs } = await ends(t, 4);
        await publish(stream, { missed: 5 }, { missed: 1 });
        const consumer = theirs.frames({ policy: "block" });
        assert.deepEqual(await takeAll(consumer), [0, 1]);
        assert.equal(consumer.missed, 0, "what was lost before it had joined");
        consumer.close();
        const own = theirs.frames({ policy });
        await takeAll(own);
        const before = own.missed;
        await publish(stream, { missed: 2 });
        assert.equal(own.missed, before, "it is counted with the frame");
        assert.deepEqual(await takeAll(own), [2]);
        assert.equal(own.missed, before + 2);
        await publish(stream, { sequence: 9, missed: 6 });
        assert.deepEqual(await takeAll(own), [9]);
        assert.equal(own.missed, before + 8);
      },
    );
  }

  fact("what was lost before a frame that is dropped is missed, too (stream-slot.11)", async (t) => {
    const { stream, theirs } = await ends(t, 2);
    const [oldest, newest] = [theirs.frames({ policy: "drop-oldest" }), theirs.frames({ policy: "newest" })];
    await publish(stream, { missed: 1 }, { missed: 10 }, { missed: 100 }, { missed: 1000 });
    stream.end();
    // Frames 0 and 1 were dropped, and 1 + 10 before them were lost.
    assert.deepEqual(await seen(oldest), [
      [2, 113],
      [3, 1113],
    ]);
    assert.deepEqual(await seen(newest), [[3, 1114]]);
  });

  fact("the oldest frame is dropped, whatever was lost in between (stream-slot.11)", async (t) => {
    const { stream, theirs } = await ends(t, 3);
    // Three places behind the next number is frame 1, and 0 is older.
    await publish(stream, {}, {}, { missed: 1 });
    const consumer = theirs.frames({ policy: "drop-oldest" });
    await publish(stream, {});
    assert.deepEqual(await takeAll(consumer), [1, 2, 3]);
    for (let i = 0; i < 20; i++) await publish(stream, { missed: i % 4 });
    assert.deepEqual(await takeAll(consumer), [21, 22, 23]);
  });

  for (const policy of ["block", "newest"] as const satisfies Policy[]) {
    fact(`each member of a group with policy ${policy} has missed what was lost (stream-slot.11)`, async (t) => {
      const { stream, theirs } = await ends(t, 4);
      await publish(stream, { missed: 7 });
      const members = [theirs, stream].map((end) => end.frames({ policy, group: "workers" }));
      assert.deepEqual(await takeAll(members[0]!), [0]);
      await publish(stream, { missed: 3 });
      assert.deepEqual(await takeAll(members[1]!), [1]);
      assert.deepEqual(
        members.map(({ missed }) => missed),
        [3, 3],
      );
    });
  }

  fact(
    "a stream counts what was lost with what was published, and a consumer that holds it waits for no gap",
    async (t) => {
      const { stream, theirs } = await ends(t, 1);
      const consumer = theirs.frames();
      const all = seen(consumer);
      const most = 2 ** 24 - 1;
      for (let i = 0; i < 200; i++) await publish(stream, { missed: most });
      assert.equal(stream.published, (200 * 2 ** 24) % 2 ** 32);
      stream.end();
      const frames = await all;
      assert.equal(frames.length, 200);
      assert.deepEqual(frames.at(-1), [199, 200 * most]);
    },
  );
}
