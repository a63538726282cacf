import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { GuardedMemory } from "./guarded-memory.js";

function guarded(mostSteps = 10): GuardedMemory {
  return new GuardedMemory(createSharedSubstrate(new SharedArrayBuffer(32)), mostSteps);
}

test("a word outside the memory is noticed, and one between two words", () => {
  for (const word of [-1, 8, 0.5, NaN]) {
    assert.throws(() => guarded().load(word), /reaches for word/);
    assert.throws(() => guarded().store(word, 1), /reaches for word/);
    assert.throws(() => guarded().wake(word), /reaches for word/);
  }
  assert.throws(() => guarded().load64(8), /reaches for word/);
  assert.throws(() => guarded().compareExchange64(3, 0n, 1n), /for one of 64 bits/);
});

test("what does not end is noticed, and what begins anew has time again", () => {
  const memory = guarded(3);
  for (let i = 0; i < 3; i++) memory.load(0);
  assert.throws(() => memory.pause(), /not ended after 3 steps/);
  memory.begin();
  memory.load(0);
});

test("a sleep without a limit is noticed; one with a limit takes its time", () => {
  const memory = guarded();
  assert.equal(memory.park(0, 1, Infinity), "not-equal");
  assert.equal(memory.park(0, 0, 20), "timed-out");
  assert.equal(memory.sleptMs, 20);
  assert.throws(() => memory.park(0, 0, Infinity), /sleeps/);
});
