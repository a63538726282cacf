import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { makeReservation, testAgent } from "../../test/conformance/support.js";
import { claimBuffer } from "../buffer/buffer-slot.js";
import { lockAll, lockAllSync } from "../../test/lock-all.js";
import { reservationAt } from "../../test/reservation-at.js";
import { makeAcquireContext } from "./acquire-context.js";

const PATIENT = { timeout: 10_000 };

test("a reservation that is named twice is locked once", PATIENT, async () => {
  const agent = testAgent();
  const [a, b] = [makeReservation(agent), makeReservation(agent)];
  for (const lock of [lockAll, lockAllSync]) {
    const context = await lock(agent, [a, b, a, b, b]);
    assert.equal(context.acquired, 2);
    context[Symbol.dispose]();
    assert.deepEqual([a.isLocked, b.isLocked], [false, false]);
  }
});

test("no reservations are locked at once", PATIENT, async () => {
  const agent = testAgent();
  assert.equal((await lockAll(agent, [])).acquired, 0);
  assert.equal(lockAllSync(agent, []).acquired, 0);
});

test("the context of what is locked together takes no further lock", PATIENT, async () => {
  const agent = testAgent();
  const [a, b] = [makeReservation(agent), makeReservation(agent)];
  using context = await lockAll(agent, [a]);
  await assert.rejects(b.lock(context), { code: "EINVAL" });
  assert.equal(b.isLocked, false);
});

test("who must give way waits for the contended one first, and then has all", PATIENT, async () => {
  const agent = testAgent();
  const slots = [1, 2].map(() => claimBuffer(agent, { size: 4096, name: "", exporterName: "" }).slot);
  const [a, b] = slots.map((slot) => reservationAt(agent, slot));
  const other = agent.another();
  const old = makeAcquireContext(other);
  const held = await reservationAt(other, slots[1]!).lock(old);
  const locking = lockAll(agent, [a!, b!]);
  await turns();
  assert.equal(a!.isLocked, false, "what it had is open while it waits");
  held[Symbol.dispose]();
  using context = await locking;
  assert.equal(context.acquired, 2);
});

test("locking that times out, or is aborted, leaves nothing locked", PATIENT, async () => {
  const agent = testAgent();
  const slots = [1, 2].map(() => claimBuffer(agent, { size: 4096, name: "", exporterName: "" }).slot);
  const [a, b] = slots.map((slot) => reservationAt(agent, slot));
  using _held = reservationAt(agent.another(), slots[1]!).lockSync();
  await assert.rejects(lockAll(agent, [a!, b!], { timeout: 1 }), { code: "ETIMEDOUT" });
  assert.equal(a!.isLocked, false);
  const abort = new AbortController();
  const locking = lockAll(agent, [a!, b!], { signal: abort.signal });
  await turns();
  abort.abort("enough");
  await assert.rejects(locking, (reason) => reason === "enough");
  assert.equal(a!.isLocked, false);
});

test("blocking for all that times out leaves nothing locked", { ...PATIENT, ...BLOCKS }, () => {
  const agent = testAgent();
  const slots = [1, 2].map(() => claimBuffer(agent, { size: 4096, name: "", exporterName: "" }).slot);
  const [a, b] = slots.map((slot) => reservationAt(agent, slot));
  using _held = reservationAt(agent.another(), slots[1]!).lockSync();
  assert.throws(() => lockAllSync(agent, [a!, b!], { timeout: 1 }), { code: "ETIMEDOUT" });
  assert.equal(a!.isLocked, false);
});

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
}
