/** Video tracks into streams, and streams into tracks, where the browser has a way. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { copiedBytes, Domain, imageFormat } from "../../../src/index.js";
import { streamOfTrack, trackOf } from "../../../src/web/index.js";

const LIMIT = { timeout: 60_000 };
const isPage = typeof document !== "undefined";
const noCanvas = !isPage && "a worker has no track of a canvas";
const hasProcessor = "MediaStreamTrackProcessor" in globalThis;
const hasGenerator = "MediaStreamTrackGenerator" in globalThis || "VideoTrackGenerator" in globalThis;
const noFrames =
  noCanvas ||
  (!hasProcessor &&
    /WebKit/.test(navigator.userAgent) &&
    !/Chrome/.test(navigator.userAgent) &&
    "WebKitGTK has no processor, and shows no canvas' track when headless");
const noGenerator = !hasGenerator && "this browser has no VideoTrackGenerator here";

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Drawn {
  readonly track: MediaStreamTrack;
  readonly canvas: HTMLCanvasElement;
}

/** The track of a canvas that turns redder and redder. */
function drawn(t: TestContext): Drawn {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const context = canvas.getContext("2d")!;
  let red = 0;
  const timer = setInterval(() => {
    red = Math.min(250, red + 5);
    context.fillStyle = `rgb(${red} 0 0)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }, 20);
  const [track] = canvas.captureStream().getVideoTracks();
  t.after(() => {
    clearInterval(timer);
    track!.stop();
  });
  return { track: track!, canvas };
}

function createDomain(t: TestContext): Domain {
  const domain = Domain.create();
  t.after(() => domain.close());
  return domain;
}

test(
  "frames of a canvas' track are a stream, copied once each, and it ends with the track",
  { ...LIMIT, skip: noFrames },
  async (t) => {
    const { track } = drawn(t);
    const before = copiedBytes();
    const stream = await streamOfTrack(createDomain(t), track, { name: "canvas", buffers: 3 });
    const { name, format } = stream;
    assert.deepEqual([name, format.kind, format.width, format.height], ["canvas", "image", 64, 48]);
    const consumer = stream.frames();
    const times: number[] = [];
    for (let n = 0; n < 5; n++) {
      const frame = (await consumer.next())!;
      times.push(frame.timestamp);
      frame.close();
    }
    assert.deepEqual(
      times,
      [...new Set(times)].sort((a, b) => a - b),
    );
    track.stop();
    while ((await consumer.next()) !== undefined);
    assert.equal(stream.hasEnded, true);
    assert.equal(copiedBytes() - before, stream.published * format.size);
  },
);

test(
  "a change of the track's size ends the stream, and then a call has the new one",
  { ...LIMIT, skip: noFrames },
  async (t) => {
    const { track, canvas } = drawn(t);
    const domain = createDomain(t);
    let stream = await streamOfTrack(domain, track);
    [canvas.width, canvas.height] = [128, 96];
    while (!stream.hasEnded) await later(10);
    // A new reader of a canvas' track may have an older picture first: in Chromium, whose first pictures are slow.
    while ((stream = await streamOfTrack(domain, track)).format.width === 64) while (!stream.hasEnded) await later(10);
    assert.deepEqual([stream.format.width, stream.format.height], [128, 96]);
  },
);

test("a stream that the program closes leaves the track running", { ...LIMIT, skip: noFrames }, async (t) => {
  const { track } = drawn(t);
  const domain = createDomain(t);
  (await streamOfTrack(domain, track)).close();
  await later(100);
  assert.equal(track.readyState, "live");
  assert.equal((await streamOfTrack(domain, track)).hasEnded, false);
});

test("a track that has ended gives no stream: ENODATA", { ...LIMIT, skip: noFrames }, async (t) => {
  const { track } = drawn(t);
  track.stop();
  await assert.rejects(streamOfTrack(createDomain(t), track), { code: "ENODATA" });
});

test(
  "a pixel format that the browser does not convert to is refused, and the next call works",
  { ...LIMIT, skip: noFrames },
  async (t) => {
    const { track } = drawn(t);
    const domain = createDomain(t);
    await assert.rejects(streamOfTrack(domain, track, { pixelFormat: "P010" }), { code: "EOPNOTSUPP" });
    assert.equal((await streamOfTrack(domain, track)).format.width, 64);
  },
);

test("a camera is a stream", { ...LIMIT, skip: noFrames }, async (t) => {
  const camera = await navigator.mediaDevices.getUserMedia({ video: true }).catch(String);
  if (typeof camera === "string") return t.skip(`no camera: ${camera}`);
  const [track] = camera.getVideoTracks();
  t.after(() => track!.stop());
  const stream = await streamOfTrack(createDomain(t), track!);
  const frame = (await stream.frames({ policy: "newest" }).next())!;
  assert.equal(frame.format.width, track!.getSettings().width);
  assert.ok(new Set(frame.bytes).size > 1);
});

test(
  "where no track can be read it is EOPNOTSUPP, and says what is missing",
  { ...LIMIT, skip: isPage && "a page has a way" },
  async (t) => {
    if (hasProcessor) return t.skip("this worker has a way");
    const track = { kind: "video", readyState: "live" } as MediaStreamTrack;
    await assert.rejects(streamOfTrack(createDomain(t), track), {
      code: "EOPNOTSUPP",
      message: /MediaStreamTrackProcessor/,
    });
  },
);

test(
  "a stream is a track with its pixels and times, which ends with it",
  { ...LIMIT, skip: noGenerator || (!hasProcessor && "and no way to look at it") },
  async (t) => {
    const domain = createDomain(t);
    const stream = domain.createStream({ format: imageFormat("RGBX", 16, 8), buffers: 2 });
    const track = trackOf(stream.frames());
    const shown = streamOfTrack(domain, track);
    const before = copiedBytes();
    for (let n = 0; n < 3; n++) {
      const loan = (await stream.loan())!;
      loan.bytes
        .fill(255)
        .subarray(0, 4)
        .set([10 * n, 20, 30, 255]);
      loan.publish({ timestamp: n * 1000, picture: { duration: 1000 } });
      // The processor drops what comes too fast.
      await later(100);
    }
    const back = await shown;
    assert.deepEqual([back.format.width, back.format.height], [16, 8]);
    assert.ok(copiedBytes() - before >= 3 * stream.format.size);
    stream.end();
    while (!back.hasEnded) await later(10);
    assert.equal(stream.consumers, 0);
  },
);

test("a consumer leaves when its track is stopped", { ...LIMIT, skip: noGenerator }, async (t) => {
  const domain = createDomain(t);
  const stream = domain.createStream({ format: imageFormat("RGBX", 16, 8), buffers: 2 });
  const track = trackOf(stream.frames());
  assert.equal(stream.consumers, 1);
  track.stop();
  while (stream.consumers > 0) {
    stream.tryLoan()?.publish();
    await later(10);
  }
});

test(
  "where no track can be made it is EOPNOTSUPP, and says what is missing",
  { ...LIMIT, skip: hasGenerator && "this browser can" },
  (t) => {
    const consumer = createDomain(t)
      .createStream({ format: imageFormat("RGBX", 16, 8) })
      .frames();
    assert.throws(() => trackOf(consumer), { code: "EOPNOTSUPP", message: /VideoTrackGenerator/ });
  },
);
