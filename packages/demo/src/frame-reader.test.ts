import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FrameReader, type Loan } from "./frame-reader.js";
import { connectSocketPair } from "./socket-pair.js";

const SIZE = 100_000;
const options = { timeout: 20_000 };

/** Hands out loans over shared memory, as many as `release` allows. */
class Ring {
  readonly published: Uint8Array[] = [];
  held = 0;
  #allowed: number;
  #waiting: (() => void) | undefined;

  constructor(allowed: number) {
    this.#allowed = allowed;
  }

  readonly take = async (): Promise<Loan> => {
    while (this.#allowed === 0) await new Promise<void>((resolve) => (this.#waiting = resolve));
    this.#allowed--;
    this.held++;
    const bytes = new Uint8Array(new SharedArrayBuffer(SIZE));
    let open = true;
    const end = (): boolean => {
      if (!open) return false;
      open = false;
      this.held--;
      return true;
    };
    return { bytes, publish: () => end() && this.published.push(bytes), [Symbol.dispose]: end };
  };

  release(): void {
    this.#allowed++;
    this.#waiting?.();
  }
}

function frame(number: number): Uint8Array {
  return Uint8Array.from({ length: SIZE }, (_, at) => (at * 7 + number * 31) & 255);
}

async function connect(ring: Ring) {
  const reader = new FrameReader(await ring.take(), ring.take);
  const { reader: socket, writer } = await connectSocketPair(reader.onread);
  const closed = once(socket, "close");
  reader.start(socket);
  return { reader, socket, writer, closed };
}

test("FrameReader reads every byte in its place, however the stream is cut (frame-reader.1)", options, async () => {
  const ring = new Ring(Infinity);
  const { reader, writer, closed } = await connect(ring);
  const stream = Buffer.concat([frame(0), frame(1), frame(2)]);
  for (let at = 0, step = 1; at < stream.length; at += step, step = ((step * 5) % 40_009) + 1) {
    await new Promise((resolve) => writer.write(stream.subarray(at, at + step), resolve));
  }
  writer.end();
  await closed;
  assert.equal(reader.frames, 3);
  assert.equal(reader.partial, 0);
  assert.deepEqual(
    ring.published.map((bytes) => Buffer.from(bytes)),
    [0, 1, 2].map((number) => Buffer.from(frame(number))),
  );
});

// frame-reader.2
test(
  "FrameReader publishes no frame before the next loan is there, and loses no byte until then",
  options,
  async () => {
    const ring = new Ring(1);
    const { reader, writer, closed } = await connect(ring);
    writer.end(Buffer.concat([frame(0), frame(1)]));
    while (reader.partial < SIZE - 1) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(reader.frames, 0);
    ring.release();
    while (reader.frames < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    ring.release();
    await closed;
    assert.equal(reader.frames, 2);
    assert.deepEqual(Buffer.from(ring.published[1]!), Buffer.from(frame(1)));
  },
);

test("FrameReader tells how much of a frame came when the stream ends in the middle", options, async () => {
  const { reader, writer, closed } = await connect(new Ring(Infinity));
  writer.end(Buffer.concat([frame(0), frame(1).subarray(0, 1234)]));
  await closed;
  assert.equal(reader.frames, 1);
  assert.equal(reader.partial, 1234);
});

// frame-reader.3
test("FrameReader gives its loans back, also the one that arrives after its end", options, async () => {
  const ring = new Ring(1);
  const { reader, writer, closed } = await connect(ring);
  writer.end();
  await closed;
  reader[Symbol.dispose]();
  reader[Symbol.dispose]();
  assert.equal(ring.held, 0);
  ring.release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(ring.held, 0);
});

test("a rejected wait for a loan ends the socket with its error", options, async () => {
  const ring = new Ring(1);
  const reader = new FrameReader(await ring.take(), () => Promise.reject(new Error("no more")));
  const { reader: socket, writer } = await connectSocketPair(reader.onread);
  const error = once(socket, "error");
  reader.start(socket);
  assert.equal(((await error) as [Error])[0].message, "no more");
  writer.destroy();
});
