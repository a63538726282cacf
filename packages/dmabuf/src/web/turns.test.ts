import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createDomain } from "../../test/agents.js";
import { rawFormat, type FrameStream } from "../index.js";
import type { FrameSource } from "../stream/frame-source.js";
import { pipeFrames } from "./index.js";
import { recordTo, replayFrom, type RecordingFile } from "./recording.js";

const LIMIT = { timeout: 60_000 };

/** Milliseconds after which there are no more frames: then a test fails, which no timer could tell it. */
const GIVES_UP = 5000;

/** Computes for so many milliseconds. */
function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** A disk on which each step takes longer than the next frame is away, and to read takes longer than to write. */
class SlowFile implements RecordingFile {
  readonly #bytes = new Uint8Array(1e6);
  #size = 0;

  read(bytes: Uint8Array, { at }: { readonly at: number }): number {
    busy(2);
    const there = this.#bytes.subarray(at, Math.min(at + bytes.length, this.#size));
    bytes.set(there);
    return there.length;
  }

  write(bytes: Uint8Array, { at }: { readonly at: number }): number {
    busy(1);
    this.#bytes.set(bytes, at);
    this.#size = Math.max(this.#size, at + bytes.length);
    return bytes.length;
  }

  getSize(): number {
    return this.#size;
  }

  truncate(size: number): void {
    this.#size = size;
  }

  flush(): void {}
}

const streamIn = (t: TestContext): FrameStream => createDomain(t).createStream({ format: rawFormat(8) });

/** Frames of a stream that are there already when one asks. */
function neverWaits(stream: FrameStream, most = Infinity): FrameSource {
  const consumer = stream.frames();
  const end = performance.now() + GIVES_UP;
  let frames = 0;
  return {
    async next() {
      if (performance.now() > end || frames++ === most) return undefined;
      using loan = await stream.loan();
      loan!.publish();
      return await consumer.next();
    },
    close: () => consumer.close(),
  };
}

/** Aborts by a timer, as a message or a click would. */
function abortedSoon(): AbortSignal {
  const aborter = new AbortController();
  setTimeout(() => aborter.abort(new Error("planted")), 100);
  return aborter.signal;
}

test("a recording ends with its signal although the disk is slower than the frames", LIMIT, async (t) => {
  const [stream, file, signal] = [streamIn(t), new SlowFile(), abortedSoon()];
  const { frames, bytes } = await recordTo(file, neverWaits(stream), { signal });
  assert.ok(signal.aborted);
  assert.ok(frames > 0);
  assert.deepEqual([file.getSize(), stream.consumers], [bytes, 0]);
});

for (const rate of ["recorded", "fast"] as const) {
  test(`a replay (${rate}) ends with its signal although the disk is slower than its consumer`, LIMIT, async (t) => {
    const file = new SlowFile();
    // They are read for longer than a second.
    const { frames } = await recordTo(file, neverWaits(streamIn(t), 300));
    const stream = await replayFrom(file, createDomain(t), { rate, signal: abortedSoon() });
    // It keeps no producer waiting.
    const consumer = stream.frames({ policy: "newest" });
    while (!stream.hasEnded) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(stream.published < frames);
    // On a busy machine the signal may come before the first frame.
    const takeAll = async (): Promise<never> => {
      for (;;) (await consumer.next())!.close();
    };
    await assert.rejects(takeAll, { code: "ECANCELED" });
  });
}

test("pipeFrames() hears of an abort although frames and sink are always ready", LIMIT, async (t) => {
  const stream = streamIn(t);
  const sink = new WritableStream<Uint8Array>({ write: () => busy(1) });
  await assert.rejects(pipeFrames(neverWaits(stream), sink, { signal: abortedSoon() }), { message: "planted" });
  assert.equal(stream.consumers, 0);
});
