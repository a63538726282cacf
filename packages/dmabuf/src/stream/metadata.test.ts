import assert from "node:assert/strict";
import { test } from "node:test";
import { rawFormat } from "./format.js";
import {
  dataIn,
  encodeData,
  lengthIn,
  metadataOffset,
  metadataSize,
  publishedAtIn,
  sequenceIn,
  timestampIn,
  writeMetadata,
  type JsonValue,
} from "./metadata.js";

const base = [1, 2.5, 3e15] as const;

/** All that was written. */
function read(area: DataView): unknown[] {
  return [sequenceIn(area), timestampIn(area), publishedAtIn(area), dataIn(area)];
}

test("metadata are read as they were written", () => {
  const area = new DataView(new SharedArrayBuffer(metadataSize(200)));
  const values: (JsonValue | undefined)[] = [
    undefined,
    null,
    0,
    "",
    "größer 𝄞",
    [1, [2, null]],
    { box: { x: 0.1, label: "é" } },
    false,
  ];
  for (const data of values) {
    writeMetadata(area, ...base, encodeData(data, 200));
    assert.deepEqual(read(area), [...base, data]);
  }
  const extreme = [2 ** 53 - 1, -0.1, 0] as const;
  writeMetadata(area, ...extreme, undefined);
  assert.deepEqual(read(area), [...extreme, undefined]);
});

test("data of just the allowed bytes are taken, and one byte more is EOVERFLOW with both numbers", () => {
  for (const [text, bytes] of [
    ["a".repeat(18), 20],
    ["é".repeat(9), 20],
    ["𝄞".repeat(4), 18],
  ] as const) {
    const area = new DataView(new ArrayBuffer(metadataSize(bytes)));
    writeMetadata(area, ...base, encodeData(text, bytes));
    assert.equal(dataIn(area), text);
    const expected = { code: "EOVERFLOW", message: new RegExp(`${bytes} bytes as JSON, ${bytes - 1} are allowed`) };
    assert.throws(() => encodeData(text, bytes - 1), expected);
  }
});

test("without room for data there is still room for the times", () => {
  const area = new DataView(new ArrayBuffer(metadataSize(0)));
  writeMetadata(area, ...base, undefined);
  assert.deepEqual(read(area), [...base, undefined]);
  assert.throws(() => encodeData(null, 0), { code: "EOVERFLOW" });
});

test("what JSON carries as nothing is a TypeError that says what it was", () => {
  for (const data of [() => 1, Symbol("x"), { toJSON: () => undefined }]) {
    const expected = { name: "TypeError", message: new RegExp(`JSON carries no ${typeof data}`) };
    assert.throws(() => encodeData(data as unknown as JsonValue, 100), expected);
  }
});

test("metadata is stored behind the frame, at a multiple of 8 bytes", () => {
  assert.deepEqual([1, 7, 8, 9, 27].map(metadataOffset), [8, 8, 8, 16, 32]);
});

test("data that would be longer than there is room for are EPROTO, also if what there is of them is JSON", () => {
  const area = new DataView(new ArrayBuffer(metadataSize(4)));
  writeMetadata(area, ...base, encodeData(1234, 4));
  area.setUint32(24, 5, true);
  assert.throws(() => dataIn(area), { code: "EPROTO" });
});

test("the length of a frame is its format's size, or what was written, with data and without", () => {
  const area = new DataView(new SharedArrayBuffer(metadataSize(20)));
  const format = rawFormat(2 ** 40);
  for (const length of [undefined, 0, 1, 2 ** 33, 2 ** 40]) {
    for (const data of [undefined, "a".repeat(18)]) {
      writeMetadata(area, ...base, encodeData(data, 20), length);
      assert.deepEqual([lengthIn(area, format), dataIn(area)], [length ?? format.size, data]);
    }
  }
});
