import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createDomain } from "../../test/agents.js";
import { copiedBytes, imageFormat, rawFormat, type Consumer, type FrameStream } from "../index.js";
import { pipeFrames, readableStreamFrom, writableStreamFrom } from "./index.js";

const LIMIT = { timeout: 20_000 };

const streamIn = (t: TestContext, size = 1000): FrameStream =>
  createDomain(t).createStream({ format: rawFormat(size), buffers: 2 });

async function publish(stream: FrameStream, value: number): Promise<void> {
  using loan = await stream.loan();
  loan!.bytes.fill(value);
  loan!.publish();
}

async function produce(stream: FrameStream, frames: number): Promise<void> {
  for (let n = 0; n < frames; n++) await publish(stream, n % 251);
  stream.end();
}

/** The bytes of as many frames. */
function expected(frames: number, size = 1000): Uint8Array {
  return Uint8Array.from({ length: frames * size }, (_, i) => Math.floor(i / size) % 251);
}

/** One by one would take long. */
function areEqual(got: Uint8Array, wanted: Uint8Array): boolean {
  return got.length === wanted.length && got.every((byte, i) => byte === wanted[i]);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await later();
}

const later = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

test("every byte of 1,000 frames by two buffers is right in a Response, and each was copied once", LIMIT, async (t) => {
  const stream = streamIn(t);
  const before = copiedBytes();
  const [got] = await Promise.all([bytesOf(readableStreamFrom(stream.frames())), produce(stream, 1000)]);
  assert.ok(areEqual(got, expected(1000)));
  assert.deepEqual([copiedBytes() - before, stream.consumers], [1_000_000, 0]);
});

test("frames are compressed, and what is decompressed fills frames again", LIMIT, async (t) => {
  const [stream, copy] = [streamIn(t), streamIn(t, 700)];
  const consumer = copy.frames();
  const compressed = readableStreamFrom(stream.frames()).pipeThrough(new CompressionStream("gzip"));
  const piped = compressed.pipeThrough(new DecompressionStream("gzip")).pipeTo(writableStreamFrom(copy));
  const [got] = await Promise.all([taken(consumer), piped, produce(stream, 70)]);
  assert.ok(areEqual(got, expected(70)));
});

async function taken(consumer: Consumer): Promise<Uint8Array> {
  const parts: number[] = [];
  for await (using frame of consumer) parts.push(...frame.bytes);
  return Uint8Array.from(parts);
}

test("no frame is taken before it is asked for: the newest is the newest then", LIMIT, async (t) => {
  const stream = streamIn(t);
  const reader = readableStreamFrom(stream.frames({ policy: "newest" })).getReader();
  for (const value of [1, 2, 3]) await publish(stream, value);
  await later(5);
  await publish(stream, 4);
  const { value } = await reader.read();
  assert.equal(value![0], 4);
  await reader.cancel();
});

test(
  "a reader's own memory is filled by parts of any size, and a frame is held until all of it was read",
  LIMIT,
  async (t) => {
    const domain = createDomain(t);
    const stream = domain.createStream({ format: rawFormat(1000), buffers: 1 });
    const reader = readableStreamFrom(stream.frames()).getReader({ mode: "byob" });
    const before = copiedBytes();
    const produced = produce(stream, 3);
    const got: number[] = [];
    let memory = new Uint8Array(300);
    for (;;) {
      const { done, value } = await reader.read(memory);
      got.push(...value!);
      if (done) break;
      memory = new Uint8Array(value.buffer);
      // Later the stream has ended.
      if (got.length < 2000 && got.length % 1000 !== 0)
        await assert.rejects(stream.loan({ timeout: 0 }), { code: "ETIMEDOUT" });
    }
    await produced;
    assert.ok(areEqual(Uint8Array.from(got), expected(3)));
    assert.equal(copiedBytes() - before, 3000);
  },
);

