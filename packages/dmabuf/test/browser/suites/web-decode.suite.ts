/** A decoder that fills streams: nothing lost, nothing left, and one copy a frame, whatever happens when. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { copiedBytes, Domain, type Consumer, type FrameStream } from "../../../src/index.js";
import { decodeTo, type DecodeOptions, type VideoSink } from "../../../src/web/index.js";
import { encoded, SHOWN, watched } from "./video-chunks.js";

const LIMIT = { timeout: 60_000 };
const skip =
  (typeof VideoDecoder === "undefined" || typeof VideoEncoder === "undefined") &&
  "this browser has no VideoDecoder or VideoEncoder to make chunks for it";

const CONFIG: VideoDecoderConfig = { codec: "vp8" };

function createDomain(t: TestContext): Domain {
  const domain = Domain.create();
  t.after(() => domain.close());
  return domain;
}

interface Taken {
  readonly timestamp: number;
  /** The middle pixel's first byte. */
  readonly value: number;
  readonly duration: number | undefined;
}

async function take(consumer: Consumer, taken: Taken[]): Promise<void> {
  for await (const frame of consumer) {
    const [plane] = frame.planes;
    const middle = (plane.height >> 1) * plane.stride + (plane.width >> 1) * plane.bytesPerSample;
    taken.push({ timestamp: frame.timestamp, value: plane.bytes[middle]!, duration: frame.picture?.duration });
    frame.close();
  }
}

/** A sink whose streams are all consumed. */
interface Played {
  readonly sink: VideoSink;
  readonly streams: FrameStream[];
  readonly taken: Taken[];
  /** Rejects with what one of the streams has failed with. */
  readonly allTaken: () => Promise<void>;
}

async function play(domain: Domain, config = CONFIG, options: Partial<DecodeOptions> = {}): Promise<Played> {
  const streams: FrameStream[] = [];
  const taken: Taken[] = [];
  let all = Promise.resolve();
  const sink = await decodeTo(domain, config, {
    onStream(stream) {
      streams.push(stream);
      const part = take(stream.frames(), taken);
      all = all.then(() => part);
      all.catch(() => {});
    },
    ...options,
  });
  return { sink, streams, taken, allTaken: () => all };
}

const isWebKit = navigator.userAgent.includes("AppleWebKit") && !navigator.userAgent.includes("Chrome");
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// decode-to.1, decode-to.2, decode-to.6
test(
  "all frames come in order, once, each copied once, and none of the decoder's is left",
  { ...LIMIT, skip },
  async (t) => {
    const counts = watched(t);
    const chunks = await encoded(30);
    const before = copiedBytes();
    const { sink, streams, taken, allTaken } = await play(createDomain(t));
    for (const chunk of chunks) await sink.decode(chunk);
    await sink.flush();
    assert.deepEqual([counts.given, counts.open.size, counts.twice], [30, 0, 0]);
    assert.equal(copiedBytes() - before, 30 * streams[0]!.format.size);
    sink.close();
    await allTaken();
    assert.deepEqual(
      taken.map(({ timestamp }) => timestamp),
      chunks.map(({ timestamp }) => timestamp),
    );
    assert.deepEqual(new Set(taken.map(({ duration }) => duration)), new Set([SHOWN]));
    // Lossy, and in Firefox converted: brighter and brighter.
    const values = taken.map(({ value }) => value);
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    );
    assert.ok(values.at(-1)! - values[0]! > 80, values.join());
  },
);

// decode-to.2
test("calls that are not awaited keep their order, a flush between them too", { ...LIMIT, skip }, async (t) => {
  const counts = watched(t);
  const [first, second] = [await encoded(10), await encoded(10, { first: 10 })];
  const { sink, taken, allTaken } = await play(createDomain(t), CONFIG, { buffers: 2 });
  const calls = [...first.map((chunk) => sink.decode(chunk)), sink.flush()];
  const flushed = calls.at(-1)!.then(() => taken.length);
  calls.push(...second.map((chunk) => sink.decode(chunk)), sink.flush());
  await Promise.all(calls);
  // With two buffers all but two were taken when the last of ten was published.
  assert.ok((await flushed) >= 8);
  sink.close();
  await allTaken();
  assert.deepEqual(
    taken.map(({ timestamp }) => timestamp),
    [...first, ...second].map(({ timestamp }) => timestamp),
  );
  assert.deepEqual([counts.given, counts.open.size], [20, 0]);
});

// decode-to.3
test("a call waits while no loan is free, and nothing is lost", { ...LIMIT, skip }, async (t) => {
  const counts = watched(t);
  const chunks = await encoded(40);
  let consumer!: Consumer;
  const { sink } = await play(createDomain(t), CONFIG, {
    buffers: 2,
    onStream: (stream) => void (consumer = stream.frames()),
  });
  let decoded = 0;
  const all = (async () => {
    for (const chunk of chunks) {
      await sink.decode(chunk);
      decoded++;
    }
    await sink.flush();
    sink.close();
  })();
  while (consumer === undefined) await later(5);
  await later(300);
  const stuck = decoded;
  assert.ok(stuck < 20, `${stuck} of 40 chunks were taken while no frame was taken`);
  assert.ok(counts.open.size <= 12, `${counts.open.size} frames are open`);
  const taken: Taken[] = [];
  await Promise.all([all, take(consumer, taken)]);
  assert.deepEqual(
    taken.map(({ timestamp }) => timestamp),
    chunks.map(({ timestamp }) => timestamp),
  );
  assert.equal(counts.open.size, 0);
});

