/** Area B of the conformance cases: fence arrays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FenceArray } from "../../src/fence/fence-array.js";
import { createFenceArray } from "../../src/fence/fence-array.js";
import { createFenceChain } from "../../src/fence/fence-chain.js";
import { importFence } from "../../src/fence/import-fence.js";
import type { Fence } from "../../src/fence/fence.js";
import { allocateContexts, createTimeline } from "../../src/fence/timeline.js";
import { BLOCKS } from "../blocking.js";
import { assertWarnedOnce, FENCE_KINDS, makeFence, opsFence, testAgent, type TestAgent } from "./support.js";

const EIO = -5;

/** Registers a fact about arrays of three members of each kind. Nothing may be reported while it runs. */
function fact(name: string, body: (members: Fence[], agent: TestAgent) => void): void {
  for (const kind of FENCE_KINDS) {
    test(`${name} (${kind} members)`, () => {
      const agent = testAgent();
      body([makeFence(agent, kind), makeFence(agent, kind), makeFence(agent, kind)], agent);
      assert.deepEqual(agent.takeWarnings(), []);
    });
  }
}

// fence-array.1
fact("ARR-01 an array of all signals with its last member, in whatever order they signal", (members, agent) => {
  const array = createFenceArray(agent, members);
  array.enableSignaling();
  for (const index of [2, 0]) {
    members[index]!.signal();
    assert.equal(array.isSignaled(), false);
  }
  members[1]!.signal();
  assert.equal(array.status, 1);
});

// fence-array.1
fact("ARR-02 an array of any signals with its first member, and leaves the others alone", (members, agent) => {
  const array = createFenceArray(agent, members, { signalOnAny: true });
  array.enableSignaling();
  assert.equal(array.isSignaled(), false);
  members[1]!.signal();
  assert.equal(array.isSignaled(), true);
  assert.deepEqual(
    members.map((member) => member.isSignaled()),
    [false, true, false],
  );
});

fact("ARR-03 an array that was never enabled is found signaled by looking", (members, agent) => {
  const all = createFenceArray(agent, members);
  const any = createFenceArray(agent, members, { signalOnAny: true });
  assert.deepEqual([all.isSignaled(), any.isSignaled()], [false, false]);
  members[2]!.signal();
  assert.deepEqual([all.isSignaled(), any.isSignaled()], [false, true]);
  for (const member of members) member.signal();
  assert.equal(all.isSignaled(), true);
});

fact("ARR-04 an array fails as the first member that was seen to fail (fence-array.2)", (members, agent) => {
  const array = createFenceArray(agent, members);
  array.enableSignaling();
  members[1]!.setError("EIO");
  members[1]!.signal();
  assert.equal(array.status, 0);
  members[0]!.setError("ENODEV");
  members[0]!.signal();
  members[2]!.signal();
  assert.equal(array.status, EIO);
});

fact("ARR-04 an array of any has the result of the member that decided it", (members, agent) => {
  const [good, bad] = [0, 1].map(() => createFenceArray(agent, members.slice(1), { signalOnAny: true }));
  good!.enableSignaling();
  members[1]!.signal();
  members[2]!.setError("EIO");
  members[2]!.signal();
  assert.equal(good!.status, 1);
  assert.equal(bad!.status, 1);
});

fact("ARR-04 a member's error is seen too when the array is found signaled by looking", (members, agent) => {
  const array = createFenceArray(agent, members);
  members[1]!.setError("EIO");
  for (const member of members) member.signal();
  assert.equal(array.status, EIO);
});

fact("ARR-05 an array of signaled members refuses a callback", (members, agent) => {
  for (const member of members) member.signal();
  const array = createFenceArray(agent, members);
  assert.equal(array.addCallback(() => assert.fail("never runs")).queued, false);
  assert.equal(array.isSignaled(), true);
});

fact("ARR-05 members that have signaled count at once when the array is enabled", (members, agent) => {
  members[0]!.signal();
  members[2]!.signal();
  const array = createFenceArray(agent, members);
  let runs = 0;
  assert.equal(array.addCallback(() => (runs += 1)).queued, true);
  members[1]!.signal();
  assert.equal(runs, 1);
});

test("ARR-06 an array has the names of an array", () => {
  const agent = testAgent();
  const array = createFenceArray(agent, [opsFence(agent)]);
  assert.deepEqual([array.driverName, array.timelineName], ["dma_fence_array", "unbound"]);
});

test("ARR-06 an array's numbers compare as signed differences of 32 bits", () => {
  const agent = testAgent();
  const context = allocateContexts(agent, 1);
  const [after, before] = [1, 0xffff_ffff].map((seqno) =>
    createFenceArray(agent, [opsFence(agent)], { context, seqno }),
  );
  assert.equal(after!.isLater(before!), true);
});

test("ARR-07 a member that is an array or a chain is reported (fence-array.3)", () => {
  const agent = testAgent();
  const inner = createFenceArray(agent, [opsFence(agent)]);
  void createFenceArray(agent, [opsFence(agent), inner]);
  assertWarnedOnce(agent, /unwrap its containers/);
  void createFenceArray(agent, [createFenceChain(undefined, opsFence(agent), 1)]);
  assertWarnedOnce(agent, /unwrap its containers/);
});

