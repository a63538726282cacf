/** Frames of a stream at the animation frames of a page, or of a worker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, rawFormat, type Frame, type FrameStream } from "../../../src/index.js";
import { eachAnimationFrame } from "../../../src/web/index.js";

const OPTIONS = {
  timeout: 30_000,
  skip: typeof requestAnimationFrame === "undefined" ? "no animation frames here" : false,
};

function publish(stream: FrameStream, value = 0): void {
  using loan = stream.loanSync()!;
  loan.bytes.fill(value);
  loan.publish();
}

const animationFrames = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await new Promise(requestAnimationFrame);
};

/** Draws until the end, and says what was drawn. */
function drawn(stream: FrameStream, policy: "newest" | "block", draw: (frame: Frame) => void = () => {}) {
  const values: number[] = [];
  let stop!: () => void;
  const ended = new Promise<unknown>((onEnd) => {
    stop = eachAnimationFrame(
      stream.frames({ policy }),
      (frame) => {
        values.push(frame.bytes[0]!);
        draw(frame);
      },
      { onEnd },
    );
  });
  return { values, ended, stop };
}

test("of all frames since the last animation frame the newest is drawn, by either policy", OPTIONS, async () => {
  using domain = Domain.create();
  for (const policy of ["newest", "block"] as const) {
    const stream = domain.createStream({ format: rawFormat(4), buffers: 4 });
    const { values, ended } = drawn(stream, policy);
    for (const value of [1, 2, 3]) publish(stream, value);
    await animationFrames(2);
    for (const value of [4, 5]) publish(stream, value);
    await animationFrames(2);
    stream.end();
    assert.equal(await ended, undefined);
    assert.deepEqual([values, stream.consumers], [[3, 5], 0]);
  }
});

test("each frame is given back when it was drawn, and none is held in between", OPTIONS, async () => {
  using domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(4), buffers: 1 });
  let last: Frame | undefined;
  const { values, stop } = drawn(stream, "newest", (frame) => (last = frame));
  for (const value of [1, 2, 3]) {
    publish(stream, value);
    await animationFrames(2);
    assert.throws(() => last!.bytes, { code: "EBADF" });
  }
  assert.deepEqual(values, [1, 2, 3]);
  stop();
});

test(
  "it ends when draw throws: the consumer leaves, the frame goes back, and the error is told once",
  OPTIONS,
  async () => {
    using domain = Domain.create();
    const stream = domain.createStream({ format: rawFormat(4), buffers: 1 });
    const planted = new Error("planted");
    const { values, ended, stop } = drawn(stream, "block", () => {
      throw planted;
    });
    publish(stream);
    assert.equal(await ended, planted);
    publish(stream);
    stop();
    await animationFrames(2);
    assert.deepEqual([values, stream.consumers], [[0], 0]);
  },
);

test("without onEnd the error is reported as an uncaught one", OPTIONS, async (t) => {
  using domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(4) });
  const planted = new Error("planted");
  const uncaught = new Promise<unknown>((resolve) => {
    const hear = (event: ErrorEvent): void => {
      event.preventDefault();
      // The runner would take it for its own.
      event.stopImmediatePropagation();
      resolve(event.error);
    };
    addEventListener("error", hear, { capture: true, once: true });
    t.after(() => removeEventListener("error", hear, { capture: true }));
  });
  const { onerror } = globalThis;
  globalThis.onerror = null;
  t.after(() => (globalThis.onerror = onerror));
  eachAnimationFrame(stream.frames(), () => {
    throw planted;
  });
  publish(stream);
  assert.equal(await uncaught, planted);
});

test("a stream that fails ends it with its error, after the last frame", OPTIONS, async () => {
  using domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(4) });
  const { values, ended } = drawn(stream, "newest");
  publish(stream, 9);
  stream.fail("EREMOTEIO");
  assert.equal(((await ended) as { code: string }).code, "EREMOTEIO");
  assert.deepEqual(values, [9]);
});

test("a signal, before or later, and the function that came back end it, also from within draw", OPTIONS, async () => {
  using domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(4) });
  const ends: unknown[] = [];
  const onEnd = (error: unknown): void => void ends.push(error);
  const controller = new AbortController();
  const none = (): void => assert.fail("drawn");
  eachAnimationFrame(stream.frames(), none, { signal: controller.signal, onEnd });
  controller.abort();
  eachAnimationFrame(stream.frames(), none, { signal: controller.signal, onEnd });
  assert.deepEqual([ends, stream.consumers], [[undefined, undefined], 0]);

  let draws = 0;
  const stop = eachAnimationFrame(
    stream.frames(),
    () => {
      draws++;
      stop();
    },
    { onEnd },
  );
  publish(stream);
  await animationFrames(3);
  publish(stream);
  await animationFrames(2);
  assert.deepEqual([draws, ends.length, stream.consumers], [1, 3, 0]);
});
