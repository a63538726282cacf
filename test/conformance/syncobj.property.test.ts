/** Syncobjs that are used as timelines against a plain list, over random histories. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Domain, type Fence, type Syncobj } from "../../src/index.js";
import { ChainModel } from "./chain-model.js";
import { isDone, isMissing, pendingFence } from "./syncobjs.js";

const HIGHEST_POINT = 9;

type Step =
  /** Adds a pending or a signaled point. */
  | { readonly add: number; readonly signaled: boolean }
  | { readonly signal: number }
  /** Begins anew: with no fence, or with a plain one. */
  | { readonly begin: "empty" | "plain" };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ add: fc.nat(HIGHEST_POINT), signaled: fc.boolean() }) },
    { weight: 6, arbitrary: fc.record({ signal: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ begin: fc.constantFrom("empty", "plain") }) },
  ),
  { maxLength: 30 },
);

/** Events that were asked for, and what they depend on. */
interface Listener {
  runs: number;
  readonly due: () => boolean;
}

class History {
  readonly domain: Domain;
  readonly syncobj: Syncobj;
  #model = new ChainModel();
  /** The plain fence, if there is one, then one for each link. */
  #fences: (Fence | undefined)[] = [undefined];
  readonly #listeners: Listener[] = [];

  constructor(domain: Domain) {
    this.domain = domain;
    this.syncobj = domain.syncobj();
    this.#begin("empty");
  }

  do(step: Step): void {
    if ("begin" in step) this.#begin(step.begin);
    else if ("add" in step) this.#add(step.add, step.signaled);
    else this.#signal(step.signal % this.#fences.length);
  }

  check(): void {
    const { syncobj } = this;
    const model = this.#model;
    const head = model.links.length - 1;
    assert.equal(syncobj.query(), head < 0 ? 0 : model.query());
    assert.equal(syncobj.query({ lastSubmitted: true }), model.links[head]?.seqno ?? 0);
    for (let point = 1; point <= HIGHEST_POINT + 1; point++) {
      const found = head < 0 ? "EINVAL" : model.find(head, point);
      assert.equal(isMissing(syncobj, point), found === "EINVAL");
      if (found !== "EINVAL") {
        assert.equal(isDone(syncobj, point), found === undefined || model.isSignaled(found));
      }
    }
    for (const { runs, due } of this.#listeners) assert.equal(runs, due() ? 1 : 0);
  }

  #begin(how: "empty" | "plain"): void {
    const plain = how === "plain" ? pendingFence(this.domain) : undefined;
    this.syncobj.replaceFence(plain);
    this.#model = new ChainModel();
    this.#model.signaled[0] = plain === undefined;
    this.#fences = [plain];
  }

  #add(point: number, signaled: boolean): void {
    const fence = signaled ? undefined : pendingFence(this.domain);
    if (fence === undefined) this.syncobj.signalPoint(point);
    else this.syncobj.addPoint(point, fence);
    const model = this.#model;
    model.add(point);
    const link = model.links.length - 1;
    model.signaled[link + 1] = signaled;
    this.#fences.push(fence);
    // The event of a point belongs to what is there now, whatever comes later.
    const listener: Listener = { runs: 0, due: () => model.isSignaled(link) };
    this.syncobj.onPoint(model.links[link]!.seqno, () => listener.runs++);
    this.#listeners.push(listener);
  }

  #signal(index: number): void {
    this.#fences[index]?.signal();
    this.#model.signaled[index] = true;
  }
}

test("a timeline of a syncobj is what a plain list of its points says", { timeout: 60_000 }, () => {
  using domain = Domain.create();
  fc.assert(
    fc.property(steps, (steps) => {
      const history = new History(domain);
      for (const step of steps) {
        history.do(step);
        history.check();
      }
    }),
    { numRuns: 150 },
  );
});
