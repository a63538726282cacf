/** Video frames of the browser into frames of streams and back: which bytes, formats and facts survive. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  copiedBytes,
  Domain,
  imageFormat,
  type Frame,
  type FrameFormat,
  type PixelFormat,
} from "../../../src/index.js";
import { copyVideoFrame, formatOf, pictureOf, toVideoFrame } from "../../../src/web/index.js";

const LIMIT = { timeout: 30_000 };
const skip = typeof VideoFrame === "undefined" && "this browser has no VideoFrame";

/** Pixels: planes and what a frame looks like. */
interface Made {
  readonly format: VideoPixelFormat;
  readonly width: number;
  readonly height: number;
}

/** The bytes of an image without padding, each one another. */
function bytesOf({ size }: FrameFormat): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) % 251);
}

function isOpaque(format: string | null): boolean {
  return /X/.test(String(format));
}

function videoFrame(
  t: TestContext,
  { format, width, height }: Made,
  init: Partial<VideoFrameBufferInit> & object = {},
): VideoFrame {
  const image = imageFormat(format as PixelFormat, width, height);
  const bytes = bytesOf(image);
  const made = new VideoFrame(bytes, { format, codedWidth: width, codedHeight: height, timestamp: 0, ...init });
  t.after(() => made.close());
  return made;
}