test(
  "a change of size ends the stream and begins the next, and all frames are in one of them",
  { ...LIMIT, skip },
  async (t) => {
    const counts = watched(t);
    const parts = [
      await encoded(8),
      await encoded(8, { width: 128, height: 96, first: 8 }),
      await encoded(8, { first: 16 }),
    ];
    const { sink, streams, taken, allTaken } = await play(createDomain(t), CONFIG, { name: "sizes", buffers: 3 });
    for (const chunk of parts.flat()) await sink.decode(chunk);
    await sink.flush();
    sink.close();
    await allTaken();
    if (streams.length === 1 && isWebKit) return t.skip("the decoder of this browser keeps the first size");
    assert.deepEqual(
      streams.map(({ name, format }) => [name, format.width, format.height]),
      [
        ["sizes", 64, 48],
        ["sizes", 128, 96],
        ["sizes", 64, 48],
      ],
    );
    assert.deepEqual(
      taken.map(({ timestamp }) => timestamp),
      parts.flat().map(({ timestamp }) => timestamp),
    );
    assert.equal(counts.open.size, 0);
  },
);

test("onStream is awaited before the first frame, so that no consumer misses it", { ...LIMIT, skip }, async (t) => {
  const chunks = await encoded(6);
  const domain = createDomain(t);
  const taken: Taken[] = [];
  let consuming!: Promise<void>;
  const { sink } = await play(domain, CONFIG, {
    buffers: 2,
    onStream(stream) {
      const handle = stream.handle();
      setTimeout(() => void (consuming = take(domain.import(handle).frames(), taken)), 50);
      return stream.waitForConsumers(1);
    },
  });
  for (const chunk of chunks) await sink.decode(chunk);
  await sink.flush();
  sink.close();
  await consuming;
  assert.equal(taken.length, 6);
});

test(
  "the configuration's rotation and flip are in the frames' pictures, also where the browser does not know them",
  { ...LIMIT, skip },
  async (t) => {
    const [chunk] = await encoded(1);
    const domain = createDomain(t);
    let consumer!: Consumer;
    const config = { ...CONFIG, rotation: 90, flip: true };
    const { sink } = await play(domain, config, { onStream: (stream) => void (consumer = stream.frames()) });
    await sink.decode(chunk!);
    await sink.flush();
    const { picture } = (await consumer.next())!;
    assert.deepEqual(
      [picture?.rotation, picture?.flip, picture?.displayWidth, picture?.displayHeight],
      [90, true, 64, 48],
    );
    assert.equal(typeof picture?.colorSpace?.matrix, "string");
    sink.close();
  },
);

test("a codec that the browser does not decode is EOPNOTSUPP, and nothing is made", { ...LIMIT, skip }, async (t) => {
  const counts = watched(t);
  const domain = createDomain(t);
  const calls: unknown[] = [];
  const options: DecodeOptions = { onStream: (stream) => calls.push(stream) };
  await assert.rejects(decodeTo(domain, { codec: "nonsense" }, options), { code: "EOPNOTSUPP", message: /nonsense/ });
  assert.deepEqual([calls, counts.given], [[], 0]);
});

test(
  "a pixel format that frames of the browser do not convert to fails the calls with EOPNOTSUPP, and no frame is left",
  { ...LIMIT, skip },
  async (t) => {
    const counts = watched(t);
    const { sink, streams } = await play(createDomain(t), CONFIG, { pixelFormat: "P010" });
    const chunks = await encoded(5);
    await assert.rejects(
      async () => {
        for (const chunk of chunks) await sink.decode(chunk);
        await sink.flush();
      },
      { code: "EOPNOTSUPP", message: /P010/ },
    );
    await later(50);
    assert.deepEqual([streams.length, counts.open.size], [0, 0]);
    sink.close();
  },
);

// decode-to.4
test(
  "a chunk that cannot be decoded fails the call, all later ones and the stream with one error, and no frame is left",
  { ...LIMIT, skip },
  async (t) => {
    const counts = watched(t);
    const { sink, streams, taken, allTaken } = await play(createDomain(t));
    const chunks = await encoded(5);
    for (const chunk of chunks) await sink.decode(chunk);
    await sink.flush();
    const wrong = new EncodedVideoChunk({ type: "key", timestamp: 0, data: new Uint8Array(100).fill(255) });
    const refused = await sink
      .decode(wrong)
      .then(() => sink.flush())
      .then(
        () => undefined,
        (error: Error & { code?: string }) => error,
      );
    if (refused === undefined) return t.skip("this browser decodes anything");
    assert.match(String(refused), /^DmaBufError: (EIO|EINVAL): Cannot decode: /);
    await assert.rejects(sink.decode(chunks[0]!), (error) => error === refused);
    await assert.rejects(sink.flush(), (error) => error === refused);
    await assert.rejects(allTaken(), { code: refused.code! });
    assert.equal(taken.length, 5);
    assert.deepEqual([streams[0]!.hasEnded, counts.open.size], [true, 0]);
    sink.close();
    await assert.rejects(sink.decode(chunks[0]!), (error) => error === refused);
  },
);