test("ARR-07 an array of nothing is reported, and signaled from the start", () => {
  for (const signalOnAny of [false, true]) {
    const agent = testAgent();
    const array = createFenceArray(agent, [], { signalOnAny });
    assertWarnedOnce(agent, /at least one fence/);
    assert.equal(array.addCallback(() => {}).queued, false);
    assert.equal(array.status, 1);
  }
});

test("ARR-08 an array matches a context if all of its members do", () => {
  const agent = testAgent();
  const [seven, eight] = [allocateContexts(agent, 1), allocateContexts(agent, 1)];
  const fence = (context: number, seqno: number): Fence => opsFence(agent, {}, context, seqno);
  assert.equal(createFenceArray(agent, [fence(seven, 1), fence(seven, 2)]).matchContext(seven), true);
  assert.equal(createFenceArray(agent, [fence(seven, 1), fence(eight, 2)]).matchContext(seven), false);
});

fact("ARR-09 an array that was dropped is told of no member any more", (members, agent) => {
  const array = createFenceArray(agent, members, { signalOnAny: true });
  array.enableSignaling();
  array[Symbol.dispose]();
  members[0]!.signal();
  assert.deepEqual(agent.takeWarnings(), []);
});

fact("ARR-09 an array of any completes once, however many members signal", (members, agent) => {
  const array = createFenceArray(agent, members, { signalOnAny: true });
  let runs = 0;
  array.addCallback(() => (runs += 1));
  members[2]!.signal();
  const { timestamp } = array;
  array[Symbol.dispose]();
  for (const member of members) member.signal();
  assert.equal(runs, 1);
  assert.equal(array.timestamp, timestamp);
});

test("ARR-10 a deadline reaches every pending member", () => {
  const agent = testAgent();
  const seen: string[] = [];
  const listening = (name: string): Fence =>
    opsFence(agent, { setDeadline: (_fence, deadlineNs) => void seen.push(`${name} ${deadlineNs}`) });
  const members = [listening("a"), opsFence(agent), listening("b"), listening("c")];
  const array = createFenceArray(agent, members);
  members[2]!.signal();
  array.setDeadline(1000);
  assert.deepEqual(seen, ["a 1000", "c 1000"]);
});

/** An array in one agent, whose members are the timelines of another. */
function arrayAcross(timeLimit?: number): { members: Fence[]; array: FenceArray } {
  const maker = testAgent();
  const waiter = maker.another();
  const options = timeLimit === undefined ? {} : { timeLimit };
  const members = [0, 1].map(() => createTimeline(maker, options).createFence());
  return {
    members,
    array: createFenceArray(
      waiter,
      members.map((fence) => importFence(waiter, fence.handle())),
    ),
  };
}

test("an enabled array is found signaled by looking when another agent has signaled its members", () => {
  const { members, array } = arrayAcross();
  let runs = 0;
  array.addCallback(() => (runs += 1));
  for (const member of members) member.signal();
  assert.equal(array.isSignaled(), true);
  assert.equal(runs, 1);
});

test("an array keeps the time of its first look that found it signaled", () => {
  const { members, array } = arrayAcross();
  array.enableSignaling();
  for (const member of members) member.signal();
  const { timestamp } = array;
  assert.ok(timestamp! >= members[1]!.timestamp!);
  assert.equal(array.timestamp, timestamp);
});

test("a blocking wait for an array ends members whose agent makes no progress", { ...BLOCKS, timeout: 20_000 }, () => {
  const { members, array } = arrayAcross(30);
  assert.equal(array.waitSync(), "signaled");
  assert.equal(array.error?.code, "ETIMEDOUT");
  assert.deepEqual(
    members.map((member) => member.error?.code),
    ["ETIMEDOUT", "ETIMEDOUT"],
  );
});

test("a blocking wait for an array that only this thread can signal is refused", { ...BLOCKS, timeout: 20_000 }, () => {
  const agent = testAgent();
  const other = createTimeline(agent.another()).createFence();
  const members = [opsFence(agent), importFence(agent, other.handle())];
  const refused = { code: "EDEADLK" };
  assert.throws(() => createFenceArray(agent, members).waitSync(), refused);
  const any = createFenceArray(agent, members, { signalOnAny: true });
  other.signal();
  assert.equal(any.waitSync(), "signaled");
});

test("an array is sent as its members: it signals for the receiver when they do, with their error", () => {
  const agent = testAgent();
  const members = [makeFence(agent, "local"), makeFence(agent, "timeline")];
  const receiver = agent.another();
  const sent = [false, true].map((signalOnAny) => createFenceArray(agent, members, { signalOnAny }).handle());
  const [all, any] = structuredClone(sent).map((handle) => importFence(receiver, handle));
  members[1]!.setError("EIO");
  members[1]!.signal();
  assert.deepEqual([all!.status, any!.status], [0, EIO]);
  members[0]!.signal();
  assert.equal(all!.status, EIO);
});
