import assert from "node:assert/strict";
import { test } from "node:test";
import { PendingRequest } from "../../src/buffer/pending-request.js";
import { deliver } from "../../src/buffer/request-server.js";
import { isLive } from "../../src/domain/agent-slot.js";
import { AGENT, AGENT_PHASE, BUFFER, REQUEST } from "../../src/domain/layout.js";
import { postedRequests, postRequest, takeRequest } from "../../src/buffer/request-slot.js";
import { DmaBufError } from "../../src/errors.js";
import { holderOf, lockHolder } from "../../src/reservation/lock.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import type { ExplorationFailure } from "../../src/testing/index.js";
import { assertCaught, EXPLORES, tryAll, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, requestTo, TinyDomain } from "./tiny-domain.js";
import { reservationAt } from "../reservation-at.js";
import { takeSync } from "../../src/domain/steps.js";
import { userOf } from "../../src/reservation/reservation.js";

// A request to an exporter in another agent, and the lock that goes with it. The contracts are in
// src/domain/request-slot.ts, src/reservation/lock.ts (lock.5, lock.6) and src/buffer/question.ts.

const REQUESTER = 0;
const EXPORTER = 1;
const OTHER = 2;
const REAPER = 3;

/** INSIDE names the agent that believes that it may write the reservation's entries, plus one. */
const domain = new TinyDomain({ agents: 4 }, ["INSIDE"]);
const INSIDE = domain.extra("INSIDE");
const STATE = domain.layout.request(0) + REQUEST.STATE;
const BELL = domain.layout.agent(REQUESTER) + AGENT.DOORBELL;
const WAITERS = domain.layout.buffer(0) + domain.layout.BUFFER.LOCK_WAITERS;
const LOCK = domain.layout.buffer(0) + BUFFER.LOCK;

const FIELDS = requestTo(EXPORTER);

// exporter-link.2, request-server.1, request-server.2
test(
  "lock.5 pending-request.2: requester and exporter write the entries in turn, and a third agent only after them",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario({ requester: asks(true), exporter: serves(), other: locks() }));
  },
);

for (const withLock of [true, false]) {
  const what = withLock ? "a request with the lock" : "a request without the lock";
  test(
    `request-slot.1 request-slot.3 pending-request.1: the requester or the exporter of ${what} may die at any step, and nothing is left`,
    EXPLORES,
    (t) => {
      tryAll(t, domain, mortal({ requester: asks(withLock), exporter: serves() }, ["requester", "exporter"]));
    },
  );

  test(
    `pending-request.3: a requester that gives up ${what} leaves nothing behind, and is told what was decided before`,
    EXPLORES,
    (t) => {
      tryAll(t, domain, scenario({ requester: asks(withLock, 5), exporter: serves(50) }));
    },
  );
}

test("lock.6: who waits for the lock gets it when the requester dies, however far its exporter is", EXPLORES, (t) => {
  tryAll(t, domain, dyingRequester(serves()));
});

test("the exploration finds an exporter that hands the lock back and does not look", EXPLORES, () => {
  const [requesterState, live] = [domain.layout.agent(REQUESTER) + AGENT.STATE, (1 << 10) | AGENT_PHASE.LIVE];
  const blind: Fault = (memory) => ({ load: (word) => (word === requesterState ? live : memory.load(word)) });
  assertCaught(domain, dyingRequester(serves(Infinity, blind)), "deadlock", /No agent is left to wake other/);
});

// request-slot.2
test(
  "request-slot.4 request-slot.5: a request that wants no answer is served once, or freed after the exporter's death",
  EXPLORES,
  (t) => {
    const tells: Program = (memory) =>
      postRequest(domain.agent(memory, REQUESTER), { ...FIELDS, lock: 0n }, false) !== undefined;
    tryAll(t, domain, mortal({ requester: tells, exporter: serves() }, ["exporter"]));
  },
);

/** Mistakes in the protocol, as memory that does one thing wrongly, and how they show. */
const MISTAKES: Record<
  string,
  [who: "requester" | "exporter", fault: Fault, kind: ExplorationFailure, report: RegExp]
> = {
  "an exporter that keeps the lock": [
    "exporter",
    (memory) => ({
      compareExchange64: (word, expected, put) =>
        word === LOCK && put !== 0n && holderOf(put) === identityOf(REQUESTER)
          ? expected
          : memory.compareExchange64(word, expected, put),
    }),
    "deadlock",
    /No agent is left to wake requester/,
  ],
  "an exporter that writes without taking the lock over": [
    "exporter",
    (memory) => ({
      compareExchange64: (word, expected, put) =>
        word === LOCK && put !== 0n && holderOf(put) === identityOf(EXPORTER)
          ? expected
          : memory.compareExchange64(word, expected, put),
    }),
    "invariant",
    /does not name agent 1/,
  ],
  "an exporter that does not ring": [
    "exporter",
    (memory) => ({ wake: (word) => (word === BELL ? 0 : memory.wake(word)) }),
    "deadlock",
    /No agent is left to wake requester/,
  ],
};