test("a frame without bytes is passed over", LIMIT, async (t) => {
  const stream = streamIn(t);
  const response = bytesOf(readableStreamFrom(stream.frames()));
  const got: number[] = [];
  const piped = pipeFrames(stream.frames(), lateSink(got));
  for (const length of [0, 1000, 0, 500]) {
    using loan = await stream.loan();
    loan!.bytes.fill(1);
    loan!.publish({ length });
  }
  stream.end();
  await piped;
  assert.deepEqual([(await response).length, got], [1500, [1, 1]]);
});

test(
  "a stream that fails fails the reading, and one that is cancelled is left, also while it waits",
  LIMIT,
  async (t) => {
    const failing = streamIn(t);
    const reader = readableStreamFrom(failing.frames()).getReader();
    await publish(failing, 1);
    failing.fail("EREMOTEIO");
    assert.equal((await reader.read()).value![0], 1);
    await assert.rejects(reader.read(), { code: "EREMOTEIO" });
    assert.equal(failing.consumers, 0);

    const left = streamIn(t);
    const waiting = readableStreamFrom(left.frames()).getReader();
    const read = waiting.read();
    await later(5);
    await waiting.cancel();
    assert.deepEqual([await read, left.consumers], [{ value: undefined, done: true }, 0]);
  },
);

test("chunks of any size and kind fill frames", LIMIT, async (t) => {
  for (const size of [7, 999, 1000, 1001, 5000]) {
    const stream = streamIn(t);
    const sent = expected(20);
    const writer = writableStreamFrom(stream).getWriter();
    const got = taken(stream.frames());
    for (let start = 0; start < sent.length; start += size) {
      const part = sent.slice(start, start + size);
      const kinds = [part, part.buffer, new DataView(part.buffer), sharedCopy(part)];
      await writer.write(kinds[(start / size) % kinds.length]!);
    }
    await writer.close();
    assert.ok(areEqual(await got, sent), `chunks of ${size} bytes`);
  }
  const writer = writableStreamFrom(streamIn(t)).getWriter();
  writer.closed.catch(() => {});
  await assert.rejects(writer.write("text" as never), { name: "TypeError", message: /must be an ArrayBuffer/ });
});

function sharedCopy(bytes: Uint8Array): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

test(
  "a last image that is not full is an error that says how many bytes are missing, for both ends",
  LIMIT,
  async (t) => {
    const stream = createDomain(t).createStream({ format: imageFormat("GREY", 10, 10) });
    const consumer = stream.frames();
    const writer = writableStreamFrom(stream).getWriter();
    writer.closed.catch(() => {});
    await writer.write(new Uint8Array(130));
    await assert.rejects(writer.close(), { code: "ENODATA", message: /70 of its 100 bytes are missing/ });
    (await consumer.next())!.close();
    await assert.rejects(consumer.next(), { code: "ENODATA" });
  },
);

// frame-filler.1, frame-filler.2
test(
  "an abort ends a write that waits for a buffer, and the stream fails; a frame that was not full is not there",
  LIMIT,
  async (t) => {
    const reasons: [reason: unknown, code: string][] = [
      [new Error("planted"), "EIO"],
      [Object.assign(new Error("reset"), { code: "ECONNRESET" }), "ECONNRESET"],
      [new DOMException("aborted", "AbortError"), "ECANCELED"],
      [new DOMException("late", "TimeoutError"), "ETIMEDOUT"],
    ];
    for (const [reason, code] of reasons) {
      const stream = streamIn(t);
      const consumer = stream.frames();
      const writer = writableStreamFrom(stream).getWriter();
      writer.closed.catch(() => {});
      const written = writer.write(new Uint8Array(5000));
      await until(() => stream.published === 2);
      await Promise.all([assert.rejects(written), writer.abort(reason)]);
      for (let n = 0; n < 2; n++) (await consumer.next())!.close();
      await assert.rejects(consumer.next(), { code });
    }
  },
);

