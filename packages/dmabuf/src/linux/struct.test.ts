import assert from "node:assert/strict";
import { test } from "node:test";
import { packAll, Struct, unpackAll } from "./struct.js";

const MIXED = new Struct({
  small: "u8",
  wide: "u64",
  signed: "s32",
  name: { text: 5 },
  half: "u16",
  raw: { bytes: 3, align: 4 },
});

test("each field is at a multiple of its own size, and the whole ends at one of its largest", () => {
  const offsets = (["small", "wide", "signed", "name", "half", "raw"] as const).map((name) => MIXED.offsetOf(name));
  assert.deepEqual(offsets, [0, 8, 16, 20, 26, 28]);
  assert.equal(MIXED.size, 32);
});

test("what was packed is unpacked, and fields that were not given are 0", () => {
  const values = { small: 255, wide: 2n ** 63n, signed: -1, name: "abcd", half: 65_535, raw: Uint8Array.of(1, 2, 3) };
  assert.deepEqual(MIXED.unpack(MIXED.pack(values)), values);
  assert.deepEqual(MIXED.unpack(MIXED.pack({ wide: 7 })), {
    small: 0,
    wide: 7n,
    signed: 0,
    name: "",
    half: 0,
    raw: new Uint8Array(3),
  });
});

test("a text that is too long is cut, and one without its end is whole", () => {
  const bytes = MIXED.pack({ name: "abcdefgh" });
  assert.equal(MIXED.unpack(bytes).name, "abcd");
  bytes[MIXED.offsetOf("name") + 4] = "e".charCodeAt(0);
  assert.equal(MIXED.unpack(bytes).name, "abcde");
});

test("several structures are one after the other", () => {
  const pair = new Struct({ a: "u32", b: "u64" });
  const all = [
    { a: 1, b: 2n },
    { a: 3, b: 4n },
  ];
  const bytes = packAll(pair, all);
  assert.equal(bytes.length, 32);
  assert.deepEqual(unpackAll(pair, bytes, 2), all);
});

test("a text is cut between two characters, and ends with a NUL", () => {
  const struct = new Struct({ name: { text: 8 }, after: "u8" });
  for (const [name, kept] of [
    ["é".repeat(4), "ééé"],
    ["€€€", "€€"],
    ["abc😀", "abc😀"],
    ["abcd😀", "abcd"],
    ["12345678", "1234567"],
    ["\ud800", "\ufffd"],
  ] as const) {
    const bytes = struct.pack({ name, after: 0xff });
    assert.equal(bytes[7], 0);
    assert.deepEqual(struct.unpack(bytes), { name: kept, after: 0xff });
  }
});
