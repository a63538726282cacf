import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer, get, type ServerResponse } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Writable, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test, type TestContext } from "node:test";
import { copiedBytes, Domain, rawFormat, type FrameStream } from "../../index.js";
import { readableFrom } from "../index.js";

const LIMIT = { timeout: 30_000 };
/** More than the buffers of any connection take. */
const LARGE = 16 << 20;

function streamOf(t: TestContext, size = 1000, buffers = 2): FrameStream {
  const domain = Domain.create();
  t.after(() => domain.close());
  return domain.createStream({ format: rawFormat(size), buffers });
}

async function publish(stream: FrameStream, value: number): Promise<void> {
  using loan = await stream.loan();
  loan!.bytes.fill(value);
  loan!.publish();
}

const isFree = async (stream: FrameStream): Promise<boolean> => {
  try {
    using loan = await stream.loan({ timeout: 0 });
    return loan !== undefined;
  } catch {
    return false;
  }
};

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function leave(...readables: Readable[]): Promise<void> {
  await Promise.all(readables.map((readable) => once(readable.destroy(), "close")));
}

/** A socket whose other end reads nothing. */
async function stalledSocket(t: TestContext): Promise<{ sink: Socket; other: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const sink = connect((server.address() as AddressInfo).port);
  const [other] = (await once(server, "connection")) as [Socket];
  server.close();
  t.after(() => (sink.destroy(), other.destroy()));
  return { sink, other };
}

/** Takes what it gets when it is told to. */
class Slow extends Writable {
  readonly got: number[] = [];
  #take: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  get isWriting(): boolean {
    return this.#take !== undefined;
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: () => void): void {
    this.#take = () => {
      this.#take = undefined;
      this.got.push(chunk[0]!);
      callback();
    };
  }

  async take(): Promise<void> {
    await until(() => this.isWriting);
    this.#take!();
  }
}

test("no frame is taken before a sink asks: the newest is the newest then", LIMIT, async (t) => {
  const stream = streamOf(t);
  const [read, piped] = (["newest", "newest"] as const).map((policy) =>
    readableFrom(stream.frames({ policy }), { copy: false }),
  );
  for (const value of [1, 2, 3]) await publish(stream, value);
  const sink = new Slow();
  piped!.pipe(sink);
  await sink.take();
  const [chunk] = (await once(read!, "data")) as [Uint8Array];
  assert.deepEqual([sink.got, chunk[0]], [[3], 3]);
  await leave(read!, piped!);
});

test("a frame goes back in the sink's callback, and no earlier", LIMIT, async (t) => {
  const stream = streamOf(t, 1000, 1);
  const sink = new Slow();
  readableFrom(stream.frames(), { copy: false }).pipe(sink);
  for (const value of [1, 2, 3]) {
    await publish(stream, value);
    await until(() => sink.isWriting);
    assert.equal(await isFree(stream), false);
    await sink.take();
    await until(() => isFree(stream));
  }
  stream.end();
  await once(sink, "close");
  assert.deepEqual(sink.got, [1, 2, 3]);
});

test("a stream that fails fails the pipeline, and its end ends the sink", LIMIT, async (t) => {
  const stream = streamOf(t);
  const sink = new Slow();
  const piped = pipeline(readableFrom(stream.frames(), { copy: false }), sink);
  await publish(stream, 1);
  stream.fail("EREMOTEIO");
  await sink.take();
  await assert.rejects(piped, { code: "EREMOTEIO" });
  assert.deepEqual([sink.destroyed, stream.consumers], [true, 0]);

  const empty = streamOf(t);
  const ended = pipeline(readableFrom(empty.frames()), new Slow());
  empty.end();
  await ended;
});

test("a producer that closes its stream fails a `for await` no less", LIMIT, async (t) => {
  const stream = streamOf(t);
  const readable = readableFrom(stream.frames());
  await publish(stream, 1);
  stream.fail("EIO");
  const got: number[] = [];
  await assert.rejects(
    async () => {
      for await (const chunk of readable) got.push((chunk as Uint8Array)[0]!);
    },
    { code: "EIO" },
  );
  assert.deepEqual([got, stream.consumers], [[1], 0]);
});

