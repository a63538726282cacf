/** Area C of the conformance cases: fence chains. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FenceChain } from "../../src/fence/fence-chain.js";
import { createFenceChain, findSeqno } from "../../src/fence/fence-chain.js";
import { importFence } from "../../src/fence/import-fence.js";
import type { Fence } from "../../src/fence/fence.js";
import { allocateContexts, createTimeline } from "../../src/fence/timeline.js";
import { BLOCKS } from "../blocking.js";
import { assertWarnedOnce, FENCE_KINDS, makeFence, opsFence, testAgent, type TestAgent } from "./support.js";

const EIO = -5;

interface Chain {
  readonly fences: Fence[];
  readonly links: FenceChain[];
  readonly head: FenceChain;
}

/** A chain of `count` pending fences, each of a context of its own, at the points `step`, `2 * step`, … */
function makeChain(agent: TestAgent, count: number, step = 1): Chain {
  const first = allocateContexts(agent, count);
  const fences = Array.from({ length: count }, (_, i) => opsFence(agent, {}, first + i));
  const links: FenceChain[] = [];
  for (const [i, fence] of fences.entries()) links.push(createFenceChain(links[i - 1], fence, (i + 1) * step));
  return { fences, links, head: links.at(-1)! };
}

for (const kind of FENCE_KINDS) {
  test(`CHN-01 a link over one fence signals with it (${kind} fence)`, () => {
    const agent = testAgent();
    const fence = makeFence(agent, kind);
    const chain = createFenceChain(undefined, fence, 1);
    let runs = 0;
    chain.addCallback(() => (runs += 1));
    assert.equal(chain.isSignaled(), false);
    fence.signal();
    assert.deepEqual([chain.isSignaled(), runs], [true, 1]);
    chain[Symbol.dispose]();
    assert.deepEqual(agent.takeWarnings(), []);
  });
}

test("CHN-02 point 0 is the fence as it is", () => {
  const { head } = makeChain(testAgent(), 64);
  assert.equal(findSeqno(head, 0), head);
});

test("CHN-03 each point of a chain is found at its link", () => {
  const { head, links } = makeChain(testAgent(), 64);
  for (const link of links) assert.equal(findSeqno(head, link.seqno), link);
});

test("CHN-04 a link finds itself and those before it, and no later point", () => {
  const { links } = makeChain(testAgent(), 64);
  for (const [i, link] of links.entries()) {
    assert.equal(findSeqno(link, i + 1), link);
    assert.throws(() => findSeqno(link, i + 2), { code: "EINVAL" });
    if (i > 0) assert.equal(findSeqno(link, i), links[i - 1]);
  }
});

test("CHN-05 a point in a gap is found at the next higher link", () => {
  const { head, links } = makeChain(testAgent(), 64, 2);
  for (const [i, link] of links.entries()) {
    assert.equal(link.seqno, 2 * i + 2);
    assert.equal(findSeqno(head, 2 * i + 1), link);
    assert.equal(findSeqno(head, 2 * i + 2), link);
  }
});

test("CHN-06 links signal one after the other as their fences do", () => {
  const { fences, links } = makeChain(testAgent(), 64);
  for (const [i, fence] of fences.entries()) {
    fence.signal();
    assert.equal(links[i]!.isSignaled(), true);
    assert.equal(links[i + 1]?.isSignaled() ?? false, false);
  }
});

test("CHN-06 a link waits for all earlier fences, in whatever order they signal", () => {
  const { fences, links } = makeChain(testAgent(), 64);
  for (let i = 63; i > 0; i--) {
    fences[i]!.signal();
    assert.equal(links[i]!.isSignaled(), false);
  }
  fences[0]!.signal();
  assert.ok(links.every((link) => link.isSignaled()));
});

test("CHN-08 a plain fence has no points", () => {
  const fence = opsFence(testAgent());
  assert.throws(() => findSeqno(fence, 1), { code: "EINVAL" });
  assert.equal(findSeqno(fence, 0), fence);
});

test("CHN-09 a point beyond the end of a chain is refused", () => {
  const { head } = makeChain(testAgent(), 5);
  assert.throws(() => findSeqno(head, 6), { code: "EINVAL" });
  assert.equal(findSeqno(head, 5), head);
});

test("CHN-11 a chain copies no error: it is stored in the fence (fence-chain.4)", () => {
  const fence = opsFence(testAgent());
  const chain = createFenceChain(undefined, fence, 1);
  fence.setError("EIO");
  fence.signal();
  assert.equal(chain.status, 1);
  assert.equal(chain.fence.status, EIO);
});

test("CHN-12 a link also waits for a plain fence before it", () => {
  const agent = testAgent();
  const [before, fence] = [opsFence(agent), opsFence(agent)];
  const chain = createFenceChain(before, fence, 1);
  fence.signal();
  assert.equal(chain.isSignaled(), false);
  before.signal();
  assert.equal(chain.isSignaled(), true);
});

test("CHN-12 a link on a plain fence begins a context, whatever that fence's number is", () => {
  const agent = testAgent();
  const before = opsFence(agent, {}, allocateContexts(agent, 1), 9);
  const chain = createFenceChain(before, opsFence(agent), 3);
  assert.deepEqual([chain.seqno, chain.previousSeqno], [3, 0]);
  assert.notEqual(chain.context, before.context);
});

test("CHN-13 a link over a chain is reported (fence-chain.5)", () => {
  const agent = testAgent();
  void createFenceChain(undefined, createFenceChain(undefined, opsFence(agent), 1), 2);
  assertWarnedOnce(agent, /no chain/);
});

