import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createDomain } from "../../test/agents.js";
import { streamOf } from "../../test/waiting.js";
import { each } from "./each.js";

const DONE = { value: undefined, done: true };

test("what is given at once or later is iterated over until there is nothing, and then left once", async () => {
  let left = 0;
  const given = [1, Promise.resolve(2), 3, undefined];
  const all = each(
    () => given.shift(),
    () => left++,
  );
  const seen: number[] = [];
  for await (const value of all) seen.push(value);
  assert.deepEqual([seen, left, await all.next(), left], [[1, 2, 3], 1, DONE, 1]);
});

test("a loop that breaks, throws or fails leaves, and nothing more is taken", async () => {
  const failed = new Error("taken");
  const endings: [name: string, run: (all: AsyncGenerator<number>) => Promise<unknown>][] = [
    ["break", async (all) => void (await all.next(), await all.return(undefined))],
    ["throw", async (all) => assert.rejects(all.throw(failed), failed)],
    ["await using", async (all) => all[Symbol.asyncDispose]()],
  ];
  for (const [name, run] of endings) {
    let [taken, left] = [0, 0];
    const all = each(
      () => taken++,
      () => left++,
    );
    await run(all);
    const before = taken;
    assert.deepEqual([await all.next(), taken, left], [DONE, before, 1], name);
  }
  for (const fails of [() => Promise.reject(failed), () => assert.fail(failed)]) {
    let left = 0;
    const all = each(fails, () => left++);
    await assert.rejects(all.next(), failed);
    assert.deepEqual([await all.next(), left], [DONE, 1]);
  }
});

test("a loop over frames that are there makes no timer for them, and waits at no doorbell", async (t) => {
  const stream = streamOf(createDomain(t), 2);
  const timers = countCalls(t, globalThis, "setTimeout");
  // eslint-disable-next-line no-restricted-globals -- it only counts what the substrate calls
  const bells = countCalls(t, globalThis.Atomics, "waitAsync");
  const begin = performance.now();
  let frames = 0;
  const publish = (): void => void stream.loanSync()!.publish();
  const consumer = stream.frames();
  publish();
  for await (using _frame of consumer) {
    if (++frames === 1000) break;
    publish();
  }
  // One in each 100 ms, for all that is held.
  const most = 1 + (performance.now() - begin) / 100;
  assert.deepEqual([bells(), timers() <= most], [0, true]);
});

/** Counts the calls of a global function until the test ends. */
function countCalls<K extends string>(
  t: TestContext,
  of: Record<K, (...args: never[]) => unknown>,
  name: K,
): () => number {
  const original = of[name];
  let calls = 0;
  of[name] = (...args) => {
    calls++;
    return original.apply(of, args);
  };
  t.after(() => (of[name] = original));
  return () => calls;
}
