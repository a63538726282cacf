import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { addFence, LINE_KINDS, makeLine, places } from "../../test/conformance/reservation-support.js";
import { makeFence, makeReservation, testAgent } from "../../test/conformance/support.js";
import { claimBuffer } from "../buffer/buffer-slot.js";
import type { Fence } from "../fence/fence.js";
import type { Usage } from "./usage.js";
import { reservationAt } from "../../test/reservation-at.js";
import { makeAcquireContext } from "./acquire-context.js";
import { userOf } from "./reservation.js";

const PATIENT = { timeout: 10_000 };

/** The numbers of the contexts, to tell fences apart. */
function contexts(fences: Iterable<{ readonly context: number }>): number[] {
  return [...fences].map(({ context }) => context);
}

for (const kind of LINE_KINDS) {
  // reservation.1
  test(`a full reservation refuses with ENOMEM, names the option, and loses no fence (${kind} fences)`, () => {
    const agent = testAgent({ sizes: { agents: 2 } });
    const reservation = makeReservation(agent);
    const fences = [1, 2, 3, 4].map(() => makeLine(agent, kind).fences(1)[0]!);
    for (const fence of fences) addFence(reservation, fence, "read");
    {
      using _lock = reservation.lockSync();
      assert.throws(() => reservation.reserveFences(1), { code: "ENOMEM", message: /4 of 4 .*\(option "agents"\)/ });
      assert.deepEqual(contexts([...reservation.lockedFences()].map(({ fence }) => fence)), contexts(fences));
    }
    assert.deepEqual(contexts(reservation.getFences("read")), contexts(fences));
  });
}

test("more than there will ever be room for is refused too, and changes nothing", () => {
  const agent = testAgent({ sizes: { agents: 2 } });
  const reservation = makeReservation(agent);
  using _lock = reservation.lockSync();
  assert.throws(() => reservation.reserveFences(5), { code: "ENOMEM" });
  reservation.reserveFences(4);
});

test("a full reservation gives the places of signaled fences to new ones, and keeps the pending ones", () => {
  const agent = testAgent({ sizes: { agents: 2 } });
  const reservation = makeReservation(agent);
  const fences = [1, 2, 3, 4].map(() => makeFence(agent, "timeline"));
  for (const fence of fences) addFence(reservation, fence, "read");
  fences[0]!.signal();
  fences[2]!.signal();
  const added = [makeFence(agent, "timeline"), makeFence(agent, "timeline")];
  {
    using _lock = reservation.lockSync();
    reservation.reserveFences(2);
    assert.throws(() => reservation.reserveFences(3), { code: "ENOMEM" });
    for (const fence of added) reservation.addFence(fence, "write");
  }
  const expected = [fences[1]!, fences[3]!, ...added];
  assert.deepEqual(contexts(reservation.getFences("read")), contexts(expected));
});

test("room for less than one fence cannot be reserved", () => {
  const reservation = makeReservation(testAgent());
  using _lock = reservation.lockSync();
  for (const count of [0, -1, 1.5, NaN]) {
    assert.throws(() => reservation.reserveFences(count), { code: "EINVAL" }, String(count));
  }
});

test("what needs the lock is refused without it (reservation.1)", () => {
  const agent = testAgent();
  const [reservation, source] = [makeReservation(agent), makeReservation(agent)];
  const fence = makeFence(agent, "timeline");
  const actions: Record<string, () => unknown> = {
    reserve: () => reservation.reserveFences(1),
    add: () => reservation.addFence(fence, "read"),
    replace: () => reservation.replaceFences(fence.context, fence, "read"),
    copy: () => reservation.copyFences(source),
    iterate: () => [...reservation.lockedFences()],
  };
  for (const [what, action] of Object.entries(actions)) assert.throws(action, { code: "EPERM" }, what);
  // Another agent's lock is not this one's.
  const other = reservationAt(agent.another(), 0);
  using _lock = other.lockSync();
  for (const [what, action] of Object.entries(actions)) assert.throws(action, { code: "EPERM" }, what);
});

test("an unknown usage is refused, and nothing is added", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  {
    using _lock = reservation.lockSync();
    reservation.reserveFences(1);
    const add = (): void => reservation.addFence(makeFence(agent, "timeline"), "exclusive" as Usage);
    assert.throws(add, /^TypeError: .*usage must be "kernel", "write", "read" or "bookkeep", not "exclusive"$/);
  }
  assert.deepEqual(places(reservation), []);
});

test("an iteration without the lock begins again when another agent adds a fence, and says so", () => {
  const agent = testAgent();
  const { slot } = claimBuffer(agent, { size: 4096, name: "", exporterName: "" });
  const [mine, theirs] = [reservationAt(agent, slot), reservationAt(agent.another(), slot)];
  const first = [makeFence(agent, "timeline"), makeFence(agent, "timeline")];
  for (const fence of first) addFence(mine, fence, "read");
  const overdue = makeFence(userOf(theirs).agent, "timeline");
  const seen: [context: number, restarted: boolean][] = [];
  for (const { fence, restarted } of mine.fences("read")) {
    seen.push([fence.context, restarted]);
    if (seen.length === 2) addFence(theirs, overdue, "write");
  }
  const [one, two] = contexts(first);
  assert.deepEqual(seen, [
    [one, true],
    [two, false],
    [one, true],
    [two, false],
    [overdue.context, false],
  ]);
});

test("an iteration without disturbance says only once that it begins", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  for (let i = 0; i < 3; i++) addFence(reservation, makeFence(agent, "timeline"), "read");
  const restarted = [...reservation.fences("read")].map((item) => item.restarted);
  assert.deepEqual(restarted, [true, false, false]);
});

