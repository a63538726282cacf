import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test, type TestContext } from "node:test";
import { setTimeout as later } from "node:timers/promises";
import { copiedBytes, Domain, imageFormat, rawFormat, type Consumer, type FrameStream } from "../../index.js";
import { capabilities, ProcessDomain, readableFrom, writableFrom } from "../index.js";

const LIMIT = { timeout: 30_000 };

function streamOf(t: TestContext, size = 1000, buffers = 2): FrameStream {
  const domain = Domain.create();
  t.after(() => domain.close());
  return domain.createStream({ format: rawFormat(size), buffers });
}

/** Bytes that differ from frame to frame and within each. */
function numbered(length: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: length / 4 }, (_, i) => i * 2_654_435_761).buffer);
}

async function bytesOf(consumer: Consumer): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (using frame of consumer) parts.push(frame.copy());
  return Buffer.concat(parts);
}

function* chunksOf(bytes: Buffer, size: number): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

test("chunks of any size fill frames, and every byte is right in 1,000 frames by two buffers", LIMIT, async (t) => {
  for (const size of [7, 999, 1000, 1001, 64 * 1024]) {
    const stream = streamOf(t);
    const sent = numbered(size === 7 ? 100_000 : 1_000_000);
    const got = bytesOf(stream.frames());
    const before = copiedBytes();
    await pipeline(Readable.from(chunksOf(sent, size)), writableFrom(stream));
    assert.ok(sent.equals(await got), `chunks of ${size} bytes`);
    assert.equal(copiedBytes() - before, 2 * sent.length, "once into the frames, and once by this test");
  }
});

test(
  "frames go through a child process, and back into frames",
  { ...LIMIT, skip: !capabilities().processes },
  async () => {
    using domain = ProcessDomain.create();
    using sent = domain.createStream({ format: rawFormat(40_000), buffers: 2 });
    using received = domain.createStream({ format: rawFormat(25_000), buffers: 2 });
    const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
    const got = bytesOf(received.frames());
    const both = [
      pipeline(readableFrom(sent.frames()), child.stdin),
      pipeline(child.stdout, writableFrom(received)),
      pipeline(Readable.from(chunksOf(numbered(2_000_000), 33_333)), writableFrom(sent)),
    ];
    await Promise.all(both);
    assert.ok(numbered(2_000_000).equals(await got));
  },
);

test("a write waits while no buffer is free, and no longer than the program says", LIMIT, async (t) => {
  const stream = streamOf(t);
  const consumer = stream.frames();
  const sink = writableFrom(stream, { timeout: 20 });
  sink.write(Buffer.alloc(2500));
  const [error] = (await once(sink, "error")) as [Error & { code: string }];
  assert.equal(error.code, "ETIMEDOUT");
  for (let n = 0; n < 2; n++) (await consumer.next())!.close();
  await assert.rejects(consumer.next(), { code: "ETIMEDOUT" });

  const patient = streamOf(t);
  const slow = patient.frames();
  let written = false;
  writableFrom(patient).write(Buffer.alloc(3000), () => (written = true));
  await later(20);
  assert.equal(written, false);
  for (let n = 0; n < 3; n++) (await slow.next())!.close();
  await later(0);
  assert.equal(written, true);
});

test(
  "the last frame of raw bytes has as many as came, and goes out as it came in (frame-filler.1)",
  LIMIT,
  async (t) => {
    const [first, second] = [streamOf(t), streamOf(t, 400)];
    const got = bytesOf(second.frames());
    const lengths: number[] = [];
    const [out, seen] = [readableFrom(first.frames(), { copy: false }), first.frames()];
    const piped = pipeline(out, writableFrom(second));
    const looked = (async () => {
      for await (using frame of seen) lengths.push(frame.bytes.length);
    })();
    await pipeline(Readable.from(chunksOf(numbered(3456), 100)), writableFrom(first));
    await Promise.all([piped, looked]);
    assert.deepEqual(lengths, [1000, 1000, 1000, 456]);
    assert.ok(numbered(3456).equals(await got));
  },
);

