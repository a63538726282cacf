import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import { packed, packing, pairOf } from "./packing.js";
import {
  addNumber,
  agentBits,
  list,
  loadNumber,
  loadTime,
  name,
  ownLine,
  perAgent,
  place,
  record,
  storeNumber,
  storeTime,
  u32,
  u64,
  words,
} from "./record.js";
import { checkSizes } from "./sizes.js";

const COUNTS = { ...checkSizes({}), agents: 33, retired: 1 };

describe("a record", () => {
  test("has its words at computed places, 64 bits at even ones (record.2)", () => {
    const { ONE, WIDE, NAME, THREE, LAST, WORDS } = record({
      ONE: u32,
      WIDE: u64,
      NAME: name,
      THREE: words(3),
      LAST: u32,
    });
    assert.deepEqual(
      { ONE, WIDE, NAME, THREE, LAST, WORDS },
      { ONE: 0, WIDE: 2, NAME: 4, THREE: 12, LAST: 15, WORDS: 16 },
    );
    assert.equal(record({ ONE: u32 }).WORDS, 2);
  });

  test("is as long as its widest alignment asks for", () => {
    const { BELL, AFTER, WORDS } = record({ FIRST: u32, BELL: ownLine(u32), AFTER: u32 });
    assert.deepEqual({ BELL, AFTER, WORDS }, { BELL: 16, AFTER: 17, WORDS: 32 });
  });

  test("has its lists where the domain's sizes say (record.1)", () => {
    const item = record({ WIDE: u64, NARROW: u32 });
    const shared = record({ ONE: u32, BITS: agentBits, COUNTS: perAgent, ITEMS: list(3, item), MORE: list(2, item) });
    assert.equal(shared.ONE, 0);
    assert.deepEqual({ ...place(shared, COUNTS) }, { ONE: 0, BITS: 2, COUNTS: 4, ITEMS: 38, MORE: 50, WORDS: 58 });
    assert.ok(!("ITEMS" in shared) && !("WORDS" in shared));
  });
});

describe("a packing", () => {
  const narrow = packing(32, { low: 10, flag: 1, high: 21 });
  const wide = packing(64, { low: 3, middle: 47, top: 14 });

  test("puts each part where it was declared, and reads it again", () => {
    const word = narrow.low.of(1023) | narrow.flag.of(1) | narrow.high.of(2 ** 21 - 2);
    assert.deepEqual([narrow.low.in(word), narrow.flag.in(word), narrow.high.in(word)], [1023, 1, 2 ** 21 - 2]);
    for (const middle of [0, 1, 2 ** 29, 2 ** 32 + 5, 2 ** 47 - 1]) {
      const long = wide.low.of(5) | wide.middle.of(middle) | wide.top.of(9999);
      assert.equal(long, 5n | (BigInt(middle) << 3n) | (9999n << 50n));
      assert.deepEqual([wide.low.in(long), wide.middle.in(long), wide.top.in(long)], [5, middle, 9999]);
      assert.equal(pairOf(wide.middle, middle, wide.top, 9999) | 5n, long);
    }
  });

  test("cuts off what a part has no bits for", () => {
    assert.equal(narrow.low.of(1024 + 7), 7);
    assert.equal(wide.top.of(2 ** 14 + 7), wide.top.of(7));
    assert.equal(wide.low.of(-1), 7n);
    assert.equal(packing(64, { holder: 32, ticket: 32 }).holder.of(-5), 0xffff_fffbn);
  });

  test("knows the bits of each part", () => {
    assert.equal(narrow.flag.mask, 1 << 10);
    assert.equal(narrow.high.mask | narrow.flag.mask | narrow.low.mask, -1);
    assert.equal(wide.top.mask, 0xfffcn << 48n);
  });

  test("is a word of a record", () => {
    const { A, B, WORDS } = record({ A: packed(narrow), B: packed(wide) });
    assert.deepEqual({ A, B, WORDS }, { A: 0, B: 2, WORDS: 4 });
  });
});

test("a number is stored in one 64-bit word, whatever its size (record.3)", () => {
  const memory = createSharedSubstrate(new SharedArrayBuffer(16));
  for (const number of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
    storeNumber(memory, 2, number);
    assert.equal(memory.load64(2), BigInt(number));
    assert.equal(loadNumber(memory, 2), number);
  }
  storeNumber(memory, 2, 2 ** 32 - 1);
  assert.equal(addNumber(memory, 2, 2), 2 ** 32 - 1);
  assert.equal(loadNumber(memory, 2), 2 ** 32 + 1);
  memory.store64(2, 0xffff_ffff_ffff_ffffn);
  assert.equal(loadNumber(memory, 2), Number.MAX_SAFE_INTEGER);
});

test("a time is stored as exactly as a number is, also that of a browser's clock", () => {
  const memory = createSharedSubstrate(new SharedArrayBuffer(16));
  for (const time of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER, Date.UTC(2040, 0) * 1e6]) {
    storeTime(memory, 2, time);
    assert.equal(loadTime(memory, 2), time);
  }
  storeTime(memory, 2, 1.5);
  assert.equal(loadTime(memory, 2), 1);
});