// decode-to.4
test("what onStream throws, the calls throw, and the stream fails", { ...LIMIT, skip }, async (t) => {
  const counts = watched(t);
  const planted = new Error("planted");
  const { sink } = await play(createDomain(t), CONFIG, { onStream: () => Promise.reject(planted) });
  const chunks = await encoded(5);
  await assert.rejects(
    async () => {
      for (const chunk of chunks) await sink.decode(chunk);
      await sink.flush();
    },
    (error: Error & { code?: string }) => error.code === "EIO" && error.cause === planted,
  );
  await later(50);
  assert.equal(counts.open.size, 0);
  sink.close();
});

test(
  "a stream that the program ends, or closes, ends the decoding with EPIPE or EBADF, and no frame is left",
  { ...LIMIT, skip },
  async (t) => {
    const counts = watched(t);
    for (const way of ["end", "close"] as const) {
      const { sink, streams } = await play(createDomain(t));
      const chunks = await encoded(10);
      for (const chunk of chunks.slice(0, 5)) await sink.decode(chunk);
      await sink.flush();
      streams[0]![way]();
      await assert.rejects(
        async () => {
          await sink.decode(chunks[0]!);
          await sink.flush();
        },
        { code: way === "end" ? "EPIPE" : "EBADF" },
      );
      await later(20);
      assert.equal(counts.open.size, 0);
      sink.close();
    }
  },
);

// decode-to.1, decode-to.5
test(
  "a sink that is closed at any moment leaves no frame, no loan and no stream, and its calls end",
  { ...LIMIT, skip },
  async (t) => {
    const counts = watched(t);
    const chunks = await encoded(20);
    for (const consumes of [true, false]) {
      for (let moment = 0; moment < 24; moment++) {
        const domain = createDomain(t);
        const streams: FrameStream[] = [];
        const ends: Promise<unknown>[] = [];
        const consumers: Consumer[] = [];
        const { sink } = await play(domain, CONFIG, {
          buffers: 2,
          onStream(stream) {
            streams.push(stream);
            consumers.push(stream.frames());
            if (consumes) ends.push(take(consumers.at(-1)!, []));
          },
        });
        const calls = [...chunks.map((chunk) => sink.decode(chunk)), sink.flush()].map((call) =>
          call.then(
            () => "done",
            (error: { code?: string }) => error.code,
          ),
        );
        for (let turn = 0; turn < moment; turn++) await (turn % 3 === 0 ? later(1) : Promise.resolve());
        sink.close();
        sink.close();
        const codes = new Set(await Promise.all(calls));
        codes.delete("done");
        assert.ok(codes.size === 0 || (codes.size === 1 && codes.has("EBADF")), [...codes].join());
        await Promise.all(ends);
        for (const consumer of consumers) consumer.close();
        for (let look = 0; look < 100 && (counts.open.size > 0 || streams.some(({ isClosed }) => !isClosed)); look++)
          await later(5);
        assert.deepEqual([counts.open.size, counts.twice], [0, 0], `closed at moment ${moment}`);
        assert.ok(streams.every(({ isClosed }) => isClosed));
        domain.close();
      }
    }
  },
);

// decode-to.5
test(
  "a sink that is closed while the browser copies gives the loan back only when it writes no more",
  { ...LIMIT, skip },
  async (t) => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with a video frame
    const { copyTo } = VideoFrame.prototype;
    t.after(() => (VideoFrame.prototype.copyTo = copyTo));
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    let begun = false;
    VideoFrame.prototype.copyTo = async function (this: VideoFrame, ...args: Parameters<typeof copyTo>) {
      begun = true;
      await gate;
      return copyTo.apply(this, args);
    };
    const counts = watched(t);
    const chunks = await encoded(3);
    const { sink, streams, taken, allTaken } = await play(createDomain(t));
    const call = sink.decode(chunks[0]!);
    const flushed = assert.rejects(sink.flush(), { code: "EBADF" });
    await call;
    while (!begun) await later(2);
    sink.close();
    await flushed;
    await later(20);
    assert.deepEqual([streams[0]!.hasEnded, streams[0]!.isClosed, counts.open.size], [true, false, 1]);
    go();
    while (!streams[0]!.isClosed) await later(2);
    await allTaken();
    assert.deepEqual([taken, counts.open.size, counts.twice], [[], 0, 0]);
  },
);
