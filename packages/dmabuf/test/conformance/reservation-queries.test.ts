/** Area F of the conformance cases: what a reservation says of its fences, and waiting for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FenceArray } from "../../src/fence/fence-array.js";
import { isSameFence, type Fence } from "../../src/fence/fence.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import { USAGES, type Usage } from "../../src/reservation/usage.js";
import { BLOCKS } from "../blocking.js";
import { addFence, makeLine, places } from "./reservation-support.js";
import { makeFence, makeReservation, testAgent, type TestAgent } from "./support.js";

const PATIENT = { timeout: 10_000 };

test("RSV-05 a query finds the fences of its usage and of the stronger ones", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const added = addOfEach(agent, reservation, USAGES);
  USAGES.forEach((usage, level) => {
    const found = reservation.getFences(usage);
    assert.equal(found.length, level + 1);
    assert.ok(found.every((fence, i) => isSameFence(fence, added[i]!)));
  });
});

test("RSV-06 a pending reader is of no concern to readers, but to writers", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  addOfEach(agent, reservation, ["read"]);
  assert.equal(reservation.testSignaled("write"), true);
  assert.equal(reservation.testSignaled("read"), false);
});

test("RSV-18 a copy holds what is pending in the source, and nothing that was there before", () => {
  const agent = testAgent();
  const [source, target] = [makeReservation(agent), makeReservation(agent)];
  const [pending, signaled] = addOfEach(agent, source, ["write", "read"]);
  addOfEach(agent, target, ["kernel", "read", "bookkeep"]);
  signaled!.signal();
  {
    using _lock = target.lockSync();
    target.copyFences(source);
  }
  assert.deepEqual(places(target), [[pending!.context, 1, "write"]]);
});

test("RSV-19 the singleton of no fences is nothing, and of one the fence itself", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  assert.equal(reservation.getSingleton("read"), undefined);
  const [fence] = addOfEach(agent, reservation, ["read"]);
  assert.equal(isSameFence(reservation.getSingleton("read")!, fence!), true);
});

test("RSV-19 the singleton of several fences is an array that signals with the last", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const fences = addOfEach(agent, reservation, ["kernel", "write", "read"]);
  const array = reservation.getSingleton("read");
  assert.ok(array instanceof FenceArray);
  assert.equal(array.fences.length, 3);
  for (const fence of [fences[1]!, fences[2]!, fences[0]!]) {
    assert.equal(array.isSignaled(), false);
    fence.signal();
  }
  assert.equal(array.isSignaled(), true);
});

test("RSV-20 a wait with time limit 0 tells whether all fences have signaled", PATIENT, async () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const fences = addOfEach(agent, reservation, ["write", "read"]);
  for (const fence of fences) {
    assert.equal(await reservation.wait("read", { timeout: 0 }), "timed-out");
    assert.equal(reservation.waitSync("read", { timeout: 0 }), "timed-out");
    fence.signal();
  }
  assert.equal(await reservation.wait("read", { timeout: 0 }), "signaled");
  assert.equal(reservation.waitSync("read", { timeout: 0 }), "signaled");
});

test("RSV-20 a wait ends with the last fence, whatever the order in which they signal", PATIENT, async () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const [first, last] = addOfEach(agent, reservation, ["write", "read"]);
  const waiting = reservation.wait("read");
  last!.signal();
  assert.equal(await reservation.wait("read", { timeout: 1 }), "timed-out");
  first!.signal();
  assert.equal(await waiting, "signaled");
});

for (const wait of ["wait", "waitFinished"] as const) {
  test(`RSV-20 ${wait} ends with the fences it has begun with: new work does not keep it`, PATIENT, async () => {
    const agent = testAgent();
    const reservation = makeReservation(agent);
    const [first, second] = makeLine(agent, "timeline").fences(2) as [Fence, Fence];
    addFence(reservation, first, "read");
    const waiting = reservation[wait]("read");
    addFence(reservation, second, "read");
    first.signal();
    assert.equal(await waiting, "signaled");
    assert.equal(second.isSignaled(), false);
  });
}

test("RSV-20 a wait that blocks times out while one fence is pending", { ...PATIENT, ...BLOCKS }, () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const [first] = addOfEach(agent, reservation, ["write", "read"]);
  first!.signal();
  assert.equal(reservation.waitSync("read", { timeout: 1 }), "timed-out");
});

test("RSV-21 a wait for no fences succeeds, with a time limit and without", PATIENT, async () => {
  const reservation = makeReservation(testAgent());
  for (const timeout of [50, 0]) {
    assert.equal(await reservation.wait("read", { timeout }), "signaled");
    assert.equal(reservation.waitSync("read", { timeout }), "signaled");
  }
});

test("RSV-22 an iteration under the lock finds a signaled fence, one without it does not", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const [fence] = addOfEach(agent, reservation, ["read"]);
  fence!.signal();
  assert.deepEqual([...reservation.fences()], []);
  using _lock = reservation.lockSync();
  const found = [...reservation.lockedFences()];
  assert.equal(found.length, 1);
  assert.equal(isSameFence(found[0]!.fence, fence!), true);
});

test("RSV-23 the description has a line for each fence but the bookkeeping ones", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const [, reader] = addOfEach(agent, reservation, ["bookkeep", "read"]);
  using _lock = reservation.lockSync();
  assert.equal(reservation.describe(), `\tread fence: ${reader!.context}:1 timeline dmabuf unsignalled\n`);
});

/** Adds a pending fence of a context of its own for each of the usages. */
function addOfEach(agent: TestAgent, reservation: Reservation, usages: readonly Usage[]): Fence[] {
  return usages.map((usage) => {
    const fence = makeFence(agent, "timeline");
    addFence(reservation, fence, usage);
    return fence;
  });
}
