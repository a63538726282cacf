/** Fence chains against a plain list, over random histories. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FenceChain, findSeqno } from "../../src/fence/fence-chain.js";
import { fenceHandle, importFence } from "../../src/fence/fence-handle.js";
import { isSameFence, type Fence } from "../../src/fence/fence.js";
import { unwrap } from "../../src/fence/unwrap.js";
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

/** A link as the rules describe it: the list it stands in is its chain, oldest first. */
interface ModelLink {
  readonly context: number;
  readonly seqno: number;
  readonly previousSeqno: number;
}

class Model {
  readonly links: ModelLink[] = [];
  /** Which fences have signaled: the plain one before all links, then one for each link. */
  readonly signaled = [false];

  add(point: number): void {
    const last = this.links.at(-1);
    const continues = last !== undefined && point > last.seqno;
    this.links.push({
      context: continues ? last.context : this.links.length,
      seqno: continues ? point : Math.max(point, last?.seqno ?? 0),
      previousSeqno: continues ? last.seqno : 0,
    });
    this.signaled.push(false);
  }

  isSignaled(link: number): boolean {
    return this.signaled.slice(0, link + 2).every(Boolean);
  }

  /** A link and what is pending before it, newest first; -1 is the plain fence. */
  elements(link: number): number[] {
    const before = Array.from({ length: link + 1 }, (_, i) => link - 1 - i);
    return [link, ...before.filter((element) => !this.signaled[element + 1])];
  }

  find(link: number, point: number): number | "EINVAL" | undefined {
    const head = this.links[link]!;
    if (point === 0) return link;
    if (head.seqno < point) return "EINVAL";
    return this.elements(link).find((element) => {
      const found = this.links[element];
      return found?.context !== head.context || found.previousSeqno < point;
    });
  }
}

/** The chain itself, beside the model of it. */
class History {
  readonly agent: TestAgent;
  readonly model = new Model();
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
    const link = new FenceChain(this.links.at(-1) ?? this.fences[0], fence, point);
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
      const sent = importFence(receiver, structuredClone(fenceHandle(head)));
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
