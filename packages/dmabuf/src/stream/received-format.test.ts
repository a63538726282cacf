import assert from "node:assert/strict";
import { test } from "node:test";
import { imageFormat, rawFormat, tensorFormat } from "./format.js";
import { formatDamage } from "./received-format.js";

const image = imageFormat("NV12", 17, 9, { strideAlignment: 16 });
const tensor = tensorFormat([2, 3], "float32");

test("the formats that this library makes are whole", () => {
  const formats = [image, tensor, rawFormat(1), imageFormat("I420", 1, 1), tensorFormat([1], "int64")];
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
    { ...image, planes: Array(9).fill(plane) },
    { ...image, planes: [null] },
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
    { ...rawFormat(8), type: "constructor" },
  ];
  for (const format of damaged) assert.equal(typeof formatDamage(format), "string", JSON.stringify(format));
});