test("an image that is not full at the end is an error that says how many bytes are missing", LIMIT, async (t) => {
  const domain = Domain.create();
  t.after(() => domain.close());
  const stream = domain.createStream({ format: imageFormat("GREY", 100, 10) });
  const consumer = stream.frames();
  const written = pipeline(Readable.from([Buffer.alloc(1700)]), writableFrom(stream));
  await assert.rejects(written, {
    code: "ENODATA",
    message: /Cannot publish the last frame: 300 of its 1000 bytes are missing/,
  });
  (await consumer.next())!.close();
  await assert.rejects(consumer.next(), { code: "ENODATA" });
});

// frame-filler.2
test(
  "what fails on the way in fails the stream, by its code or as EIO, and without a reason as ECANCELED",
  LIMIT,
  async (t) => {
    const failures: [fail: (sink: ReturnType<typeof writableFrom>) => void, code: string][] = [
      [(sink) => sink.destroy(Object.assign(new Error("reset"), { code: "ECONNRESET" })), "ECONNRESET"],
      [(sink) => sink.destroy(new Error("planted")), "EIO"],
      [(sink) => sink.destroy(), "ECANCELED"],
    ];
    for (const [fail, code] of failures) {
      const stream = streamOf(t);
      const consumer = stream.frames();
      const sink = writableFrom(stream).on("error", () => {});
      sink.write(Buffer.alloc(1500, 1));
      const frame = await consumer.next();
      frame!.close();
      fail(sink);
      await assert.rejects(consumer.next(), { code });
    }
  },
);

test("a source that dies in the middle, and an abort, end a write that waits for a buffer", LIMIT, async (t) => {
  const stream = streamOf(t);
  const consumer = stream.frames();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port);
  const [source] = (await once(server, "connection")) as [Socket];
  server.close();
  const piped = pipeline(source, writableFrom(stream));
  client.write(Buffer.alloc(10_000, 1));
  await later(20);
  client.resetAndDestroy();
  await assert.rejects(piped, { code: "ECONNRESET" });
  await drained(consumer, "ECONNRESET");

  const other = streamOf(t);
  const reader = other.frames();
  const aborter = new AbortController();
  const aborted = pipeline(Readable.from([Buffer.alloc(10_000)]), writableFrom(other), { signal: aborter.signal });
  await later(20);
  aborter.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  await drained(reader, "ECANCELED");
});

async function drained(consumer: Consumer, code: string): Promise<void> {
  await assert.rejects(
    async () => {
      for await (const frame of consumer) frame.close();
    },
    { code },
  );
}

test("a stream that ends otherwise fails the writes that come after", LIMIT, async (t) => {
  const stream = streamOf(t);
  const sink = writableFrom(stream);
  stream.end();
  sink.write(Buffer.alloc(1));
  const [error] = (await once(sink, "error")) as [Error & { code: string }];
  assert.equal(error.code, "EPIPE");

  const closed = streamOf(t);
  const waiting = pipeline(Readable.from([Buffer.alloc(1)]), writableFrom(closed));
  closed.close();
  await assert.rejects(waiting, { code: "EBADF" });
});

test("the end of what is written ends the stream, and closes nothing", LIMIT, async (t) => {
  const stream = streamOf(t);
  const consumer = stream.frames();
  writableFrom(stream).end();
  assert.equal(await consumer.next(), undefined);
  assert.equal(stream.isClosed, false);
});

test("a Readable of a stream goes into a stream of another domain, and ends it", LIMIT, async (t) => {
  const [first, second] = [streamOf(t), streamOf(t, 400)];
  const got = bytesOf(second.frames());
  const piped = pipeline(readableFrom(first.frames()), writableFrom(second));
  await pipeline(Readable.from(chunksOf(numbered(10_000), 100)), writableFrom(first));
  await piped;
  assert.ok(numbered(10_000).equals(await got));
});