/** What does not work in this browser at all; `undefined` if it does. */
function refusal(make: () => VideoFrame): string | undefined {
  try {
    const made = make();
    made.allocationSize();
    made.close();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Publishes a video frame, and takes it from the stream. */
async function carried(t: TestContext, source: VideoFrame, format = formatOf(source)): Promise<Frame> {
  const domain = Domain.create();
  t.after(() => domain.close());
  const stream = domain.createStream({ format, buffers: 2 });
  const consumer = stream.frames();
  const loan = (await stream.loan())!;
  await copyVideoFrame(source, loan);
  loan.publish({ timestamp: source.timestamp, picture: pictureOf(source) });
  return (await consumer.next())!;
}

/** The rows of all planes, without padding. */
function rowsOf(frame: Pick<Frame, "planes">): number[][] {
  return frame.planes.flatMap(({ bytes, stride, width, height, bytesPerSample }) =>
    Array.from({ length: height }, (_, y) => [...bytes.subarray(y * stride, y * stride + width * bytesPerSample)]),
  );
}

/** The rows of what {@link bytesOf} has made. */
function rowsIn(format: FrameFormat): number[][] {
  const bytes = bytesOf(format);
  return format.planes.flatMap(({ offset, stride, width, height, bytesPerSample }) =>
    Array.from({ length: height }, (_, y) => {
      const row = offset + y * stride;
      return [...bytes.subarray(row, row + width * bytesPerSample)];
    }),
  );
}

const isWebKit = navigator.userAgent.includes("AppleWebKit") && !navigator.userAgent.includes("Chrome");
const isFirefox = navigator.userAgent.includes("Firefox");

const withoutFourth = (rows: number[][]): number[][] => rows.map((row) => row.filter((_, i) => i % 4 !== 3));
const fourth = (rows: number[][]): Set<number> => new Set(rows.flatMap((row) => row.filter((_, i) => i % 4 === 3)));

for (const format of ["I420", "NV12", "I444", "RGBA", "RGBX", "BGRA", "BGRX"] as const) {
  test(
    `${format}: each byte of a video frame is in the frame, and in the video frame made of that`,
    { ...LIMIT, skip },
    async (t) => {
      const refused = refusal(() => videoFrame(t, { format: format, width: 16, height: 8 }));
      if (refused !== undefined) return t.skip(`this browser has no ${format}: ${refused}`);
      const before = copiedBytes();
      const source = videoFrame(t, { format: format, width: 16, height: 8 });
      const frame = await carried(t, source).catch((error: Error & { code?: string }) => {
        // WebKit makes them, and cannot read them.
        assert.ok(isOpaque(format) && isWebKit && error.code === "EOPNOTSUPP", String(error));
      });
      if (frame === undefined) return t.skip(`this browser does not read ${format}`);
      assert.deepEqual(frame.format, imageFormat(format, 16, 8));
      const again = toVideoFrame(frame);
      t.after(() => again.close());
      // One copy each way, and no other.
      assert.equal(copiedBytes() - before, frame.format.size * 2);
      const expected = rowsIn(frame.format);
      const got = rowsOf(frame);
      if (isOpaque(format)) {
        assert.deepEqual(withoutFourth(got), withoutFourth(expected));
        assert.deepEqual([...fourth(got)], [255]);
      } else assert.deepEqual(got, expected);
      frame.close();
      assert.equal(again.format, format);
      const back = await carried(t, again);
      assert.deepEqual(rowsOf(back), got);
    },
  );
}

test("I420 of odd sizes keeps each byte, both ways where the browser takes odd ones", { ...LIMIT, skip }, async (t) => {
  // Made of a larger one: not every browser makes odd ones of bytes.
  const whole = videoFrame(t, { format: "I420", width: 64, height: 48 });
  const rows = rowsIn(imageFormat("I420", 64, 48));
  for (const [width, height] of [
    [33, 17],
    [33, 16],
    [32, 17],
  ] as const) {
    const part = new VideoFrame(whole, { visibleRect: { x: 0, y: 0, width, height } });
    t.after(() => part.close());
    const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    const frame = await carried(t, part);
    assert.deepEqual(frame.format, imageFormat("I420", width, height));
    const got = rowsOf(frame);
    // Firefox leaves out the last column and row of colours.
    const [across, down] = isFirefox ? [width >> 1, height >> 1] : [halfWidth, halfHeight];
    const sure = (all: number[][]): number[][] => [
      ...all.slice(0, height),
      ...[height, height + halfHeight].flatMap((at) => all.slice(at, at + down).map((row) => row.slice(0, across))),
    ];
    const wanted = [
      ...rows.slice(0, height).map((row) => row.slice(0, width)),
      ...[48, 48 + 24].flatMap((at) => rows.slice(at, at + halfHeight).map((row) => row.slice(0, halfWidth))),
    ];
    assert.deepEqual(sure(got), sure(wanted));
    try {
      const again = toVideoFrame(frame);
      t.after(() => again.close());
      assert.deepEqual([again.visibleRect?.width, again.visibleRect?.height], [width, height]);
      assert.deepEqual(sure(rowsOf(await carried(t, again))), sure(wanted));
    } catch (error) {
      assert.ok(isFirefox, String(error));
      assert.equal((error as { code?: string }).code, "EOPNOTSUPP");
    }
  }
});

test("of a visible rectangle that is not at the corner the frame holds that alone", { ...LIMIT, skip }, async (t) => {
  const whole = videoFrame(t, { format: "I420", width: 64, height: 48 });
  const rect = { x: 6, y: 4, width: 10, height: 6 };
  const part = new VideoFrame(whole, { visibleRect: rect });
  t.after(() => part.close());
  if (part.visibleRect?.x !== 6 && part.visibleRect?.width !== 10) return t.skip("this browser ignores visibleRect");
  const frame = await carried(t, part);
  assert.deepEqual([frame.format.width, frame.format.height, frame.picture?.visibleRect], [10, 6, undefined]);
  const all = rowsIn(imageFormat("I420", 64, 48));
  const expected = [
    ...all.slice(4, 10).map((row) => row.slice(6, 16)),
    ...all.slice(48 + 2, 48 + 5).map((row) => row.slice(3, 8)),
    ...all.slice(48 + 24 + 2, 48 + 24 + 5).map((row) => row.slice(3, 8)),
  ];
  assert.deepEqual(rowsOf(frame), expected);
});

test("strides of the stream's own are kept: rows begin where the format says", { ...LIMIT, skip }, async (t) => {
  const source = videoFrame(t, { format: "I420", width: 16, height: 8 });
  const frame = await carried(t, source, formatOf(source, { strideAlignment: 64 }));
  assert.deepEqual(
    frame.planes.map(({ stride }) => stride),
    [64, 64, 64],
  );
  assert.deepEqual(rowsOf(frame), rowsIn(imageFormat("I420", 16, 8)));
  const before = copiedBytes();
  const again = toVideoFrame(frame);
  t.after(() => again.close());
  // Packed, and taken by the browser.
  assert.equal(copiedBytes() - before, 2 * 192);
  assert.deepEqual(rowsOf(await carried(t, again)), rowsIn(imageFormat("I420", 16, 8)));
});

const FACTS = {
  timestamp: 123_456_789,
  duration: 33_333,
  displayWidth: 100,
  displayHeight: 200,
  rotation: 90,
  flip: true,
  colorSpace: { primaries: "bt709", transfer: "iec61966-2-1", matrix: "bt709", fullRange: true },
} as const;

test(
  "timestamp, duration, display size, colour space, rotation and flip are with the frame, and with the video frame made of it",
  { ...LIMIT, skip },
  async (t) => {
    const source = videoFrame(t, { format: "I420", width: 64, height: 48 }, FACTS);
    const knowsTurns = "rotation" in source;
    const frame = await carried(t, source);
    assert.equal(frame.timestamp, FACTS.timestamp);
    const { rotation, flip, colorSpace, ...picture } = frame.picture!;
    assert.deepEqual(picture, { duration: 33_333, displayWidth: 100, displayHeight: 200 });
    assert.deepEqual([rotation, flip], knowsTurns ? [90, true] : [undefined, undefined]);
    assert.deepEqual({ ...colorSpace }, FACTS.colorSpace);
    const again = toVideoFrame(frame);
    t.after(() => again.close());
    for (const fact of ["timestamp", "duration", "displayWidth", "displayHeight", "rotation", "flip"] as const)
      assert.equal(Reflect.get(again, fact), Reflect.get(source, fact), fact);
    assert.deepEqual(again.colorSpace.toJSON(), source.colorSpace.toJSON());
  },
);

test(
  "toVideoFrame() takes what the program says instead, and the time of publication where there is none",
  { ...LIMIT, skip },
  async (t) => {
    const domain = Domain.create();
    t.after(() => domain.close());
    const stream = domain.createStream({ format: imageFormat("RGBA", 4, 4) });
    const consumer = stream.frames();
    (await stream.loan())!.publish();
    const frame = (await consumer.next())!;
    const [own, other] = [toVideoFrame(frame), toVideoFrame(frame, { timestamp: 5, duration: 7 })];
    t.after(() => [own, other].forEach((made) => made.close()));
    assert.equal(own.timestamp, Math.round(frame.publishedAt / 1000));
    assert.deepEqual([other.timestamp, other.duration], [5, 7]);
  },
);

test(
  "RGBA and BGRA are converted to where the browser can, without a padding byte as an alpha, else refused",
  { ...LIMIT, skip },
  async (t) => {
    const grey = new Uint8Array(16 * 8 * 1.5).fill(128);
    const source = new VideoFrame(grey, { format: "I420", codedWidth: 16, codedHeight: 8, timestamp: 0 });
    t.after(() => source.close());
    for (const pixelFormat of ["RGBA", "BGRX"] as const) {
      let format: FrameFormat;
      try {
        format = formatOf(source, { pixelFormat });
      } catch (error) {
        assert.equal((error as { code?: string }).code, "EOPNOTSUPP");
        assert.match(String(error), new RegExp(`Cannot get ${pixelFormat} of a VideoFrame of format I420`));
        return t.skip("this browser converts nothing");
      }
      const frame = await carried(t, source, format);
      const [red, green, blue, alpha] = frame.bytes;
      assert.ok(red! > 120 && red! < 140 && red === green && green === blue, [...frame.bytes.subarray(0, 4)].join());
      assert.equal(alpha, 255);
    }
    for (const pixelFormat of ["NV12", "I444", "GREY", "P010"] as const)
      assert.throws(() => formatOf(source, { pixelFormat }), { code: "EOPNOTSUPP" });
  },
);

test(
  "a format without a name here is refused by name, and RGBA of it is taken where the browser converts",
  { ...LIMIT, skip },
  async (t) => {
    const bytes = new Uint8Array(16 * 8 * 2.5).fill(128);
    const make = (): VideoFrame =>
      new VideoFrame(bytes, { format: "I420A", codedWidth: 16, codedHeight: 8, timestamp: 0 });
    const refused = refusal(make);
    if (refused !== undefined) return t.skip(`this browser has no I420A: ${refused}`);
    const source = make();
    t.after(() => source.close());
    assert.throws(() => formatOf(source), { code: "EOPNOTSUPP", message: /I420A.*"RGBA"/ });
  },
);

test(
  "a loan of another size or kind is EINVAL, a closed video frame or loan EBADF, and nothing is copied",
  { ...LIMIT, skip },
  async (t) => {
    const domain = Domain.create();
    t.after(() => domain.close());
    const source = videoFrame(t, { format: "I420", width: 16, height: 8 });
    const before = copiedBytes();
    const other = (await domain.createStream({ format: imageFormat("I420", 16, 16) }).loan())!;
    await assert.rejects(copyVideoFrame(source, other), { code: "EINVAL", message: /16 × 8 .* 16 × 16/ });
    const right = (await domain.createStream({ format: formatOf(source) }).loan())!;
    const closed = source.clone();
    closed.close();
    await assert.rejects(copyVideoFrame(closed, right), { code: "EBADF" });
    assert.throws(() => formatOf(closed), { code: "EBADF" });
    assert.throws(() => pictureOf(closed), { code: "EBADF" });
    right.close();
    await assert.rejects(copyVideoFrame(source, right), { code: "EBADF" });
    assert.equal(copiedBytes(), before);
  },
);

test("a frame whose format no VideoFrame has is EOPNOTSUPP, by name", { ...LIMIT, skip }, async (t) => {
  const domain = Domain.create();
  t.after(() => domain.close());
  const stream = domain.createStream({ format: imageFormat("GREY", 4, 4) });
  const consumer = stream.frames();
  (await stream.loan())!.publish();
  const frame = (await consumer.next())!;
  assert.throws(() => toVideoFrame(frame), { code: "EOPNOTSUPP", message: /GREY/ });
});

test("copies of both directions are in the domain's ledger", { ...LIMIT, skip }, async (t) => {
  const domain = Domain.create();
  t.after(() => domain.close());
  const source = videoFrame(t, { format: "I420", width: 16, height: 8 });
  const stream = domain.createStream({ format: formatOf(source) });
  const consumer = stream.frames();
  const loan = (await stream.loan())!;
  await copyVideoFrame(source, loan);
  loan.publish();
  toVideoFrame((await consumer.next())!).close();
  assert.deepEqual(
    domain.copies().map(({ why, bytes }) => [why, bytes]),
    [
      ["copyVideoFrame()", 192],
      ["toVideoFrame()", 192],
    ],
  );
});
