import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { codeOf } from "../../errors.js";
import { rawFormat } from "../../index.js";
import { ProcessDomain } from "../../node/index.js";
import type { Loan } from "../../stream/frame.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import { connection } from "../../../test/connection.js";
import type { OnRead } from "../peers.js";
import { encodeHeader } from "./frame-header.js";
import { StreamReceiver, type Outcome } from "./stream-receiver.js";
import { CREDIT, StreamSender } from "./stream-sender.js";

// The two sides of a relay on real sockets, each with one mistake, which must be found.

const LONG = { timeout: 120_000 };
const IN_TIME = { timeout: 60_000 };
const SIZE = 8_000_000;
const BUFFERS = 3;

function streamOf(t: TestContext): FrameStream {
  const domain = ProcessDomain.create();
  t.after(() => domain.close());
  return domain.createStream({ format: rawFormat(SIZE), buffers: BUFFERS });
}

interface Planted {
  /** Changes what the receiver hears of its socket. */
  readonly onread?: (onread: OnRead) => OnRead;
  /** Changes its socket. */
  readonly socket?: (socket: Socket) => void;
}

interface Received {
  readonly stream: FrameStream;
  readonly far: Socket;
  readonly outcome: Promise<Outcome>;
}

/** A receiver, and the other end of its connection. */
async function receives(t: TestContext, planted: Planted = {}, limit = 60_000): Promise<Received> {
  const stream = streamOf(t);
  const consumer = stream.frames({ policy: "newest" });
  t.after(() => consumer.close());
  let found!: (far: Socket) => void;
  const far = new Promise<Socket>((resolve) => (found = resolve));
  const receiver = new StreamReceiver({
    stream,
    dataBytes: 100,
    credits: 2,
    most: 2,
    limit,
    open: async (onread) => {
      const ends = await connection(t, planted.onread?.(onread) ?? onread);
      planted.socket?.(ends.near);
      found(ends.far);
      return ends.near;
    },
  });
  const outcome = receiver.run();
  return { stream, far: await far, outcome };
}

function header(sequence: number, length = SIZE): Uint8Array {
  return encodeHeader({ kind: "frame", length, dataLength: 0, missed: 0, sequence, timestamp: 0 });
}

/** All buffers of a stream, filled with 7: none is held, and nothing may write to them. */
async function fillAll(stream: FrameStream): Promise<() => boolean> {
  const loans: Loan[] = [];
  for (let i = 0; i < BUFFERS; i++) loans.push((await stream.loan(IN_TIME))!);
  for (const { bytes } of loans) bytes.fill(7);
  return () => loans.every(({ bytes }) => bytes.every((byte) => byte === 7));
}

async function creditOf(far: Socket): Promise<void> {
  const [bytes] = (await once(far, "data")) as [Uint8Array];
  assert.ok(bytes.every((byte) => byte === CREDIT));
}

/** Half a frame comes, and then the end of the connection. @returns How many frames were published. */
async function cutInMidFrame(t: TestContext, planted?: Planted): Promise<number> {
  const { stream, far, outcome } = await receives(t, planted);
  await creditOf(far);
  far.write(header(0));
  far.write(new Uint8Array(SIZE / 2).fill(1), () => far.resetAndDestroy());
  const { kind } = await outcome;
  assert.equal(kind, "lost");
  const { published } = stream;
  const isUntouched = await fillAll(stream);
  await pause(20);
  assert.ok(isUntouched(), "a blank was filled after its end");
  return published;
}

test(
  "a connection that is cut in mid-frame publishes nothing, and its blanks are free stream-receiver.2",
  LONG,
  async (t) => {
    assert.equal(await cutInMidFrame(t), 0);
  },
);

test("a receiver that publishes a frame before its last byte is found stream-receiver.2", LONG, async (t) => {
  const planted: Planted = {
    onread: (own) => {
      let room = 0;
      return {
        buffer: () => {
          const place = own.buffer();
          room = place.length;
          return place;
        },
        // It takes each read for a whole one.
        callback: () => own.callback(room),
      };
    },
  };
  assert.equal(await cutInMidFrame(t, planted), 1);
});

/** The receiver leaves in the middle of a frame, of which more comes. @returns Whether a buffer was written to afterwards. */
async function leftInMidFrame(t: TestContext, planted?: Planted): Promise<boolean> {
  const stream = streamOf(t);
  const consumer = stream.frames();
  let far!: Socket;
  const receiver = new StreamReceiver({
    stream,
    dataBytes: 100,
    credits: 2,
    most: 2,
    limit: 60_000,
    open: async (onread) => {
      const ends = await connection(t, onread);
      planted?.socket?.(ends.near);
      far = ends.far;
      return ends.near;
    },
  });
  const outcome = receiver.run();
  while (far === undefined) await pause(1);
  await creditOf(far);
  far.write(header(0));
  far.write(new Uint8Array(1_000).fill(1));
  await pause(100);
  consumer.close();
  receiver.finish({ kind: "left" });
  assert.equal((await outcome).kind, "left");
  const isUntouched = await fillAll(stream);
  far.write(new Uint8Array(SIZE / 2).fill(1));
  await pause(200);
  return !isUntouched();
}

test(
  "a receiver that leaves in mid-frame gives the blank back when nothing can fill it any more stream-receiver.3",
  LONG,
  async (t) => {
    assert.equal(await leftInMidFrame(t), false);
  },
);

