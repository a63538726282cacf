import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import { AgentDeath, SteppedSubstrate, type Step, type StepKind } from "./stepped-substrate.js";

/** Eight words, stepped and bare. */
function memories(): { stepped: SteppedSubstrate; bare: ReturnType<typeof createSharedSubstrate> } {
  const bare = createSharedSubstrate(new SharedArrayBuffer(32));
  return { stepped: new SteppedSubstrate(bare), bare };
}

/** Every operation once, each with its kind. */
const OPERATIONS: Record<StepKind, (memory: SteppedSubstrate) => unknown> = {
  store: (memory) => memory.store(0, 12),
  load: (memory) => memory.load(0),
  add: (memory) => memory.add(0, 3),
  or: (memory) => memory.or(0, 16),
  and: (memory) => memory.and(0, 30),
  exchange: (memory) => memory.exchange(0, 7),
  compareExchange: (memory) => memory.compareExchange(0, 7, 8),
  store64: (memory) => memory.store64(2, 5n),
  load64: (memory) => memory.load64(2),
  exchange64: (memory) => memory.exchange64(2, 6n),
  compareExchange64: (memory) => memory.compareExchange64(2, 6n, 9n),
  park: (memory) => memory.park(0, 0, 0),
  parkAsync: (memory) => memory.parkAsync(0, 0),
  wake: (memory) => memory.wake(0),
};
const KINDS = Object.keys(OPERATIONS) as StepKind[];

test("SteppedSubstrate passes every operation on", BLOCKS, () => {
  const { stepped, bare } = memories();
  const results = KINDS.map((kind) => OPERATIONS[kind](stepped));
  assert.deepEqual(results, [undefined, 12, 12, 15, 31, 30, 7, undefined, 5n, 5n, 6n, "not-equal", undefined, 0]);
  assert.deepEqual([stepped.words, bare.load(0), bare.load64(2)], [8, 8, 9n]);
});

test("stepped-substrate.1: every operation has a number, pauses have none", BLOCKS, () => {
  const { stepped } = memories();
  stepped.begin({});
  for (const kind of KINDS) OPERATIONS[kind](stepped);
  stepped.pause();
  assert.equal(stepped.steps, KINDS.length);
  stepped.begin({});
  assert.equal(stepped.steps, 0);
});

test("stepped-substrate.1: only the kinds that are asked for are numbered", BLOCKS, () => {
  const { stepped } = memories();
  stepped.begin({ kinds: ["store", "compareExchange64"] });
  for (const kind of KINDS) OPERATIONS[kind](stepped);
  assert.equal(stepped.steps, 2);
});

test(
  "stepped-substrate.2: what happens at a step happens before it, and if it returns the operation is made",
  BLOCKS,
  () => {
    for (const [index, kind] of KINDS.entries()) {
      const { stepped, bare } = memories();
      const steps: Step[] = [];
      let seen: [number, bigint] | undefined;
      stepped.begin({
        at: index + 1,
        happen(step) {
          steps.push(step);
          seen = [bare.load(0), bare.load64(2)];
        },
      });
      for (const before of KINDS.slice(0, index)) OPERATIONS[before](stepped);
      const memory: [number, bigint] = [bare.load(0), bare.load64(2)];
      for (const from of KINDS.slice(index)) OPERATIONS[from](stepped);
      assert.deepEqual(
        steps.map((step) => [step.number, step.kind]),
        [[index + 1, kind]],
      );
      assert.deepEqual(seen, memory, kind);
      assert.deepEqual([bare.load(0), bare.load64(2)], [8, 9n]);
      assert.equal(stepped.isDead, false);
    }
  },
);

test("stepped-substrate.3: an agent that dies before a step makes neither that nor any later one", () => {
  const { stepped, bare } = memories();
  stepped.begin({ at: 2 });
  const withCleanUp = (): void => {
    try {
      stepped.store(0, 1);
      stepped.store(0, 2);
    } finally {
      stepped.store(0, 3);
    }
  };
  assert.throws(withCleanUp, AgentDeath);
  assert.ok(stepped.isDead);
  for (const kind of KINDS) assert.throws(() => OPERATIONS[kind](stepped), AgentDeath);
  assert.equal(bare.load(0), 1);
});

test("stepped-substrate.3: the dead hear no wake-up", { timeout: 10_000 }, async () => {
  const { stepped, bare } = memories();
  let heard = 0;
  const listen = (word: number): void => void stepped.parkAsync(word, 0)!.then(() => heard++);
  listen(0);
  bare.wake(0);
  while (heard === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  listen(1);
  stepped.begin({ at: 1 });
  assert.throws(() => stepped.load(0), AgentDeath);
  bare.wake(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(heard, 1);
});

test("a step can be told by its word and kind", () => {
  const { stepped } = memories();
  stepped.begin({ at: 3 });
  stepped.load(0);
  stepped.load(1);
  assert.throws(() => stepped.compareExchange64(4, 0n, 1n), /before its step 3, compareExchange64 of word 4$/);
});