test("a loop over the chunks that breaks leaves the stream", LIMIT, async (t) => {
  const stream = streamOf(t);
  const readable = readableFrom(stream.frames());
  await publish(stream, 1);
  for await (const chunk of readable) if ((chunk as Uint8Array)[0] === 1) break;
  assert.equal(stream.consumers, 0);
});

test(
  "a child that is killed in the middle of a frame fails the pipeline, and the producer goes on",
  LIMIT,
  async (t) => {
    const stream = streamOf(t, LARGE);
    const child = spawn("sleep", ["100"], { stdio: ["pipe", "ignore", "inherit"] });
    const piped = pipeline(readableFrom(stream.frames()), child.stdin);
    for (const value of [1, 2]) await publish(stream, value);
    assert.equal(await isFree(stream), false, "the child has one, and the other one waits for it");
    child.kill("SIGKILL");
    await assert.rejects(piped, { code: "EPIPE" });
    for (const value of [3, 4, 5]) await publish(stream, value);
    assert.equal(stream.consumers, 0);
  },
);

test(
  "a client that goes away in the middle of a frame fails the pipeline, and the producer goes on",
  LIMIT,
  async (t) => {
    const stream = streamOf(t, LARGE);
    let failed: Promise<unknown> | undefined;
    const server = createHttpServer((_, response) => {
      failed = assert.rejects(pipeline(readableFrom(stream.frames()), response));
    }).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const client = get({ port: (server.address() as AddressInfo).port, agent: false });
    const [response] = (await Promise.all([once(client, "response"), publish(stream, 1)]))[0] as [Readable];
    response.on("error", () => {});
    response.destroy();
    await failed;
    for (const value of [3, 4, 5]) await publish(stream, value);
    assert.equal(stream.consumers, 0);
  },
);

test("an aborted pipeline leaves, whether it waits for a frame or the sink has one", LIMIT, async (t) => {
  for (const size of [1000, LARGE]) {
    const stream = streamOf(t, size);
    const { sink } = await stalledSocket(t);
    const aborter = new AbortController();
    const piped = pipeline(readableFrom(stream.frames()), sink, { signal: aborter.signal });
    await publish(stream, 1);
    if (size === LARGE) await until(() => sink.writableLength > 0);
    else await until(() => isFree(stream));
    aborter.abort();
    await assert.rejects(piped, { name: "AbortError" });
    await until(() => stream.consumers === 0);
  }
});

test("a readable that is destroyed keeps its frame until the sink is done with it", LIMIT, async (t) => {
  const stream = streamOf(t, LARGE, 1);
  const { sink } = await stalledSocket(t);
  const readable = readableFrom(stream.frames());
  readable.pipe(sink);
  await publish(stream, 1);
  await until(() => sink.writableLength > 0);
  readable.destroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([stream.consumers, await isFree(stream)], [1, false]);
  sink.destroy();
  await once(readable, "close");
  assert.deepEqual([stream.consumers, await isFree(stream)], [0, true]);
});

test("a sink that fails is left with the frame it had, and another one gets the next, none twice", LIMIT, async (t) => {
  const stream = streamOf(t);
  const readable = readableFrom(stream.frames(), { copy: false });
  const [first, second] = [new Slow(), new Slow()];
  first.on("error", () => {});
  const unpiped = new Promise((resolve) => first.once("unpipe", resolve));
  readable.pipe(first);
  await publish(stream, 1);
  await first.take();
  await publish(stream, 2);
  await until(() => first.isWriting);
  first.destroy(new Error("planted"));
  await unpiped;
  assert.equal(readable.destroyed, false);
  await publish(stream, 3);
  readable.pipe(second);
  await second.take();
  readable.unpipe(second);
  // One that was awaited for the sink that has left is the next one's.
  await publish(stream, 4);
  const [chunk] = (await once(readable, "data")) as [Uint8Array];
  assert.deepEqual([first.got, second.got, chunk[0]], [[1], [3], 4]);
  await leave(readable);
});

