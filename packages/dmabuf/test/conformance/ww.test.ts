/**
 * Area G of the conformance cases: locking several reservations, by agents of one thread and by contexts of one agent.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { claimBuffer } from "../../src/buffer/buffer-slot.js";
import type { AcquireContext } from "../../src/reservation/acquire-context.js";
import { lockAll } from "../lock-all.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import { createDomain, joinDomain } from "../agents.js";
import { BLOCKS } from "../blocking.js";
import { makeReservation, testAgent, type TestAgent } from "./support.js";
import { reservationAt } from "../reservation-at.js";
import { makeAcquireContext } from "../../src/reservation/acquire-context.js";
import { WouldDeadlockError } from "../../src/reservation/reservation.js";
import { userOf } from "../../src/reservation/reservation.js";

const PATIENT = { timeout: 10_000 };
const STRESS = { timeout: 60_000 };

/** One of two who lock the same two reservations. */
interface Party {
  readonly context: AcquireContext;
  readonly a: Reservation;
  readonly b: Reservation;
}

/** Registers a fact about an older and a younger acquire context: of two agents, and of one. */
function fact(
  name: string,
  body: (old: Party, young: Party, t: TestContext) => void | Promise<void>,
  options = {},
): void {
  for (const owners of ["two agents", "one agent"] as const) {
    test(`${name} (${owners})`, { ...PATIENT, ...options }, async (t) => {
      const agent = testAgent();
      const [a, b] = [makeBuffer(agent), makeBuffer(agent)];
      const old = party(agent, a, b);
      const young =
        owners === "one agent" ? { ...old, context: makeAcquireContext(agent) } : party(agent.another(), a, b);
      await body(old, young, t);
      assert.deepEqual(agent.takeWarnings(), []);
    });
  }
}

test("WW-01 a context that locks a reservation again is told that it holds it", PATIENT, async () => {
  const agent = testAgent();
  const { context, a } = party(agent, makeBuffer(agent), makeBuffer(agent));
  await a.lock(context);
  await assert.rejects(a.lock(context), { code: "EALREADY" });
  assert.throws(() => a.lockSync(context), { code: "EALREADY" });
  assert.equal(context.acquired, 1);
});

fact("WW-02 a context that holds nothing waits for a lock that was taken without one", async (old, young) => {
  const held = await old.a.lock();
  const waiting = pendingLock(young.a.lock(young.context));
  await turns();
  assert.equal(waiting.isSettled(), false);
  held[Symbol.dispose]();
  await waiting.lock;
  assert.equal(young.context.acquired, 1);
});

fact("WW-03 a younger context that holds a lock gives way to an older one at once", async (old, young) => {
  await old.a.lock(old.context);
  await young.b.lock(young.context);
  await assert.rejects(young.a.lock(young.context), (error) => {
    assert.ok(error instanceof WouldDeadlockError);
    assert.equal(error.code, "EDEADLK");
    assert.equal(error.reservation, young.a);
    return true;
  });
  assert.throws(() => young.a.lockSync(young.context), { code: "EDEADLK" });
  assert.equal(young.context.acquired, 1);
});

fact("WW-04 an older context waits for a younger one, and gets the lock after it", async (old, young) => {
  await young.a.lock(young.context);
  await old.b.lock(old.context);
  const waiting = pendingLock(old.a.lock(old.context));
  await turns();
  assert.equal(waiting.isSettled(), false);
  young.context.backOff();
  await waiting.lock;
  assert.equal(old.context.acquired, 2);
});

fact("WW-05 who has given way waits with nothing held, and keeps its age", async (old, young) => {
  const held = await old.a.lock(old.context);
  await young.b.lock(young.context);
  const { ticket } = young.context;
  await assert.rejects(young.a.lock(young.context), { code: "EDEADLK" });
  young.context.backOff();
  assert.equal(young.b.isLocked, false);
  const waiting = pendingLock(young.a.lock(young.context));
  await turns();
  assert.equal(waiting.isSettled(), false);
  held[Symbol.dispose]();
  await waiting.lock;
  await young.b.lock(young.context);
  assert.equal(young.context.acquired, 2);
  assert.equal(young.context.ticket, ticket);
});

fact("WW-10 who must give way takes no other lock before the contended one", async (old, young) => {
  const third = makeReservation(userOf(young.a).agent);
  const held = await old.a.lock(old.context);
  await young.b.lock(young.context);
  await assert.rejects(young.a.lock(young.context), { code: "EDEADLK" });
  const refused = { code: "EINVAL", message: /Cannot lock .* must unlock all, and lock that of buffer 0 first/ };
  for (const backsOff of [false, true]) {
    if (backsOff) young.context.backOff();
    await assert.rejects(third.lock(young.context), refused);
    assert.throws(() => third.lockSync(young.context), refused);
  }
  assert.equal(third.isLocked, false);
  await assert.rejects(young.a.lock(young.context, { timeout: 1 }), { code: "ETIMEDOUT" });
  await assert.rejects(third.lock(young.context), refused, "a wait that timed out has changed nothing");
  held[Symbol.dispose]();
  for (const reservation of [young.a, third, young.b]) await reservation.lock(young.context);
  assert.equal(young.context.acquired, 3);
});

