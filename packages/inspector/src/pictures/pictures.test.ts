import assert from "node:assert/strict";
import { test } from "node:test";
import { audioFormat, imageFormat, tensorFormat, type PixelFormat } from "dmabuf";
import { elementsOf } from "./elements.js";
import { heatMap, NOT_FINITE } from "./heat-map.js";
import { hexLines } from "./hex.js";
import { imagePicture } from "./image.js";
import { wavesOf } from "./waves.js";

/** The limited-range numbers of colours by BT.601, as the tables have them: Y, U, V. */
const RED = [81, 90, 240];
const BLUE = [41, 240, 110];

/** A red left half and a blue right half, four pixels by two, as each format stores them. */
const HALVES: Readonly<Record<PixelFormat, readonly number[]>> = {
  RGBA: twice([255, 0, 0, 0, 255, 0, 0, 0, 0, 0, 255, 0, 0, 0, 255, 0]),
  BGRA: twice([0, 0, 255, 0, 0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 0]),
  RGBX: twice([255, 0, 0, 9, 255, 0, 0, 9, 0, 0, 255, 9, 0, 0, 255, 9]),
  BGRX: twice([0, 0, 255, 9, 0, 0, 255, 9, 255, 0, 0, 9, 255, 0, 0, 9]),
  RGB24: twice([255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255]),
  BGR24: twice([0, 0, 255, 0, 0, 255, 255, 0, 0, 255, 0, 0]),
  GREY: twice([200, 200, 30, 30]),
  GRAY16: twice([1, 200, 2, 200, 3, 30, 4, 30]),
  YUYV: twice([81, 90, 81, 240, 41, 240, 41, 110]),
  UYVY: twice([90, 81, 240, 81, 240, 41, 110, 41]),
  NV12: [...twice([81, 81, 41, 41]), 90, 240, 240, 110],
  P010: [...wide(twice([81, 81, 41, 41])), ...wide([90, 240, 240, 110])],
  I420: [...twice([81, 81, 41, 41]), 90, 240, 240, 110],
  I444: [...twice([81, 81, 41, 41]), ...twice([90, 90, 240, 240]), ...twice([240, 240, 110, 110])],
};

function twice(row: readonly number[]): number[] {
  return [...row, ...row];
}

/** Values of ten bits, in the upper bits of two bytes. */
function wide(values: readonly number[]): number[] {
  return values.flatMap((value) => [0, value]);
}

function nearly(actual: Iterable<number>, wanted: readonly number[], said: string): void {
  const found = [...actual];
  const isNear = found.every((value, i) => Math.abs(value - wanted[i]!) <= 2);
  assert.ok(isNear && found.length === wanted.length, `${said}: ${found.join(" ")}, not ${wanted.join(" ")}`);
}

for (const [name, bytes] of Object.entries(HALVES)) {
  test(`pixels of ${name} have their colours, and are opaque (image.1)`, () => {
    const format = imageFormat(name as PixelFormat, 4, 2);
    assert.equal(format.size, bytes.length);
    const { width, height, pixels } = imagePicture(format, Uint8Array.from(bytes), 100);
    assert.deepEqual([width, height], [4, 2]);
    const isGrey = name.startsWith("GR");
    const left = isGrey ? [200, 200, 200, 255] : [255, 0, 0, 255];
    const right = isGrey ? [30, 30, 30, 255] : [0, 0, 255, 255];
    nearly(pixels, twice([...left, ...left, ...right, ...right]), name);
  });
}

test("padding at the end of rows is not drawn", () => {
  const format = imageFormat("GREY", 2, 2, { strideAlignment: 4 });
  const { pixels } = imagePicture(format, Uint8Array.of(1, 2, 99, 99, 3, 4, 99, 99), 100);
  assert.deepEqual(
    [...pixels].filter((_, i) => i % 4 === 0),
    [1, 2, 3, 4],
  );
});

test("from 720 rows on luma and chroma are those of BT.709 (image.2)", () => {
  const format = imageFormat("I444", 1, 720);
  // Red by BT.709.
  const bytes = new Uint8Array(format.size).fill(63, 0, 720).fill(102, 720, 1440).fill(240, 1440);
  nearly(imagePicture(format, bytes, 720).pixels.subarray(0, 4), [255, 0, 0, 255], "red");
  const [y, u, v] = RED;
  const small = imageFormat("I444", 1, 1);
  nearly(imagePicture(small, Uint8Array.of(y!, u!, v!), 1).pixels, [255, 0, 0, 255], "red by BT.601");
  nearly(imagePicture(small, Uint8Array.from(BLUE), 1).pixels, [0, 0, 255, 255], "blue by BT.601");
});

test("a large picture is made small in its proportions, from the pixels in the middle (image.3)", () => {
  const format = imageFormat("GREY", 6, 3);
  const bytes = Uint8Array.from({ length: 18 }, (_, i) => i);
  const { width, height, pixels } = imagePicture(format, bytes, 2);
  assert.deepEqual([width, height, pixels[0], pixels[4]], [2, 1, 7, 10]);
});