test("an iteration that passes over signaled and weaker fences still says that it begins", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const fences = ["read", "bookkeep", "write"].map((usage) => {
    const fence = makeFence(agent, "timeline");
    addFence(reservation, fence, usage as Usage);
    return fence;
  });
  fences[0]!.signal();
  const seen = [...reservation.fences("read")].map(({ fence, usage, restarted }) => [fence.context, usage, restarted]);
  assert.deepEqual(seen, [[fences[2]!.context, "write", true]]);
});

test("a copy of a reservation without pending fences empties the other", () => {
  const agent = testAgent();
  const [source, target] = [makeReservation(agent), makeReservation(agent)];
  const done = makeFence(agent, "timeline");
  addFence(source, done, "write");
  done.signal();
  addFence(target, makeFence(agent, "timeline"), "read");
  {
    using _lock = target.lockSync();
    target.copyFences(source);
  }
  assert.deepEqual(places(target), []);
});

test("a copy keeps the usages, shows at once, and leaves the source as it is", () => {
  const agent = testAgent();
  const { slot } = claimBuffer(agent, { size: 4096, name: "", exporterName: "" });
  const [source, target] = [makeReservation(agent), reservationAt(agent, slot)];
  for (const usage of ["kernel", "bookkeep", "read"] as const) addFence(source, makeFence(agent, "timeline"), usage);
  const before = places(source);
  const reader = reservationAt(agent.another(), slot);
  using _lock = target.lockSync();
  target.copyFences(source);
  assert.equal(reader.getFences("bookkeep").length, 3);
  assert.deepEqual(places(source), before);
  assert.deepEqual(
    [...target.lockedFences()].map(({ usage }) => usage),
    ["kernel", "bookkeep", "read"],
  );
});

test("a replacement of a context that is not there changes nothing", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  addFence(reservation, makeFence(agent, "timeline"), "read");
  const before = places(reservation);
  {
    using _lock = reservation.lockSync();
    reservation.replaceFences(999, makeFence(agent, "timeline"), "write");
  }
  assert.deepEqual(places(reservation), before);
});

test("the description has a line for each pending fence, with its usage", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  assert.equal(reservation.describe(), "");
  const fences: Fence[] = ["kernel", "write", "read"].map((usage) => {
    const fence = makeFence(agent, "timeline");
    addFence(reservation, fence, usage as Usage);
    return fence;
  });
  const lines = ["kernel", "write", "read"].map((usage, i) => `\t${usage} fence: ${fences[i]!.describe()}\n`);
  assert.equal(reservation.describe(), lines.join(""));
});

test("a wait with a negative timeout is refused with EINVAL, whether fences are pending or not", PATIENT, async () => {
  const agent = testAgent();
  const [idle, busy] = [makeReservation(agent), makeReservation(agent)];
  addFence(busy, makeFence(agent, "timeline"), "read");
  for (const reservation of [idle, busy]) {
    for (const timeout of [-1, NaN]) {
      await assert.rejects(reservation.wait("read", { timeout }), { code: "EINVAL" });
      assert.throws(() => reservation.waitSync("read", { timeout }), { code: "EINVAL" });
    }
  }
});

test("a wait that is aborted rejects with the reason", PATIENT, async () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  addFence(reservation, makeFence(agent, "timeline"), "read");
  const abort = new AbortController();
  const waiting = reservation.wait("read", { signal: abort.signal });
  abort.abort("enough");
  await assert.rejects(waiting, (reason) => reason === "enough");
});

test("a wait sees a fence that another agent adds while it goes on", PATIENT, async () => {
  const agent = testAgent();
  const { slot } = claimBuffer(agent, { size: 4096, name: "", exporterName: "" });
  const [mine, theirs] = [reservationAt(agent, slot), reservationAt(agent.another(), slot)];
  const [first, second] = [makeFence(agent, "timeline"), makeFence(userOf(theirs).agent, "timeline")];
  addFence(mine, first, "read");
  const waiting = mine.wait("read");
  addFence(theirs, second, "read");
  first.signal();
  assert.equal(await mine.wait("read", { timeout: 1 }), "timed-out");
  second.signal();
  assert.equal(await waiting, "signaled");
});

test("a wait may be made with the lock held", PATIENT, async () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const fence = makeFence(agent, "timeline");
  using _lock = reservation.lockSync();
  reservation.reserveFences(1);
  reservation.addFence(fence, "read");
  const waiting = reservation.wait("read");
  fence.signal();
  assert.equal(await waiting, "signaled");
});

test("a thread does not block without a limit for a reservation that it holds itself", BLOCKS, () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  using _lock = reservation.lockSync();
  assert.throws(() => reservation.lockSync(), { code: "EDEADLK" });
  assert.equal(reservation.isHeldHere, true);
});

test("a lock that is disposed twice opens once", () => {
  const agent = testAgent();
  const { slot } = claimBuffer(agent, { size: 4096, name: "", exporterName: "" });
  const [mine, theirs] = [reservationAt(agent, slot), reservationAt(agent.another(), slot)];
  const lock = mine.lockSync();
  lock[Symbol.dispose]();
  using _theirs = theirs.lockSync();
  lock[Symbol.dispose]();
  assert.equal(mine.isLocked, true);
  assert.equal(mine.isHeldHere, false);
});

test("the context that holds a lock is known in its agent while it does", () => {
  const agent = testAgent();
  const reservation = makeReservation(agent);
  const context = makeAcquireContext(agent);
  const lock = reservation.lockSync(context);
  assert.equal(reservation.lockingContext, context);
  lock[Symbol.dispose]();
  assert.equal(reservation.lockingContext, undefined);
  assert.equal(context.acquired, 0);
});