fact("WW-11 who must give way takes the contended lock with nothing held, though it is open", async (old, young) => {
  const held = await old.a.lock(old.context);
  await young.b.lock(young.context);
  await assert.rejects(young.a.lock(young.context), { code: "EDEADLK" });
  held[Symbol.dispose]();
  await assert.rejects(young.a.lock(young.context), (error) => {
    assert.ok(error instanceof WouldDeadlockError && error.reservation === young.a);
    return true;
  });
  assert.throws(() => young.a.lockSync(young.context), { code: "EDEADLK" });
  assert.equal(young.a.isLocked, false);
  young.context.backOff();
  await young.a.lock(young.context);
  assert.equal(young.context.acquired, 1);
});

fact("WW-06 a younger context that holds nothing waits for an older one", async (old, young) => {
  const held = await old.a.lock(old.context);
  const waiting = pendingLock(young.a.lock(young.context));
  await turns();
  assert.equal(waiting.isSettled(), false);
  held[Symbol.dispose]();
  await waiting.lock;
  assert.equal(young.context.acquired, 1);
});

fact("WW-07 a wait for a lock that is aborted rejects with the reason, and takes nothing", async (old, young) => {
  const held = await old.a.lock(old.context);
  const abort = new AbortController();
  const waiting = young.a.lock(young.context, { signal: abort.signal });
  await turns();
  const reason = new Error("no longer wanted");
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  held[Symbol.dispose]();
  await turns();
  assert.equal(young.a.isLocked, false);
  assert.equal(young.context.acquired, 0);
});

fact("WW-07 a wait for a lock that times out takes nothing", async (old, young) => {
  const held = await old.a.lock(old.context);
  await assert.rejects(young.a.lock(young.context, { timeout: 1 }), { code: "ETIMEDOUT" });
  held[Symbol.dispose]();
  await turns();
  assert.equal(young.a.isLocked, false);
  assert.equal(young.context.acquired, 0);
});

fact(
  "WW-07 a wait for a lock that blocks and times out takes nothing",
  (old, young) => {
    const held = old.a.lockSync(old.context);
    assert.throws(() => young.a.lockSync(young.context, { timeout: 1 }), { code: "ETIMEDOUT" });
    held[Symbol.dispose]();
    assert.equal(young.a.isLocked, false);
  },
  BLOCKS,
);

fact("WW-08 a locked reservation says so, and refuses who does not wait", (old, young) => {
  assert.equal(young.a.isLocked, false);
  const held = old.a.tryLock();
  assert.notEqual(held, undefined);
  assert.equal(young.a.tryLock(), undefined);
  assert.equal(young.a.isLocked, true);
  held![Symbol.dispose]();
  assert.equal(young.a.isLocked, false);
});

test(
  "WW-12 who waits for a lock and closes the buffer never gets that of the next one in its place",
  PATIENT,
  async (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const first = domain.allocate(4096);
    const held = await first.reservation.lock();
    const waiting = first.reservation.lock();
    const { reservation } = first;
    first.close();
    const next = domain.allocate(4096);
    held[Symbol.dispose]();
    await assert.rejects(waiting, { code: "EBADF" });
    assert.throws(() => reservation.tryLock(), { code: "EBADF" });
    assert.equal(next.reservation.isLocked, false);
  },
);

test(
  "WW-13 a buffer that is closed with its lock held opens it, and so is the next one in its place",
  PATIENT,
  async (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const first = domain.allocate(4096);
    const other = joinDomain(t, domain).import(first.handle());
    const held = await first.reservation.lock();
    const waiting = other.reservation.lock();
    first.close();
    await waiting;
    assert.throws(() => domain.allocate(4096), { code: "ENOSPC" });
    other.close();
    assert.equal(domain.allocate(4096).reservation.isLocked, false);
    held[Symbol.dispose]();
  },
);

// A lock that lets two in would not show where each takes all the others too: hence the pairs.
for (const [some, size, of] of [
  ["the same 16 reservations", 16, 16],
  ["two of six reservations", 2, 6],
] as const) {
  test(`WW-09 agents that lock ${some} in random order all finish, one at a time`, STRESS, async () => {
    const first = testAgent();
    const agents = [first, first.another(), first.another(), first.another()];
    const buffers = Array.from({ length: of }, () => makeBuffer(first));
    const rounds = 100;
    const inside = new Set<number>();
    let finished = 0;
    const run = async (agent: TestAgent): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const mine = shuffled(buffers).slice(0, size);
        const reservations = mine.map((slot) => reservationAt(agent, slot));
        using _context = await lockAll(agent, reservations);
        for (const slot of mine) {
          assert.equal(inside.has(slot), false, "no other agent is inside");
          inside.add(slot);
        }
        await new Promise((resolve) => setTimeout(resolve));
        for (const slot of mine) inside.delete(slot);
        finished++;
      }
    };
    await Promise.all(agents.map(run));
    assert.equal(finished, agents.length * rounds);
  });
}

function makeBuffer(agent: TestAgent): number {
  return claimBuffer(agent, { size: 4096, name: "", exporterName: "" }).slot;
}

function party(agent: TestAgent, a: number, b: number): Party {
  return { context: makeAcquireContext(agent), a: reservationAt(agent, a), b: reservationAt(agent, b) };
}

function pendingLock<T>(lock: Promise<T>): { readonly lock: Promise<T>; isSettled(): boolean } {
  let settled = false;
  const settle = (): void => void (settled = true);
  lock.then(settle, settle);
  return { lock, isSettled: () => settled };
}

/** Time enough for whatever would happen by itself. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
