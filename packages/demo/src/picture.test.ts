import assert from "node:assert/strict";
import { test } from "node:test";
import { packedPicture, shrink } from "./picture.js";
import type { Colour } from "./video.js";

const TV: Colour = { matrix: "bt709", fullRange: false };

/** A picture of one colour. */
function plain(width: number, height: number, luma: number, blue: number, red: number) {
  const bytes = new Uint8Array((width * height * 3) / 2).fill(luma, 0, width * height);
  for (let at = width * height; at < bytes.length; at += 2) bytes.set([blue, red], at);
  return packedPicture(bytes, 0, width, height);
}

function colourOf(luma: number, blue: number, red: number, colour: Colour): number[] {
  return [...shrink(plain(4, 2, luma, blue, red), 4, colour).bytes.subarray(0, 3)];
}

test("shrink() makes black, white and the primaries of BT.709 in the range of television", () => {
  assert.deepEqual(colourOf(16, 128, 128, TV), [0, 0, 0]);
  assert.deepEqual(colourOf(235, 128, 128, TV), [255, 255, 255]);
  assert.deepEqual(colourOf(63, 102, 240, TV), [255, 1, 0]);
  assert.deepEqual(colourOf(173, 42, 26, TV), [0, 255, 1]);
  assert.deepEqual(colourOf(32, 240, 118, TV), [1, 0, 255]);
});

test("shrink() makes red of BT.601 in the full range", () => {
  assert.deepEqual(colourOf(76, 85, 255, { matrix: "bt601", fullRange: true }), [254, 0, 0]);
});

test("shrink() keeps the shape, and its longer side fits", () => {
  const wide = shrink(plain(1280, 720, 100, 128, 128), 320, TV);
  assert.deepEqual([wide.width, wide.height, wide.bytes.length], [320, 180, 320 * 180 * 3]);
  const tall = shrink(plain(2, 1000, 100, 128, 128), 300, TV);
  assert.deepEqual([tall.width, tall.height], [1, 250]);
});

test("shrink() averages luma and follows strides", () => {
  const luma = { bytes: Uint8Array.from([16, 235, 9, 9, 235, 16, 9, 9]), stride: 4 };
  const chroma = { bytes: Uint8Array.from([128, 128, 0, 0]), stride: 4 };
  const { bytes } = shrink({ sequence: 0, width: 2, height: 2, luma, chroma }, 1, TV);
  assert.deepEqual([...bytes], [128, 128, 128]);
});
