/**
 * Area F of the conformance cases: reservations. Those on their queries and copies are in reservation-queries.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUFFER_SLOTS, claimBuffer } from "../../src/buffer/buffer-slot.js";
import { createFenceArray } from "../../src/fence/fence-array.js";
import { isSameFence } from "../../src/fence/fence.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import { USAGES, usageFor } from "../../src/reservation/usage.js";
import { addFence, LINE_KINDS, makeLine, places, type Line } from "./reservation-support.js";
import { assertWarnedOnce, makeFence, makeReservation, testAgent, type TestAgent } from "./support.js";
import { reservationAt } from "../reservation-at.js";

for (const usage of USAGES) {
  test(`RSV-01 a reservation can be made, locked, opened and dropped (${usage})`, () => {
    const agent = testAgent();
    const key = claimBuffer(agent, { size: 4096, name: "", exporterName: "" });
    const reservation = reservationAt(agent, key.slot);
    const lock = reservation.lockSync();
    assert.equal(reservation.isLocked, true);
    assert.deepEqual([...reservation.lockedFences(usage)], []);
    lock[Symbol.dispose]();
    assert.equal(reservation.isLocked, false);
    BUFFER_SLOTS.dropReference(agent, key.slot);
    assert.equal(BUFFER_SLOTS.isLive(agent, key), false);
    assert.deepEqual(agent.takeWarnings(), []);
  });

  test(`RSV-02 a usage is not signaled until its fence is (${usage})`, () => {
    const agent = testAgent();
    const reservation = makeReservation(agent);
    const fence = makeFence(agent, "timeline");
    addFence(reservation, fence, usage);
    assert.equal(reservation.testSignaled(usage), false);
    fence.signal();
    assert.equal(reservation.testSignaled(usage), true);
  });

  test(`RSV-03 an iteration under the lock finds the one fence with its usage (${usage})`, () => {
    const agent = testAgent();
    const reservation = makeReservation(agent);
    const fence = makeFence(agent, "timeline");
    addFence(reservation, fence, usage);
    using _lock = reservation.lockSync();
    const found = [...reservation.lockedFences(usage)];
    assert.equal(found.length, 1);
    assert.equal(isSameFence(found[0]!.fence, fence), true);
    assert.equal(found[0]!.usage, usage);
  });

  test(`RSV-04 a query without the lock finds the one fence (${usage})`, () => {
    const agent = testAgent();
    const reservation = makeReservation(agent);
    const fence = makeFence(agent, "timeline");
    addFence(reservation, fence, usage);
    const found = reservation.getFences(usage);
    assert.equal(found.length, 1);
    assert.equal(isSameFence(found[0]!, fence), true);
  });
}

test("RSV-07 a writer waits for readers and writers, a reader for writers", () => {
  assert.equal(usageFor("write"), "read");
  assert.equal(usageFor("read"), "write");
});

/** Registers a fact about the fences of timelines, and of contexts whose fences are published one by one. */
function fact(name: string, body: (reservation: Reservation, line: () => Line, agent: TestAgent) => void): void {
  for (const kind of LINE_KINDS) {
    test(`${name} (${kind} fences)`, () => {
      const agent = testAgent();
      body(makeReservation(agent), () => makeLine(agent, kind), agent);
      assert.deepEqual(agent.takeWarnings(), []);
    });
  }
}

fact("RSV-08 a later fence takes the place of an earlier one of its context", (reservation, makeLine) => {
  const [first, second] = makeLine().fences(2);
  addFence(reservation, first!, "write");
  addFence(reservation, second!, "write");
  assert.deepEqual(places(reservation), [[second!.context, 2, "write"]]);
});

fact("RSV-09 a later fence with a stronger usage takes the place of an earlier one", (reservation, makeLine) => {
  const [first, second] = makeLine().fences(2);
  addFence(reservation, first!, "read");
  addFence(reservation, second!, "write");
  assert.deepEqual(places(reservation), [[second!.context, 2, "write"]]);
});