test("a write waits no longer than the program says, and fails if the stream has ended otherwise", LIMIT, async (t) => {
  const stream = streamIn(t);
  stream.frames();
  const writer = writableStreamFrom(stream, { timeout: 5 }).getWriter();
  writer.closed.catch(() => {});
  await assert.rejects(writer.write(new Uint8Array(3000)), { code: "ETIMEDOUT" });
  const ended = streamIn(t);
  ended.end();
  const late = writableStreamFrom(ended).getWriter();
  late.closed.catch(() => {});
  await assert.rejects(late.write(new Uint8Array(1)), { code: "EPIPE" });
});

/** A sink that takes the bytes late, and then says so. */
function lateSink(got: number[], options: { readonly failAfter?: number } = {}): WritableStream<Uint8Array> {
  return new WritableStream({
    async write(bytes) {
      await later();
      if (got.length === options.failAfter) throw new Error("planted");
      got.push(bytes[0]!);
      if (bytes.some((byte) => byte !== bytes[0])) throw new Error("torn");
    },
  });
}

test("pipeFrames() writes in place, and gives each frame back when the sink has taken it", LIMIT, async (t) => {
  const stream = streamIn(t);
  const got: number[] = [];
  const before = copiedBytes();
  await Promise.all([pipeFrames(stream.frames(), lateSink(got)), produce(stream, 200)]);
  assert.deepEqual([got, copiedBytes() - before], [Array.from({ length: 200 }, (_, n) => n), 0]);
  assert.equal(stream.consumers, 0);
});

test(
  "pipeFrames() holds a frame until a write that is under way has settled, also after an abort",
  LIMIT,
  async (t) => {
    const stream = createDomain(t).createStream({ format: rawFormat(1000), buffers: 1 });
    let take: (() => void) | undefined;
    const sink = new WritableStream<Uint8Array>({ write: () => new Promise((resolve) => (take = resolve)) });
    const aborter = new AbortController();
    const piped = pipeFrames(stream.frames(), sink, { signal: aborter.signal });
    await publish(stream, 1);
    await until(() => take !== undefined);
    aborter.abort(new Error("planted"));
    await later(5);
    await assert.rejects(stream.loan({ timeout: 0 }), { code: "ETIMEDOUT" });
    take!();
    await assert.rejects(piped, { message: "planted" });
    await publish(stream, 2);
    assert.equal(stream.consumers, 0);
  },
);

test("pipeFrames() tells each end of the other one's failure, and of an abort while it waits", LIMIT, async (t) => {
  const failing = streamIn(t);
  const sink = lateSink([]);
  const piped = pipeFrames(failing.frames(), sink);
  failing.fail("EREMOTEIO");
  await assert.rejects(piped, { code: "EREMOTEIO" });
  await assert.rejects(sink.getWriter().write(new Uint8Array(1)), { code: "EREMOTEIO" });

  const stream = streamIn(t);
  const got: number[] = [];
  const broken = pipeFrames(stream.frames(), lateSink(got, { failAfter: 2 }));
  const failed = assert.rejects(broken, { message: "planted" });
  for (let n = 0; n < 10; n++) await publish(stream, n);
  await failed;
  assert.deepEqual([got, stream.consumers], [[0, 1], 0]);

  const signal = AbortSignal.abort(new Error("before"));
  await assert.rejects(pipeFrames(stream.frames(), lateSink([]), { signal }), { message: "before" });
  const aborter = new AbortController();
  const waiting = pipeFrames(stream.frames(), lateSink([]), { signal: aborter.signal });
  await later(5);
  aborter.abort(new Error("waiting"));
  await assert.rejects(waiting, { message: "waiting" });
  assert.equal(stream.consumers, 0);
});

test("what is no stream is refused", LIMIT, async (t) => {
  const stream = streamIn(t);
  assert.throws(() => readableStreamFrom(stream as never), /source.next must be a function/);
  assert.throws(() => readableStreamFrom(1 as never), /source must be a Consumer, or what else gives frames/);
  assert.throws(() => writableStreamFrom(stream.frames() as never), /stream must be a FrameStream/);
  await assert.rejects(pipeFrames(stream.frames(), stream as never), /sink must be a WritableStream/);
});
