/** Unwrapping and merging against plain lists, over random nests of containers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFenceArray } from "../../src/fence/fence-array.js";
import type { FenceChain } from "../../src/fence/fence-chain.js";
import { createFenceChain } from "../../src/fence/fence-chain.js";
import type { Fence } from "../../src/fence/fence.js";
import { mergeFences, unwrap } from "../../src/fence/unwrap.js";
import { opsFence, testAgent, type TestAgent } from "./support.js";

/** A few timelines with a few points each, so that nests meet the same fences again. */
const CONTEXTS = 4;
const POINTS = 3;

/** Leaves are numbers of fences. */
type Nest =
  | { readonly kind: "plain"; readonly leaf: number }
  | { readonly kind: "array"; readonly leaves: readonly number[] }
  | { readonly kind: "chain"; readonly links: readonly Nest[] };

const leaf = fc.nat(CONTEXTS * POINTS - 1);
const plain = fc.record({ kind: fc.constant("plain" as const), leaf });
const array = fc.record({
  kind: fc.constant("array" as const),
  leaves: fc.array(leaf, { minLength: 1, maxLength: 4 }),
});
const links = fc.array(fc.oneof(plain, array), { minLength: 1, maxLength: 5 });
const chain = fc.record({ kind: fc.constant("chain" as const), links });
const nest: fc.Arbitrary<Nest> = fc.oneof(plain, array, chain);

/** A merge of some nests at a moment when some leaves have signaled. */
const cases = fc.record({
  nests: fc.array(nest, { maxLength: 4 }),
  signaled: fc.array(fc.record({ leaf, fail: fc.boolean() }), { maxLength: 8 }),
});

class World {
  readonly agent: TestAgent = testAgent();
  readonly leaves: Fence[] = [];

  constructor() {
    for (let context = 0; context < CONTEXTS; context++) {
      for (let seqno = 1; seqno <= POINTS; seqno++) this.leaves.push(opsFence(this.agent, {}, 100 + context, seqno));
    }
  }

  build(nest: Nest): Fence {
    switch (nest.kind) {
      case "plain":
        return this.leaves[nest.leaf]!;
      case "array":
        return createFenceArray(
          this.agent,
          nest.leaves.map((leaf) => this.leaves[leaf]!),
        );
      case "chain":
        return nest.links.reduce<FenceChain | undefined>(
          (chain, link, i) => createFenceChain(chain, this.build(link), i + 1),
          undefined,
        )!;
    }
  }

  isPending(leaf: number): boolean {
    return !this.leaves[leaf]!.isSignaled();
  }

  /** What a nest holds, as the rules say: of a chain, links that have signaled are gone, except the newest. */
  held(nest: Nest): number[] {
    if (nest.kind === "plain") return [nest.leaf];
    if (nest.kind === "array") return [...nest.leaves];
    const newestFirst = nest.links.map((link) => this.held(link)).reverse();
    return newestFirst.filter((leaves, i) => i === 0 || leaves.some((leaf) => this.isPending(leaf))).flat();
  }
}

test("unwrapping gives what plain lists say, and merging the newest pending fence of each context", () => {
  fc.assert(
    fc.property(cases, ({ nests, signaled }) => {
      const world = new World();
      const { agent, leaves } = world;
      const fences = nests.map((nest) => world.build(nest));
      for (const [i, { leaf, fail }] of signaled.entries()) {
        if (fail && world.isPending(leaf)) leaves[leaf]!.setError("EIO");
        leaves[leaf]!.signal((i + 1) * 1000);
      }
      const held = nests.map((nest) => world.held(nest));
      for (const [i, fence] of fences.entries()) {
        assert.deepEqual(
          [...unwrap(fence)],
          held[i]!.map((leaf) => leaves[leaf]!),
        );
      }

      const newest = new Map<number, number>();
      for (const leaf of held.flat().filter((leaf) => world.isPending(leaf))) {
        const context = Math.floor(leaf / POINTS);
        newest.set(context, Math.max(leaf, newest.get(context) ?? 0));
      }
      const expected = [...newest.values()].sort((a, b) => a - b).map((leaf) => leaves[leaf]!);
      const merged = mergeFences(agent, fences);
      if (expected.length === 0) {
        const times = held.flat().map((leaf) => leaves[leaf]!.timestamp!);
        assert.deepEqual([merged.status, merged.timestamp, merged.context], [1, Math.max(0, ...times), 0]);
        return;
      }
      assert.deepEqual([...unwrap(merged)], expected);
      if (expected.length === 1) assert.equal(merged, expected[0]);
      for (const fence of expected) {
        assert.equal(merged.isSignaled(), false);
        fence.signal();
      }
      assert.equal(merged.isSignaled(), true);
      assert.deepEqual(agent.takeWarnings(), []);
    }),
    { numRuns: 500 },
  );
});