test("CHN-14 a chain has the names of a chain", () => {
  const { head } = makeChain(testAgent(), 2);
  assert.deepEqual([head.driverName, head.timelineName], ["dma_fence_chain", "unbound"]);
});

test("a point that is not above the last begins a context, with a number that is not lower (fence-chain.2)", () => {
  const agent = testAgent();
  const { head } = makeChain(agent, 5);
  for (const seqno of [5, 3, 0]) {
    const link = createFenceChain(head, opsFence(agent), seqno);
    assert.deepEqual([link.seqno, link.previousSeqno], [5, 0]);
    assert.notEqual(link.context, head.context);
    const next = createFenceChain(link, opsFence(agent), 6);
    assert.deepEqual([next.context, next.previousSeqno], [link.context, 5]);
    // The older timeline is waited for as a whole.
    assert.equal(findSeqno(next, 2), link);
  }
});

test("a link that has signaled is dropped by walking, and the number before the next one stays (fence-chain.3)", () => {
  const { fences, links, head } = makeChain(testAgent(), 3);
  fences[1]!.signal();
  assert.equal(head.previous(), links[0]);
  assert.equal(head.previousSeqno, 2);
  assert.deepEqual([...head.elements()], [head, links[0]]);
});

test("a point is nothing to wait for once it and all before it are gone", () => {
  const { fences, head, links } = makeChain(testAgent(), 3);
  fences[0]!.signal();
  fences[1]!.signal();
  assert.equal(findSeqno(head, 2), undefined);
  assert.equal(findSeqno(head, 3), head);
  assert.equal(findSeqno(links[1]!, 2)?.isSignaled(), true);
});

test("a deadline reaches every pending fence of a chain, and the plain one before it", () => {
  const agent = testAgent();
  const seen: number[] = [];
  const listening = (name: number): Fence => opsFence(agent, { setDeadline: () => void seen.push(name) });
  const fences = [1, 2, 3, 4].map(listening);
  let chain = createFenceChain(fences[0], fences[1]!, 1);
  chain = createFenceChain(chain, fences[2]!, 2);
  chain = createFenceChain(chain, fences[3]!, 3);
  fences[2]!.signal();
  chain.setDeadline(1000);
  assert.deepEqual(seen, [4, 2, 1]);
});

test("a chain that was dropped is told of no fence any more", () => {
  const agent = testAgent();
  const { fences, head } = makeChain(agent, 2);
  head.enableSignaling();
  head[Symbol.dispose]();
  for (const fence of fences) fence.signal();
  assert.deepEqual(agent.takeWarnings(), []);
});

test("a chain keeps the time at which it was found signaled", () => {
  const agent = testAgent();
  const fence = createTimeline(agent.another()).createFence();
  const chain = createFenceChain(undefined, importFence(agent, fence.handle()), 1);
  chain.enableSignaling();
  fence.signal();
  const { timestamp } = chain;
  assert.equal(chain.timestamp, timestamp);
});

const LONG = 100_000;

test("CHN-10 a chain of 100,000 links is walked, searched and dropped without recursion", { timeout: 60_000 }, () => {
  const agent = testAgent();
  const { fences, links, head } = makeChain(agent, LONG);
  assert.equal(findSeqno(head, 1), links[0]);
  let runs = 0;
  head.addCallback(() => (runs += 1));
  for (let i = 0; i < LONG; i += 2) fences[i]!.signal();
  assert.equal([...head.elements()].length, LONG / 2);
  for (let i = 1; i < LONG; i += 2) fences[i]!.signal();
  assert.equal(runs, 1);
  assert.equal(head.previous(), undefined);
  head[Symbol.dispose]();
});

test("CHN-10 a pending chain of 100,000 links can be dropped", { timeout: 60_000 }, () => {
  const agent = testAgent();
  const { head, fences } = makeChain(agent, LONG);
  head.enableSignaling();
  head[Symbol.dispose]();
  for (const fence of fences.toReversed()) fence.signal();
  assert.deepEqual(agent.takeWarnings(), []);
});

test(
  "a chain of 100,000 links of a timeline is sent, and awaited there link by link",
  { timeout: 60_000 },
  async () => {
    const agent = testAgent();
    const receiver = agent.another();
    const timeline = createTimeline(agent);
    let chain: FenceChain | undefined;
    for (let i = 1; i <= LONG; i++) chain = createFenceChain(chain, timeline.createFence(), i);
    const sent = importFence(receiver, structuredClone(chain!.handle()));
    const waits = [sent.wait(), findSeqno(sent, LONG / 2)!.wait()];
    timeline.signal(LONG / 2);
    assert.equal(await waits[1], "signaled");
    assert.equal(sent.isSignaled(), false);
    timeline.signal(LONG);
    assert.equal(await waits[0], "signaled");
  },
);

test("a blocking wait for a chain ends fences whose agent makes no progress", { ...BLOCKS, timeout: 20_000 }, () => {
  const maker = testAgent();
  const waiter = maker.another();
  let chain: FenceChain | undefined;
  for (let i = 1; i <= 3; i++) {
    const fence = createTimeline(maker, { timeLimit: 30 }).createFence();
    chain = createFenceChain(chain, importFence(waiter, fence.handle()), i);
  }
  assert.equal(chain!.waitSync(), "signaled");
  assert.equal(chain!.fence.error?.code, "ETIMEDOUT");
});

test("a blocking wait for a chain that only this thread can signal is refused", BLOCKS, () => {
  const { head } = makeChain(testAgent(), 3);
  assert.throws(() => head.waitSync(), { code: "EDEADLK" });
  assert.equal(head.waitSync({ timeout: 1 }), "timed-out");
});
