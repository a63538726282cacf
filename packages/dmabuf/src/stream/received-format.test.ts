import assert from "node:assert/strict";
import { test } from "node:test";
import { audioFormat } from "./audio-format.js";
import {
  ELEMENTS,
  imageFormat,
  PIXEL_FORMATS,
  rawFormat,
  tensorFormat,
  type ElementType,
  type PixelFormat,
} from "./format.js";
import { formatDamage } from "./received-format.js";

const image = imageFormat("NV12", 17, 9, { strideAlignment: 16 });
const planar = audioFormat({ channels: 2, rate: 48_000, samples: 128, layout: "planar" });
const audio = audioFormat({ channels: 2, rate: 48_000, samples: 128, type: "int16" });
const tensor = tensorFormat([2, 3], "float32");

test("the formats that this library makes are whole", () => {
  const formats = [image, tensor, rawFormat(1), imageFormat("I420", 1, 1), tensorFormat([1], "int64"), audio, planar];
  for (const name of PIXEL_FORMATS) formats.push(imageFormat(name as PixelFormat, 7, 5));
  for (const type of Object.keys(ELEMENTS)) formats.push(tensorFormat([2, 3], type as ElementType));
  formats.push(audioFormat({ channels: 64, rate: 1, samples: 1, type: "float64", layout: "planar" }));
  for (const format of formats) assert.equal(formatDamage(structuredClone(format)), undefined);
});

test("a format that would lead outside the frame, or is none, is damaged", () => {
  const plane = image.planes[0];
  const damaged: unknown[] = [
    undefined,
    null,
    "raw",
    { ...image, kind: "video" },
    { ...image, size: image.size - 1 },
    { ...image, size: "1" },
    { ...image, size: Infinity },
    { ...image, planes: undefined },
    { ...image, planes: [] },
    { ...image, planes: { length: 1 } },
    { ...image, planes: Array(65).fill(plane) },
    { ...image, planes: [null] },
    { ...image, planes: Array(1) },
    { ...rawFormat(8), planes: Object.assign(Array(2), { 1: rawFormat(8).planes[0] }) },
    { ...image, planes: [{ ...plane, offset: -1 }] },
    { ...image, planes: [{ ...plane, offset: 0.5 }] },
    { ...image, planes: [{ ...plane, stride: plane.width - 1 }] },
    { ...image, planes: [{ ...plane, height: 2 ** 40 }] },
    { ...image, pixelFormat: "toString" },
    { ...image, width: 0 },
    { ...tensor, type: "constructor" },
    { ...tensor, type: "float64" },
    { ...tensor, shape: [2, -3] },
    { ...tensor, shape: [] },
    { ...tensor, shape: Object.assign(Array(3), { 1: 2, 2: 3 }) },
    { ...rawFormat(8), type: "constructor" },
    { ...rawFormat(8), layout: "interleaved" },
    { ...image, layout: "interleaved" },
    { ...audio, kind: "tensor", shape: [256] },
    { ...audio, channels: 0 },
    { ...audio, channels: 65 },
    { ...audio, channels: 1 },
    { ...audio, rate: "48000" },
    { ...audio, samples: 129 },
    { ...audio, samples: undefined },
    { ...audio, type: "constructor" },
    { ...audio, type: "float32" },
    { ...audio, type: undefined },
    { ...audio, layout: "planar" },
    { ...audio, layout: undefined },
    { ...audio, planes: [{ ...audio.planes[0], bytesPerSample: 3 }] },
    { ...planar, planes: planar.planes.slice(1) },
    { ...planar, planes: [planar.planes[0], { ...planar.planes[0], offset: 1 }] },
    { ...planar, planes: [planar.planes[0], { ...planar.planes[0], offset: 1024 }] },
    { ...planar, size: planar.size * 2 },
  ];
  for (const format of damaged) assert.equal(typeof formatDamage(format), "string", JSON.stringify(format));
});