test("elements of all types are read as numbers", () => {
  const at = (type: Parameters<typeof elementsOf>[0], ...bytes: number[]) =>
    elementsOf(type, Uint8Array.from(bytes)).at(0);
  assert.equal(at("int8", 0xff), -1);
  assert.equal(at("uint8", 0xff), 255);
  assert.equal(at("bool", 1), 1);
  assert.equal(at("int16", 0xfe, 0xff), -2);
  assert.equal(at("uint16", 0, 1), 256);
  assert.equal(at("int32", 0xff, 0xff, 0xff, 0xff), -1);
  assert.equal(at("uint32", 0xff, 0xff, 0xff, 0xff), 2 ** 32 - 1);
  assert.equal(at("float32", 0, 0, 0xc0, 0x3f), 1.5);
  assert.equal(at("bfloat16", 0xc0, 0xbf), -1.5);
  assert.equal(at("float64", 0, 0, 0, 0, 0, 0, 0xf8, 0x3f), 1.5);
  assert.equal(at("int64", 0xfd, ...Array<number>(7).fill(0xff)), -3);
  assert.equal(at("uint64", 7, 0, 0, 0, 0, 0, 0, 0), 7);
  // 1.5, the largest, the smallest, and those that are no numbers.
  assert.equal(at("float16", 0x00, 0x3e), 1.5);
  assert.equal(at("float16", 0xff, 0x7b), 65504);
  assert.equal(at("float16", 0x01, 0x80), -(2 ** -24));
  assert.equal(at("float16", 0x00, 0xfc), -Infinity);
  assert.ok(Number.isNaN(at("float16", 0x01, 0x7c)));
  assert.equal(elementsOf("int32", new Uint8Array(11)).length, 2);
});

test("a tensor is dark where it is least and bright where it is greatest, and says its range", () => {
  const values = Float32Array.of(-1, 0, 3, NaN, Infinity, -1);
  const { picture, range, notFinite } = heatMap(tensorFormat([2, 3], "float32"), bytesOf(values), 100);
  assert.deepEqual([picture.width, picture.height], [3, 2]);
  assert.deepEqual(range, { least: -1, greatest: 3, mean: 0.25 });
  assert.equal(notFinite, 2);
  const pixel = (i: number): number[] => [...picture.pixels.subarray(i * 4, i * 4 + 4)];
  assert.deepEqual(pixel(0), [68, 1, 84, 255]);
  assert.deepEqual(pixel(1), [59, 82, 139, 255]);
  assert.deepEqual(pixel(2), [253, 231, 37, 255]);
  assert.deepEqual(pixel(3), [...NOT_FINITE, 255]);
  assert.deepEqual(pixel(4), [...NOT_FINITE, 255]);
  assert.deepEqual(pixel(5), pixel(0));
});

test("a tensor with one long row is drawn in several lines, and one of equal numbers in one colour", () => {
  const { picture } = heatMap(tensorFormat([1000], "uint8"), new Uint8Array(1000).fill(7), 1000);
  assert.deepEqual([picture.width, picture.height], [32, 32]);
  assert.deepEqual([...picture.pixels.subarray(0, 4)], [68, 1, 84, 255]);
  // 1,024 places, of which the last 24 are none.
  assert.equal(picture.pixels[1000 * 4 - 1], 255);
  assert.equal(picture.pixels[1000 * 4 + 3], 0);
});

test("a tensor without a finite number has no range", () => {
  const { range, notFinite } = heatMap(tensorFormat([2], "float64"), bytesOf(Float64Array.of(NaN, Infinity)), 10);
  assert.equal(range, undefined);
  assert.equal(notFinite, 2);
});

test("waves have the lowest and the highest sample of each column, by channel", () => {
  const interleaved = audioFormat({ channels: 2, rate: 8000, samples: 4, type: "int16" });
  const values = Int16Array.of(16384, 0, -16384, 0, 0, 8192, 0, -32768);
  const [left, right] = wavesOf(interleaved, bytesOf(values), 2);
  assert.deepEqual(left, { lows: [-0.5, 0], highs: [0.5, 0], peak: 0.5 });
  assert.deepEqual(right, { lows: [0, -1], highs: [0, 0.25], peak: 1 });

  const planar = audioFormat({ channels: 2, rate: 8000, samples: 2, type: "float32", layout: "planar" });
  const bytes = new Uint8Array(planar.size);
  planar.planes.forEach(({ offset }, i) => bytes.set(bytesOf(Float32Array.of(i, -i)), offset));
  assert.deepEqual(wavesOf(planar, bytes, 10), [
    { lows: [0, -0], highs: [0, -0], peak: 0 },
    { lows: [1, -1], highs: [1, -1], peak: 1 },
  ]);
  const small = audioFormat({ channels: 1, rate: 8000, samples: 2, type: "uint8" });
  assert.deepEqual(wavesOf(small, Uint8Array.of(128, 0), 10)[0]?.highs, [0, -1]);
});

test("bytes are shown by their place, as numbers and as letters", () => {
  assert.deepEqual(hexLines(Uint8Array.of(0x44, 0x4d, 0x41, 0, 0x7f, 0x20, 0xff, 1, 2), 0x1_0000), [
    { offset: "10000", bytes: "44 4d 41 00 7f 20 ff 01", text: "DMA·· ··" },
    { offset: "10008", bytes: "02", text: "·" },
  ]);
  assert.deepEqual(hexLines(new Uint8Array(0), 0), []);
});

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
