import assert from "node:assert/strict";
import { test } from "node:test";
import { assertWarnedOnce, makeReservation, testAgent } from "../../test/conformance/support.js";
import type { AcquireContext } from "./acquire-context.js";
import { lockAll } from "../../test/lock-all.js";
import { makeAcquireContext } from "./acquire-context.js";
import { WouldDeadlockError } from "./reservation.js";

const PATIENT = { timeout: 10_000 };

test(
  "acquire-context.1: a context that was given up for good leaves its ticket, and another one begins anew",
  PATIENT,
  async () => {
    const agent = testAgent();
    const [a, b, c] = [1, 2, 3].map(() => makeReservation(agent));
    const [old, young] = [makeAcquireContext(agent), makeAcquireContext(agent)];
    await a!.lock(old);
    await b!.lock(young);
    await assert.rejects(a!.lock(young), WouldDeadlockError);
    young[Symbol.dispose]();
    assert.equal(b!.isLocked, false);
    using context = await lockAll(agent, [b!, c!]);
    assert.equal(context.acquired, 2);
  },
);

test(
  "acquire-context.2: a context that waits for a lock takes no other one until that wait has ended",
  PATIENT,
  async () => {
    const agent = testAgent();
    const [a, b] = [makeReservation(agent), makeReservation(agent)];
    const held = a.lockSync();
    using context = makeAcquireContext(agent);
    const waiting = a.lock(context);
    await assert.rejects(b.lock(context), { code: "EINVAL", message: /its acquire context waits for that of buffer/ });
    assert.throws(() => b.lockSync(context), { code: "EINVAL" });
    held[Symbol.dispose]();
    await waiting;
    await b.lock(context);
    const aborted = new AbortController();
    using other = makeAcquireContext(agent);
    const given = a.lock(other, { signal: aborted.signal });
    aborted.abort(new Error("enough"));
    await assert.rejects(given, /enough/);
    await assert.rejects(a.lock(other, { timeout: 1 }), { code: "ETIMEDOUT" });
  },
);

for (const [how, end] of [
  ["disposed", (context: AcquireContext): void => context[Symbol.dispose]()],
  ["done", (context: AcquireContext): void => context.done()],
] as const) {
  test(`acquire-context.3: a context that is ${how} while it waits for a lock does not get it`, PATIENT, async () => {
    const agent = testAgent();
    const reservation = makeReservation(agent);
    const held = reservation.lockSync();
    const context = makeAcquireContext(agent);
    const waiting = reservation.lock(context);
    end(context);
    held[Symbol.dispose]();
    await assert.rejects(waiting, { code: "EINVAL", message: /is done/ });
    assert.equal(reservation.isLocked, false);
    agent.takeWarnings();
  });
}

test(
  "acquire-context.3: a context that is disposed in the moment in which it gets a lock gives it back",
  PATIENT,
  async () => {
    const agent = testAgent();
    const reservation = makeReservation(agent);
    const context = makeAcquireContext(agent);
    const locking = reservation.lock(context);
    assert.equal(reservation.isLocked, true);
    context[Symbol.dispose]();
    await assert.rejects(locking, { code: "EINVAL" });
    assert.equal(reservation.isLocked, false);
  },
);

test("a context that is done twice, or has not all its locks, is reported", PATIENT, async () => {
  const agent = testAgent();
  const [a, b] = [makeReservation(agent), makeReservation(agent)];
  using done = await lockAll(agent, [a]);
  assert.deepEqual(agent.takeWarnings(), []);
  done.done();
  assertWarnedOnce(agent, /was done before/);
  using young = makeAcquireContext(agent);
  await b.lock(young);
  await assert.rejects(a.lock(young), WouldDeadlockError);
  young.done();
  assertWarnedOnce(agent, /has not all its locks/);
});

test("a context locks no reservation of another agent", PATIENT, async () => {
  const agent = testAgent();
  const theirs = makeReservation(agent.another());
  using context = makeAcquireContext(agent);
  await assert.rejects(theirs.lock(context), TypeError);
  assert.throws(() => theirs.lockSync(context), TypeError);
  await assert.rejects(lockAll(agent, [makeReservation(agent), theirs]), TypeError);
  assert.equal(theirs.isLocked, false);
});