test("a receiver that gives a blank back before its socket is closed is found stream-receiver.3", LONG, async (t) => {
  const planted: Planted = {
    socket: (socket) => {
      socket.destroy = () => {
        setImmediate(() => socket.emit("close"));
        return socket;
      };
    },
  };
  assert.equal(await leftInMidFrame(t, planted), true);
});

/** Frames come as a sender sends them. @returns How it has ended. */
async function relayed(t: TestContext, planted?: Planted): Promise<Outcome> {
  const { stream, far, outcome } = await receives(t, planted);
  const slow = takeSlowly(stream);
  t.after(() => slow);
  const source = streamOf(t);
  new StreamSender(far, source, { policy: "block", after: undefined, beat: 1_000 });
  return Promise.race([outcome, publishAll(source, 8).then(() => outcome)]);
}

/** A consumer that the blanks have to wait for. */
async function takeSlowly(stream: FrameStream): Promise<void> {
  try {
    for await (using _frame of stream.frames()) await pause(50);
  } catch (error) {
    assert.ok(["ECANCELED", "EBADF"].includes(codeOf(error)), "the test has ended");
  }
}

async function publishAll(stream: FrameStream, count: number): Promise<void> {
  try {
    for (let i = 0; i < count; i++) {
      using loan = await stream.loan(IN_TIME);
      loan?.bytes.fill(i);
      loan?.publish();
    }
    stream.end();
  } catch (error) {
    assert.ok(["ECANCELED", "EBADF"].includes(codeOf(error)), "the test has ended");
  }
}

test("a receiver that gives a credit too many is found stream-receiver.1", LONG, async (t) => {
  assert.equal((await relayed(t)).kind, "end");
  const planted: Planted = {
    socket: (socket) => {
      const write = (bytes: Uint8Array): boolean => Socket.prototype.write.call(socket, bytes);
      socket.write = (bytes: Uint8Array | string) => write(Uint8Array.of(...(bytes as Uint8Array), CREDIT, CREDIT));
    },
  };
  const outcome = await relayed(t, planted);
  assert.equal(outcome.kind === "lost" && codeOf(outcome.error), "EPROTO");
});

test("a header that is damaged, and a frame without a credit, touch no blank stream-receiver.1", LONG, async (t) => {
  for (const wrong of [header(0, SIZE + 1), new Uint8Array(64).fill(255)]) {
    const { stream, far, outcome } = await receives(t);
    await creditOf(far);
    far.write(wrong);
    far.write(new Uint8Array(1_000).fill(1));
    const ended = await outcome;
    assert.equal(ended.kind === "lost" && codeOf(ended.error), "EPROTO");
    assert.equal(stream.published, 0);
    const isUntouched = await fillAll(stream);
    assert.ok(isUntouched());
  }
});

/** @returns Whether each frame that came was of one number. */
async function sent(t: TestContext, planted?: Planted): Promise<boolean> {
  const { near, far } = await connection(t);
  planted?.socket?.(far);
  const source = streamOf(t);
  new StreamSender(far, source, { policy: "block", after: undefined, beat: 60_000 });
  const count = 12;
  const done = publishAll(source, count);
  let isWhole = true;
  let number = -1;
  let at = 0;
  let frames = 0;
  near.write(Uint8Array.of(CREDIT, CREDIT, CREDIT));
  for await (const chunk of near as AsyncIterable<Uint8Array>) {
    for (let i = 0; i < chunk.length;) {
      if (at < 64) {
        const skip = Math.min(64 - at, chunk.length - i);
        [at, i] = [at + skip, i + skip];
        continue;
      }
      if (at === 64) number = chunk[i]!;
      const end = Math.min(chunk.length, i + 64 + SIZE - at);
      for (let k = i; k < end; k++) if (chunk[k] !== number) isWhole = false;
      [at, i] = [at + end - i, end];
      if (at < 64 + SIZE) continue;
      at = 0;
      if (near.writable) near.write(Uint8Array.of(CREDIT));
      frames++;
      // The system has to keep what it has taken.
      await pause(10);
    }
    if (frames === count) break;
  }
  await done;
  return isWhole;
}

test("a frame is sent whole, and given back when the system has it stream-sender.2", LONG, async (t) => {
  assert.equal(await sent(t), true);
});

test("a sender that gives a frame back before the write has ended is found stream-sender.2", LONG, async (t) => {
  const planted: Planted = {
    socket: (socket) => {
      const write = (bytes: Uint8Array): boolean => Socket.prototype.write.call(socket, bytes);
      socket.write = ((bytes: Uint8Array, written?: (error?: Error | null) => void) => {
        const more = write(bytes);
        if (typeof written === "function") setImmediate(written);
        return more;
      }) as typeof socket.write;
    },
  };
  assert.equal(await sent(t, planted), false);
});

test(
  "a sender that is silent is lost, and one that only beats is not stream-receiver.4 stream-sender.4",
  LONG,
  async (t) => {
    const limit = 2_000;
    const silent = await receives(t, {}, limit);
    const begun = performance.now();
    const beating = await receives(t, {}, limit);
    new StreamSender(beating.far, streamOf(t), { policy: "newest", after: undefined, beat: limit / 5 });
    let isOver = false;
    void beating.outcome.then(() => (isOver = true));
    const ended = await silent.outcome;
    assert.equal(ended.kind === "lost" && codeOf(ended.error), "ESRCH");
    assert.ok(performance.now() - begun > limit / 2);
    await pause(2 * limit);
    assert.equal(isOver, false);
  },
);
