/** Fence chains against a plain list, over random histories. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FenceChain } from "../../src/fence/fence-chain.js";
import { createFenceChain, findSeqno } from "../../src/fence/fence-chain.js";
import { importFence } from "../../src/fence/import-fence.js";
import { isSameFence, type Fence } from "../../src/fence/fence.js";
import { unwrap } from "../../src/fence/unwrap.js";
import { ChainModel } from "./chain-model.js";
import { opsFence, testAgent, type TestAgent } from "./support.js";

const HIGHEST_POINT = 9;

type Step =
  | { readonly add: number }
  | { readonly signal: number; readonly fail: boolean }
  /** Looks at a link, which drops what it finds signaled. */
  | { readonly look: number };

const steps = fc.array(
  fc.oneof(
    fc.record({ add: fc.nat(HIGHEST_POINT) }),
    fc.record({ signal: fc.nat(30), fail: fc.boolean() }),
    fc.record({ look: fc.nat(30) }),
  ),
  { maxLength: 30 },
);

/** The chain itself, beside the model of it. */
class History {
  readonly agent: TestAgent;
  readonly model = new ChainModel();
  readonly fences: Fence[];
  readonly links: FenceChain[] = [];
  /** How often each link has called back. */
  readonly runs: number[] = [];

  constructor(agent: TestAgent) {
    this.agent = agent;
    this.fences = [opsFence(agent)];
  }

  do(step: Step, listen: boolean): void {
    if ("add" in step) this.#add(step.add, listen);
    else if ("signal" in step) this.#signal(step.signal % this.fences.length, step.fail);
    else this.links[step.look % (this.links.length || 1)]?.isSignaled();
  }

  #add(point: number, listen: boolean): void {
    const fence = opsFence(this.agent);
    const link = createFenceChain(this.links.at(-1) ?? this.fences[0], fence, point);
    const index = this.links.length;
    this.fences.push(fence);
    this.links.push(link);
    this.runs.push(0);
    this.model.add(point);
    if (listen) link.addCallback(() => (this.runs[index]! += 1));
  }

  #signal(index: number, fail: boolean): void {
    if (fail) this.fences[index]!.setError("EIO");
    this.fences[index]!.signal();
    this.model.signaled[index] = true;
  }

  element(index: number): Fence {
    return this.links[index] ?? this.fences[0]!;
  }
}

/** The sequence of contexts, numbered by their first appearance. */
function pattern(contexts: readonly number[]): number[] {
  return contexts.map((context) => contexts.indexOf(context));
}

function found(chain: Fence, point: number): Fence | "EINVAL" | undefined {
  try {
    return findSeqno(chain, point);
  } catch (error) {
    assert.equal((error as { code?: string }).code, "EINVAL");
    return "EINVAL";
  }
}

for (const listen of [false, true]) {
  test(`a chain is what a plain list of its links says (${listen ? "with" : "without"} callbacks)`, () => {
    fc.assert(
      fc.property(steps, (history) => {
        const played = new History(testAgent());
        for (const step of history) {
          played.do(step, listen);
          check(played, listen);
        }
      }),
      { numRuns: 150 },
    );
  });
}

function check(history: History, listen: boolean): void {
  const { model, links } = history;
  assert.deepEqual(pattern(links.map(({ context }) => context)), pattern(model.links.map(({ context }) => context)));
  for (const [i, link] of links.entries()) {
    const { seqno, previousSeqno } = model.links[i]!;
    assert.deepEqual([link.seqno, link.previousSeqno], [seqno, previousSeqno]);
    if (listen) assert.equal(history.runs[i], model.isSignaled(i) ? 1 : 0);
    assert.equal(link.status, model.isSignaled(i) ? 1 : 0);
    const elements = model.elements(i).map((element) => history.element(element));
    assert.deepEqual([...link.elements()], elements);
    for (let point = 0; point <= HIGHEST_POINT + 1; point++) {
      const expected = model.find(i, point);
      assert.equal(found(link, point), typeof expected === "number" ? history.element(expected) : expected);
    }
  }
}

test("a chain that was sent resolves every point as the chain itself", () => {
  const agent = testAgent({ sizes: { oneShots: 64 } });
  const receiver = agent.another();
  fc.assert(
    fc.property(steps, (steps) => {
      const history = new History(agent);
      for (const step of steps) history.do(step, false);
      const head = history.links.at(-1);
      if (head === undefined) return;
      const sent = importFence(receiver, structuredClone(head.handle()));
      // What signals after the sending, both see.
      for (let next = 0; next <= history.fences.length; next++) {
        for (let point = 0; point <= HIGHEST_POINT + 1; point++) checkAlike(found(head, point), found(sent, point));
        history.fences[next]?.signal();
      }
    }),
    { numRuns: 100 },
  );
  assert.deepEqual(receiver.takeWarnings(), []);
});

function checkAlike(here: Fence | "EINVAL" | undefined, there: Fence | "EINVAL" | undefined): void {
  if (here === undefined || here === "EINVAL" || there === undefined || there === "EINVAL") {
    assert.equal(there, here);
    return;
  }
  assert.deepEqual([there.seqno, there.isSignaled()], [here.seqno, here.isSignaled()]);
  const [mine, theirs] = [[...unwrap(here)], [...unwrap(there)]];
  assert.equal(theirs.length, mine.length);
  for (const [i, fence] of mine.entries()) assert.ok(fence.isSignaled() || isSameFence(fence, theirs[i]!));
}
