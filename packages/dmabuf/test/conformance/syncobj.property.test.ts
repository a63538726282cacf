/** Syncobjs that are used as timelines, by one agent or by several, against a plain list, over random histories. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Domain, Fence, Syncobj } from "../../src/index.js";
import { createDomain, joinDomain, until } from "../agents.js";
import { ChainModel } from "./chain-model.js";
import { isDone, isMissing, pendingFence } from "./syncobjs.js";

const HIGHEST_POINT = 9;

/** What one of the agents does. */
interface Step {
  readonly by: number;
  readonly what:
    /** Adds a pending or a signaled point. */
    | { readonly add: number; readonly signaled: boolean }
    | { readonly signal: number }
    /** Begins anew: with no fence, or with a plain one. */
    | { readonly begin: "empty" | "plain" }
    /** Knows nothing any more of what it has seen. */
    | "reopen";
}

const steps = fc.array(
  fc.record({
    by: fc.nat(2),
    what: fc.oneof(
      { weight: 6, arbitrary: fc.record({ add: fc.nat(HIGHEST_POINT), signaled: fc.boolean() }) },
      { weight: 6, arbitrary: fc.record({ signal: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.record({ begin: fc.constantFrom("empty", "plain") }) },
      { weight: 1, arbitrary: fc.constant("reopen") },
    ),
  }),
  { maxLength: 30 },
) satisfies fc.Arbitrary<Step[]>;

/** Events that were asked for, and what they depend on. */
interface Listener {
  runs: number;
  readonly due: () => boolean;
}

class History {
  readonly #domains: readonly Domain[];
  /** The syncobj, in each of the agents. */
  readonly #views: Syncobj[];
  #model = new ChainModel();
  /** The plain fence, if there is one, then one for each link. */
  #fences: (Fence | undefined)[] = [undefined];
  readonly #listeners: Listener[] = [];

  /** @param domains The agents. With several, the syncobj is common to them from the start. */
  constructor(domains: readonly Domain[]) {
    this.#domains = domains;
    const first = domains[0]!.createSyncobj();
    this.#views = [first, ...domains.slice(1).map((domain) => domain.import(structuredClone(first.handle())))];
    this.#begin(0, "empty");
  }

  do({ by, what }: Step): void {
    const agent = by % this.#domains.length;
    if (what === "reopen") this.#reopen(agent);
    else if ("begin" in what) this.#begin(agent, what.begin);
    else if ("add" in what) this.#add(agent, what.add, what.signaled);
    else this.#signal(what.signal % this.#fences.length);
  }

  /** All agents see the same, at once. */
  check(): void {
    for (const view of this.#views) this.#checkView(view);
  }

  /** Whether each event that is due has run, and not twice; no other may have run. */
  get haveDueEventsRun(): boolean {
    for (const { runs, due } of this.#listeners) assert.ok(runs <= (due() ? 1 : 0));
    return this.#listeners.every(({ runs, due }) => runs === (due() ? 1 : 0));
  }

  close(): void {
    for (const view of this.#views) view.close();
  }

  #checkView(syncobj: Syncobj): void {
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
  }

  #reopen(agent: number): void {
    const old = this.#views[agent]!;
    this.#views[agent] = this.#domains[agent]!.import(structuredClone(old.handle()));
    old.close();
  }

  #begin(agent: number, how: "empty" | "plain"): void {
    const plain = how === "plain" ? pendingFence(this.#domains[agent]!) : undefined;
    this.#views[agent]!.replaceFence(plain);
    this.#model = new ChainModel();
    this.#model.signaled[0] = plain === undefined;
    this.#fences = [plain];
  }

  #add(agent: number, point: number, signaled: boolean): void {
    const syncobj = this.#views[agent]!;
    const fence = signaled ? undefined : pendingFence(this.#domains[agent]!);
    if (fence === undefined) syncobj.signalPoint(point);
    else syncobj.addPoint(point, fence);
    const model = this.#model;
    model.add(point);
    const link = model.links.length - 1;
    model.signaled[link + 1] = signaled;
    this.#fences.push(fence);
    // The event of a point belongs to what is there now, whatever comes later.
    const listener: Listener = { runs: 0, due: () => model.isSignaled(link) };
    syncobj.onPoint(model.links[link]!.seqno, () => listener.runs++);
    this.#listeners.push(listener);
  }

  #signal(index: number): void {
    this.#fences[index]?.signal();
    this.#model.signaled[index] = true;
  }
}

test("a timeline of a syncobj is what a plain list of its points says", { timeout: 60_000 }, (t) => {
  const domain = createDomain(t);
  fc.assert(
    fc.property(steps, (steps) => {
      const history = new History([domain]);
      for (const step of steps) {
        if (step.what === "reopen") continue;
        history.do(step);
        history.check();
        assert.ok(history.haveDueEventsRun);
      }
    }),
    { numRuns: 150 },
  );
});

test("a timeline that several agents use is the same list to each of them", { timeout: 60_000 }, async (t) => {
  const domain = createDomain(t, { oneShots: 8192, syncobjs: 4 });
  const domains = [domain, joinDomain(t, domain, "one"), joinDomain(t, domain, "other")];
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const history = new History(domains);
      for (const step of steps) {
        history.do(step);
        history.check();
      }
      // An agent hears from the others in its event loop.
      await until(() => history.haveDueEventsRun);
      history.close();
    }),
    { numRuns: 100 },
  );
});
