import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "./histogram.js";

const chroma = { bytes: new Uint8Array(8), stride: 4 };

test("Histogram counts the pixels of the frame and not the bytes between its rows", async () => {
  const histogram = new Histogram();
  const bytes = Uint8Array.from([0, 255, 99, 99, 0, 255, 99, 99]);
  histogram.look({ sequence: 0, width: 2, height: 2, luma: { bytes, stride: 4 }, chroma });
  const note = histogram.note();
  assert.equal(note.mean, 127.5);
  assert.deepEqual([note.bins[0], note.bins[24], note.bins[63]], [2, 0, 2]);
  assert.deepEqual((await histogram.finish()).values, { mean_luma: 127.5, luma_p1: 0, luma_p99: 255 });
});

test("Histogram.note() is of the latest frame, finish() of all", async () => {
  const histogram = new Histogram();
  for (const luma of [10, 30]) {
    const bytes = new Uint8Array(4).fill(luma);
    histogram.look({ sequence: 0, width: 2, height: 2, luma: { bytes, stride: 2 }, chroma });
  }
  assert.equal(histogram.note().mean, 30);
  assert.equal((await histogram.finish()).values["mean_luma"], 20);
});