test(
  "one that listens to a readable in a pipe gets copies from then on, and the sink still gets all",
  LIMIT,
  async (t) => {
    const stream = streamOf(t);
    const readable = readableFrom(stream.frames(), { copy: false });
    const sink = new Slow();
    readable.pipe(sink);
    await publish(stream, 1);
    await until(() => sink.isWriting);
    const before = copiedBytes();
    const heard: number[] = [];
    readable.on("data", (chunk: Uint8Array) => heard.push(chunk[0]!));
    await sink.take();
    await publish(stream, 2);
    await sink.take();
    await publish(stream, 3);
    stream.end();
    await sink.take();
    await once(sink, "close");
    assert.deepEqual([sink.got, heard, copiedBytes() - before], [[1, 2, 3], [2, 3], 2000]);
  },
);

test("a sink is not ended if the program says so", LIMIT, async (t) => {
  for (const copy of [false, true]) {
    const stream = streamOf(t);
    const sink = new Slow();
    const readable = readableFrom(stream.frames(), { copy });
    readable.pipe(sink, { end: false });
    await publish(stream, 1);
    stream.end();
    await sink.take();
    await once(readable, "close");
    assert.deepEqual([sink.got, sink.writableEnded], [[1], false]);
  }
});

test("a frame without bytes is passed over, in place and copied", LIMIT, async (t) => {
  for (const copy of [false, true]) {
    const stream = streamOf(t);
    const sink = new Slow();
    const piped = pipeline(readableFrom(stream.frames(), { copy }), sink);
    for (const length of [0, 1000, 0, 0, 500]) {
      using loan = await stream.loan({ timeout: 1000 });
      loan!.bytes.fill(length / 500);
      loan!.publish({ length });
      if (length > 0) await sink.take();
    }
    stream.end();
    await piped;
    assert.deepEqual(sink.got, [2, 1]);
  }
});

test("a sink that takes several frames has no more than it wants, and gives all back", LIMIT, async (t) => {
  const stream = streamOf(t, 1000, 8);
  const readable = readableFrom(stream.frames(), { copy: false });
  const held: (() => void)[] = [];
  const slow = new Writable({
    highWaterMark: 3000,
    write: (_chunk, _encoding, callback) => void held.push(callback),
    writev: (_chunks, callback) => void held.push(callback),
  });
  readable.pipe(slow);
  for (let n = 0; n < 8; n++) await publish(stream, n);
  assert.equal(stream.waitsFor.length, 1);
  await until(() => slow.writableLength === 3000);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(slow.writableLength, 3000);
  assert.equal(await isFree(stream), false);
  slow.destroy();
  await until(() => isFree(stream));
  assert.equal(slow.listenerCount("close"), 0);
  await leave(readable);
});

test("a sink that throws fails the readable, and has its frame taken away", LIMIT, async (t) => {
  const stream = streamOf(t);
  const readable = readableFrom(stream.frames(), { copy: false });
  const sink = Object.assign(new Slow(), {
    write: () => {
      throw new Error("planted");
    },
  });
  readable.pipe(sink);
  const failed = once(readable, "error") as Promise<[Error]>;
  await publish(stream, 1);
  assert.equal((await failed)[0].message, "planted");
  await until(() => stream.consumers === 0);
  assert.equal(await isFree(stream), true);
});

// takes-in-place.3
test(
  "a response that waits behind another one gets copies, and its connection's end keeps no frame",
  LIMIT,
  async (t) => {
    const stream = streamOf(t);
    const responses: ServerResponse[] = [];
    const server = createHttpServer((_, response) => void responses.push(response)).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port);
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => responses.length === 2);
    const [before, readable] = [copiedBytes(), readableFrom(stream.frames())];
    readable.pipe(responses[1]!);
    await publish(stream, 1);
    await until(() => copiedBytes() > before);
    client.destroy();
    await until(() => isFree(stream));
    readable.destroy();
    await once(readable, "close");
    assert.equal(stream.consumers, 0);
  },
);
