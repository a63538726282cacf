import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../blocking.js";
import type { Substrate } from "../../src/substrate/substrate.js";

/**
 * What every substrate does, as far as one thread can see. `facts` never sleep, `blockingFacts` block the thread, and
 * the facts on `parkAsync` need an event loop. A memory has at least 8 words, all 0.
 */

type Fact = (memory: Substrate) => void;

const MOST = 2 ** 31 - 1;
const LEAST = -(2 ** 31);

export const facts: Record<string, Fact> = {
  "all words are 0 at first"(memory) {
    for (let word = 0; word < memory.words; word++) assert.equal(memory.load(word), 0);
  },
  "load() returns what store() wrote, as a signed number of 32 bits"(memory) {
    memory.store(1, 0xffff_ffff);
    memory.store(2, MOST);
    assert.deepEqual(
      [0, 1, 2, 3].map((word) => memory.load(word)),
      [0, -1, MOST, 0],
    );
  },
  "add() returns the old value and wraps at 32 bits"(memory) {
    assert.equal(memory.add(0, MOST), 0);
    assert.equal(memory.add(0, 1), MOST);
    assert.equal(memory.add(0, -1), LEAST);
    assert.equal(memory.load(0), MOST);
  },
  "or() returns the old value and only sets bits"(memory) {
    assert.equal(memory.or(0, 0b0110), 0);
    assert.equal(memory.or(0, 0b0011), 0b0110);
    assert.equal(memory.or(0, 1 << 31), 0b0111);
    assert.equal(memory.load(0), LEAST + 0b0111);
  },
  "and() returns the old value and only clears bits"(memory) {
    memory.store(0, -1);
    assert.equal(memory.and(0, 0b0110), -1);
    assert.equal(memory.and(0, ~0b0010), 0b0110);
    assert.equal(memory.load(0), 0b0100);
  },
  "exchange() returns the old value"(memory) {
    assert.equal(memory.exchange(0, 7), 0);
    assert.equal(memory.exchange(0, -8), 7);
    assert.equal(memory.load(0), -8);
  },
  "compareExchange() stores if the word holds what was expected, and returns what it held"(memory) {
    assert.equal(memory.compareExchange(0, 0, 5), 0);
    assert.equal(memory.compareExchange(0, 5, -1), 5);
    assert.equal(memory.load(0), -1);
  },
  "compareExchange() leaves a word that holds something else, and returns what it holds"(memory) {
    memory.store(0, 5);
    assert.equal(memory.compareExchange(0, 4, 6), 5);
    assert.equal(memory.load(0), 5);
  },
  "compareExchange() compares 32 bits"(memory) {
    memory.store(0, -1);
    assert.equal(memory.compareExchange(0, 0xffff_ffff, 1), -1);
    assert.equal(memory.load(0), 1);
  },
  "a 64-bit word has its low half first, and no other words"(memory) {
    memory.store64(2, 0x1122_3344_5566_7788n);
    assert.deepEqual(
      [1, 2, 3, 4].map((word) => memory.load(word)),
      [0, 0x5566_7788, 0x1122_3344, 0],
    );
    memory.store(3, -1);
    assert.equal(memory.load64(2), 0xffff_ffff_5566_7788n);
  },
  "64-bit words are unsigned and wrap"(memory) {
    memory.store64(0, 2n ** 64n - 1n);
    assert.equal(memory.load64(0), 2n ** 64n - 1n);
    assert.deepEqual([memory.load(0), memory.load(1)], [-1, -1]);
    memory.store64(0, 2n ** 64n + 5n);
    assert.equal(memory.load64(0), 5n);
  },
  "exchange64() returns the old value"(memory) {
    assert.equal(memory.exchange64(4, 2n ** 63n), 0n);
    assert.equal(memory.exchange64(4, 1n), 2n ** 63n);
    assert.equal(memory.load64(4), 1n);
  },
  "compareExchange64() compares both halves"(memory) {
    const held = 2n ** 63n + 1n;
    memory.store64(4, held);
    assert.equal(memory.compareExchange64(4, 1n, 7n), held);
    assert.equal(memory.compareExchange64(4, 2n ** 63n, 7n), held);
    assert.equal(memory.load64(4), held);
    assert.equal(memory.compareExchange64(4, held, 7n), held);
    assert.equal(memory.load64(4), 7n);
  },
  "a word outside the segment is a RangeError"(memory) {
    for (const word of [-1, memory.words]) {
      assert.throws(() => memory.load(word), RangeError);
      assert.throws(() => memory.store(word, 1), RangeError);
      assert.throws(() => memory.load64(word), RangeError);
      assert.throws(() => memory.wake(word), RangeError);
    }
  },
  "wake() returns 0 if no agent sleeps on the word"(memory) {
    assert.equal(memory.wake(0), 0);
  },
  "parkAsync() returns undefined if the word differs"(memory) {
    memory.store(0, 1);
    assert.equal(memory.parkAsync(0, 0), undefined);
    assert.equal(memory.wake(0), 0);
  },
  "pause() changes nothing"(memory) {
    memory.pause();
    for (let word = 0; word < memory.words; word++) assert.equal(memory.load(word), 0);
  },
};

