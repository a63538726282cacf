import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import { decode, encodeInto, NAME_WORDS, readName, readText, writeName, writeText } from "./text.js";

/** What is read back of a name that was written over a longer one. */
function stored(name: string): string {
  const memory = createSharedSubstrate(new SharedArrayBuffer(4 * (NAME_WORDS + 2)));
  writeName(memory, 1, "x".repeat(40));
  writeName(memory, 1, name);
  assert.deepEqual([memory.load(0), memory.load(NAME_WORDS + 1)], [0, 0], "nothing beside the name is written");
  return readName(memory, 1);
}

test("a name of up to 31 bytes is read as it was written, in every script", () => {
  for (const name of ["", "camera", "x".repeat(31), "Größe", "映像", "🎥🎥", "naïve\u{10ffff}"]) {
    assert.equal(stored(name), name);
  }
});

test("a longer name is cut after the last whole character of its first 31 bytes", () => {
  assert.equal(stored("x".repeat(32)), "x".repeat(31));
  assert.equal(stored("x".repeat(30) + "é"), "x".repeat(30));
  assert.equal(stored("x".repeat(29) + "é!"), "x".repeat(29) + "é");
  assert.equal(stored("x".repeat(28) + "🎥"), "x".repeat(28));
  assert.equal(stored("x".repeat(27) + "🎥"), "x".repeat(27) + "🎥");
  assert.equal(stored("映".repeat(11)), "映".repeat(10));
});

test("a name ends at its first character 0", () => {
  assert.equal(stored("a\0b"), "a");
});

test("a text of any number of words is read up to its end, and cut after the last whole character", () => {
  const memory = createSharedSubstrate(new SharedArrayBuffer(4 * 6));
  const stored = (text: string): string => {
    writeText(memory, 1, 3, text);
    return readText(memory, 1, 3);
  };
  for (const text of ["x".repeat(11), "", "abc", "abcd", "映像", "x".repeat(7)]) assert.equal(stored(text), text);
  assert.equal(stored("x".repeat(12)), "x".repeat(11));
  assert.equal(stored("映".repeat(4)), "映".repeat(3));
  assert.deepEqual([memory.load(0), memory.load(4)], [0, 0], "nothing beside the text is written");
  for (let i = 1; i < 4; i++) memory.store(i, 0x78787878);
  assert.equal(readText(memory, 1, 3), "x".repeat(12), "a damaged text has an end, too");
});

test("encodeInto() writes the UTF-8 of a text, and as many whole characters as fit", () => {
  for (const text of ["", "abc", "Größe", "映像", "🎥", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"]) {
    const whole = new TextEncoder().encode(text);
    const target = new Uint8Array(whole.length + 1);
    assert.equal(encodeInto(text, target), whole.length);
    assert.deepEqual(target.subarray(0, whole.length), whole);
    const last = [...text].at(-1) ?? "";
    const less = encodeInto(text, new Uint8Array(Math.max(0, whole.length - 1)));
    assert.equal(less, whole.length - new TextEncoder().encode(last).length);
  }
});

test("half of a surrogate pair is written as U+FFFD", () => {
  const target = new Uint8Array(8);
  const length = encodeInto("a\ud800b", target);
  assert.deepEqual(target.subarray(0, length), new TextEncoder().encode("a\ufffdb"));
});

test("decode() reads what TextDecoder reads, where it is UTF-8", () => {
  for (const text of ["", "abc", "Größe", "映像", "🎥", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"]) {
    assert.equal(decode(new TextEncoder().encode(text)), text);
  }
});

test("what is not UTF-8 is read as U+FFFD", () => {
  const wrong: Record<string, number[]> = {
    "a continuation alone": [0x80],
    "a beginning alone": [0xc3],
    "a beginning before another character": [0xe6, 0x98, 0x41],
    "two bytes for what needs one": [0xc1, 0x81],
    "three bytes for what needs two": [0xe0, 0x81, 0x81],
    "four bytes for what needs three": [0xf0, 0x81, 0x81, 0x81],
    "half of a surrogate pair": [0xed, 0xa0, 0x80],
    "a number beyond the last character": [0xf4, 0x90, 0x80, 0x80],
    "a beginning of five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
    "a byte that never occurs": [0xff],
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    const text = decode(Uint8Array.from([0x3c, ...bytes, 0x3e]));
    assert.match(text, /^<\ufffd+A?>$/, what);
  }
});