for (const [name, [who, fault, kind, report]] of Object.entries(MISTAKES)) {
  test(`the exploration finds ${name}`, EXPLORES, () => {
    const faults = { [who]: fault };
    const agents = {
      requester: asks(true, Infinity, faults["requester"]),
      exporter: serves(Infinity, faults["exporter"]),
    };
    assertCaught(domain, scenario(agents), kind, report);
  });
}

function scenario(agents: Record<string, Program>): Scenario {
  return {
    agents,
    prepare: (memory) => domain.open(memory, 4),
    invariant(memory) {
      const inside = memory.load(INSIDE);
      if (inside === 0) return;
      const holder = holderOf(lockHolder(domain.segment(memory), 0));
      const identity = identityOf(inside - 1);
      if (!isLive(domain.segment(memory), identity)) return;
      assert.equal(holder, identity, `the lock does not name agent ${inside - 1}, which writes`);
    },
    check(memory, { crashed }) {
      assert.equal(memory.load64(STATE) & 7n, 0n, "the request is not free");
      const holder = lockHolder(domain.segment(memory), 0);
      assert.ok(holder === 0n || crashed.length > 0, `the lock is held by ${holder}`);
      assert.ok(holder === 0n || !isLive(domain.segment(memory), holderOf(holder)), "a live agent keeps the lock");
    },
  };
}

/** A requester that has posted its request, with the lock, dies at any step of the exporter and of one that waits. */
function dyingRequester(exporter: Program): Scenario {
  const reaper: Program = (memory) => domain.recover(memory, REAPER, REQUESTER);
  return {
    ...scenario({ exporter, other: locks(), reaper }),
    prepare(memory) {
      domain.open(memory, 4);
      const agent = domain.agent(memory, REQUESTER);
      const reservation = reservationAt(agent, 0);
      reservation.lockSync();
      postRequest(agent, { ...FIELDS, lock: userOf(reservation).lend().word }, true);
    },
  };
}

/** Agents of which one may die at any step; another then gives back what it held. */
function mortal(agents: Record<string, Program>, mortals: readonly string[]): Scenario {
  const reaper = (memory: Substrate, victim: number): void => domain.recover(memory, REAPER, victim);
  return { ...scenario(agents), crash: { agents: mortals, recover: { reaper } } };
}

/** Asks the exporter, with the lock or without, and writes the entries before and after. */
function asks(withLock: boolean, timeout = Infinity, fault?: Fault): Program {
  return (memory) => {
    const agent = domain.agent(memory, REQUESTER, { fault });
    const reservation = reservationAt(agent, 0);
    if (!withLock) return outcome(() => takeSync(agent, new PendingRequest(agent, FIELDS).answer(), timeout));
    using _lock = reservation.lockSync();
    write(memory, REQUESTER);
    const answer = outcome(() =>
      takeSync(agent, new PendingRequest(agent, FIELDS, userOf(reservation)).answer(), timeout),
    );
    if (reservation.isHeldHere) write(memory, REQUESTER);
    return answer;
  };
}

/**
 * Serves one request, as the exporter's server does when its operation answers at once.
 *
 * @param timeout Milliseconds, where the requester may give up and leave nothing to serve.
 */
function serves(timeout = Infinity, fault?: Fault): Program {
  return (memory) => {
    const agent = domain.agent(memory, EXPORTER, { fault });
    const requester = identityOf(REQUESTER);
    const posted = { arm: () => {}, ready: () => postedRequests(agent).length > 0 || !isLive(agent, requester) };
    if (!agent.waitSync(posted, timeout)) return "nothing";
    const [request] = postedRequests(agent);
    if (request === undefined || !takeRequest(agent, request)) return "nothing";
    const lock = request.lock === 0n ? undefined : userOf(reservationAt(agent, 0)).takeOver(request.lock);
    if (request.lock !== 0n && lock === undefined) return deliver(agent, request, undefined, 116, false);
    if (lock !== undefined) write(memory, EXPORTER);
    const isDelivered = deliver(agent, request, lock, 0, true);
    if (!isDelivered) lock?.[Symbol.dispose]();
    return isDelivered;
  };
}

/** Another agent that wants the lock. */
function locks(): Program {
  return (memory) => {
    using _lock = reservationAt(domain.agent(memory, OTHER, { arms: [WAITERS], state: () => "" }), 0).lockSync();
    write(memory, OTHER);
  };
}

/** Writes the entries, as far as this test is concerned. */
function write(memory: Substrate, slot: number): void {
  memory.store(INSIDE, slot + 1);
  memory.store(INSIDE, 0);
}

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof DmaBufError) return error.code;
    throw error;
  }
}