export const blockingFacts: Record<string, Fact> = {
  'park() returns "not-equal" at once if the word differs, whatever the limit'(memory) {
    memory.store(0, 1);
    assert.equal(memory.park(0, 0, Infinity), "not-equal");
    assert.equal(memory.park(0, 0, 0), "not-equal");
    assert.equal(memory.park(0, 1 + 2 ** 31, 1_000), "not-equal");
  },
  "park() compares 32 bits"(memory) {
    memory.store(0, -1);
    assert.equal(memory.park(0, 0xffff_ffff, 1), "timed-out");
  },
  'park() returns "timed-out" if no agent wakes it'(memory) {
    assert.equal(memory.park(0, 0, 1), "timed-out");
    assert.equal(memory.park(0, 0, 0), "timed-out");
    assert.equal(memory.wake(0), 0, "who has timed out no longer sleeps");
  },
};

/** Registers the facts for a substrate of threads or processes; `open` makes a new one for each. */
export function substrateFacts(name: string, open: () => Substrate | Promise<Substrate>): void {
  for (const [claim, fact] of Object.entries(facts)) {
    // substrate.1
    test(`${name}: ${claim}`, async () => fact(await open()));
  }
  for (const [claim, fact] of Object.entries(blockingFacts)) {
    test(`${name}: ${claim}`, { ...BLOCKS, timeout: 10_000 }, async () => fact(await open()));
  }

  test(`${name}: park() sleeps for its time limit`, { ...BLOCKS, timeout: 10_000 }, async () => {
    const memory = await open();
    const start = performance.now();
    assert.equal(memory.park(0, 0, 30), "timed-out");
    assert.ok(performance.now() - start >= 29, "a clock may be a little coarse");
  });

  test(`${name}: parkAsync() resolves after wake(), which counts it`, { timeout: 10_000 }, async () => {
    const memory = await open();
    const woken = memory.parkAsync(0, 0);
    memory.store(0, 1);
    assert.equal(memory.wake(0), 1);
    await soon(woken);
    assert.equal(memory.wake(0), 0);
  });

  test(`${name}: wake() wakes every agent that sleeps on the word, and no other`, { timeout: 10_000 }, async () => {
    const memory = await open();
    const sleepers = [memory.parkAsync(2, 0), memory.parkAsync(2, 0), memory.parkAsync(2, 0)];
    let others = 0;
    const other = memory.parkAsync(3, 0)?.then(() => (others += 1));
    assert.equal(memory.wake(2), 3);
    await Promise.all(sleepers.map(soon));
    assert.equal(others, 0);
    assert.equal(memory.wake(3), 1);
    await soon(other);
    assert.equal(others, 1);
  });

  test(`${name}: parkAsync() sleeps on while the word is not woken`, { timeout: 10_000 }, async () => {
    const memory = await open();
    let woken = 0;
    const sleeper = memory.parkAsync(0, 0)?.then(() => (woken += 1));
    memory.store(0, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(woken, 0);
    assert.equal(memory.wake(0), 1);
    await soon(sleeper);
  });
}

/** Waits for a sleeper, and keeps the process alive until then: a pending `parkAsync` does not. */
async function soon(sleeper: Promise<unknown> | undefined): Promise<void> {
  assert.ok(sleeper !== undefined, "the word holds what was expected");
  const keepAlive = setTimeout(() => {}, 10_000);
  await sleeper;
  clearTimeout(keepAlive);
}