fact("RSV-10 a later fence with a weaker usage leaves the earlier one where it is", (reservation, makeLine) => {
  const [first, second] = makeLine().fences(2);
  addFence(reservation, first!, "write");
  addFence(reservation, second!, "read");
  const { context } = first!;
  assert.deepEqual(places(reservation), [
    [context, 1, "write"],
    [context, 2, "read"],
  ]);
});

fact("RSV-11 an earlier fence does not take the place of a later one", (reservation, makeLine) => {
  const [first, second] = makeLine().fences(2);
  addFence(reservation, second!, "read");
  addFence(reservation, first!, "read");
  const { context } = first!;
  assert.deepEqual(places(reservation), [
    [context, 2, "read"],
    [context, 1, "read"],
  ]);
});

fact("RSV-12 a fence that is added again with a stronger usage is there once", (reservation, makeLine) => {
  const [fence] = makeLine().fences(1);
  addFence(reservation, fence!, "bookkeep");
  addFence(reservation, fence!, "read");
  assert.deepEqual(places(reservation), [[fence!.context, 1, "read"]]);
});

fact("RSV-13 a fence takes the place of a signaled one of any context", (reservation, makeLine) => {
  const [[signaled], [pending], [added]] = [makeLine().fences(1), makeLine().fences(1), makeLine().fences(1)];
  addFence(reservation, signaled!, "kernel");
  addFence(reservation, pending!, "read");
  signaled!.signal();
  addFence(reservation, added!, "write");
  assert.deepEqual(places(reservation), [
    [added!.context, 1, "write"],
    [pending!.context, 1, "read"],
  ]);
});

fact("RSV-14 a fence cannot be added without a reserved place", (reservation, makeLine) => {
  const [fence] = makeLine().fences(1);
  using _lock = reservation.lockSync();
  assert.throws(() => reservation.addFence(fence!, "read"), RangeError);
  assert.deepEqual([...reservation.lockedFences()], []);
});

fact("RSV-15 a reserved place is gone when the lock opens (reservation.2)", (reservation, makeLine) => {
  const [present] = makeLine().fences(1);
  const [fence] = makeLine().fences(1);
  addFence(reservation, present!, "read");
  {
    using _lock = reservation.lockSync();
    reservation.reserveFences(1);
  }
  {
    using _lock = reservation.lockSync();
    assert.throws(() => reservation.addFence(fence!, "read"), RangeError);
  }
  assert.deepEqual(places(reservation), [[present!.context, 1, "read"]]);
});

fact("RSV-16 a reservation grows by what is reserved, and keeps every fence once", (reservation, makeLine) => {
  const fences = Array.from({ length: 5 }, () => makeLine().fences(1)[0]!);
  {
    using _lock = reservation.lockSync();
    reservation.reserveFences(4);
    for (const fence of fences.slice(0, 4)) reservation.addFence(fence, "read");
  }
  {
    using _lock = reservation.lockSync();
    reservation.reserveFences(1);
    reservation.addFence(fences[4]!, "read");
  }
  assert.deepEqual(
    places(reservation),
    fences.map(({ context }) => [context, 1, "read"]),
  );
  assert.equal(reservation.getFences("read").length, 5);
});

fact("RSV-17 a replacement takes the places of all fences of a context", (reservation, makeLine) => {
  const [first, second] = makeLine().fences(2);
  const [other] = makeLine().fences(1);
  const [replacement] = makeLine().fences(1);
  addFence(reservation, first!, "write");
  addFence(reservation, other!, "read");
  addFence(reservation, second!, "read");
  {
    using _lock = reservation.lockSync();
    reservation.replaceFences(first!.context, replacement!, "write");
  }
  assert.deepEqual(places(reservation), [
    [replacement!.context, 1, "write"],
    [other!.context, 1, "read"],
    [replacement!.context, 1, "write"],
  ]);
});

test("RSV-24 a container that is added to a reservation is reported", () => {
  const agent = testAgent();
  const array = createFenceArray(agent, [makeFence(agent, "timeline")]);
  addFence(makeReservation(agent), array, "read");
  assertWarnedOnce(agent, /takes plain fences/);
});
