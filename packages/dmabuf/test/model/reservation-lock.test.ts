import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent } from "../../src/domain/agent.js";
import { isLive, markDead } from "../../src/domain/agent-slot.js";
import { BUFFER, HEADER } from "../../src/domain/layout.js";
import { DmaBufError } from "../../src/errors.js";
import type { ContextLocks } from "../../src/reservation/acquire-context.js";
import { lockAllSync } from "../lock-all.js";
import { lockHolder, ticketOf } from "../../src/reservation/lock.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import type { ExplorationFailure } from "../../src/testing/index.js";
import { assertCaught, EXPLORES, faulty, tryAll, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";
import { reservationAt } from "../reservation-at.js";
import { WouldDeadlockError } from "../../src/reservation/reservation.js";
import { ReservationUser } from "../../src/reservation/reservation-user.js";
import { makeReservation } from "../../src/reservation/reservation.js";
import { ReservationState, type TakenLock } from "../../src/reservation/reservation-state.js";
import { type Steps } from "../../src/domain/steps.js";

// The lock of a reservation and the locking of several; the contract is in src/reservation/lock.ts.

const REAPER = 3;

/** INSIDE names the agent that believes it has all the locks it wanted. */
const domain = new TinyDomain({ agents: 4, buffers: 2 }, ["INSIDE"]);
const INSIDE = domain.extra("INSIDE");

const LOCKS = [0, 1].map((slot) => domain.layout.buffer(slot) + BUFFER.LOCK);
const WAITERS = [0, 1].map((slot) => domain.layout.buffer(slot) + domain.layout.BUFFER.LOCK_WAITERS);
const TICKETS = HEADER.TICKETS;

test(
  "lock.1 lock.3 lock.4: three agents that lock one reservation exclude each other, and all get the lock",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario([locks(0), locks(1), locks(2)]));
  },
);

test("lock.1 lock.3: a holder or a waiter may die at any step, and the other gets the lock", EXPLORES, (t) => {
  tryAll(t, domain, mortal([locks(0), locks(1)], [0, 1]));
});

test(
  "lock.1 lock.3: an agent that opens the lock of a dead holder may die over it, and a waiter still gets it",
  EXPLORES,
  (t) => {
    const { prepare, ...rest } = mortal([locks(0), locks(1)], [0]);
    const dead = identityOf(2);
    tryAll(t, domain, {
      ...rest,
      prepare(memory) {
        prepare!(memory);
        assert.ok(reservationAt(domain.agent(memory, 2), 0).tryLock());
        markDead(domain.segment(memory), dead);
      },
    });
  },
);

test(
  "lock.3 lock.4: a waiter that gives up takes no other agent's wake-up, and leaves no lock behind",
  EXPLORES,
  (t) => {
    const impatient: Program = (memory) => {
      const agent = lockingAgent(memory, 1);
      try {
        using _lock = reservationAt(agent, 0).lockSync(undefined, { timeout: 5 });
        critical(memory, 1);
      } catch (error) {
        assert.ok(error instanceof DmaBufError && error.code === "ETIMEDOUT", String(error));
      }
    };
    tryAll(t, domain, scenario([locks(0), impatient, locks(2)]));
  },
);

test(
  "lock.2: two agents that lock two reservations in opposite order both get them, and the older never gives way",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario([locksAll(0, [0, 1]), locksAll(1, [1, 0])]));
  },
);

for (const [name, orders] of Object.entries({
  "the oldest of which locks one": [[0], [0, 1], [1, 0]],
  "the youngest of which locks one": [[0, 1], [1, 0], [0]],
})) {
  test(
    `lock.2: three agents, ${name} of two reservations and the others both in opposite order, all get on`,
    EXPLORES,
    (t) => {
      tryAll(t, domain, scenario(orders.map((order, slot) => locksAll(slot, order, withTicket(slot + 1)))));
    },
  );
}

test("lock.2: two agents that lock two reservations both get them when the counter of tickets wraps", EXPLORES, (t) => {
  for (const last of [-2, 0x7fff_fffe]) {
    const { prepare, ...rest } = scenario([locksAll(0, [0, 1]), locksAll(1, [1, 0])]);
    tryAll(t, domain, {
      ...rest,
      prepare(memory) {
        prepare!(memory);
        memory.store(TICKETS, last);
      },
    });
  }
});

test("lock.2: an agent without a ticket is waited for by one with a ticket, and both get on", EXPLORES, (t) => {
  tryAll(t, domain, scenario([locksAll(0, [0, 1]), locks(1), locks(2, 1)]));
});

test(
  "lock.1 lock.2: one of two agents that lock two reservations may die at any step, and the other gets both",
  EXPLORES,
  (t) => {
    tryAll(t, domain, mortal([locksAll(0, [0, 1]), locksAll(1, [1, 0])], [0]));
  },
);

/** Mistakes in the protocol, as memory that does one thing wrongly, and how they show. */
const MISTAKES: Record<
  string,
  [agents: (fault: Fault) => Program[], fault: Fault, kind: ExplorationFailure, report: RegExp]
> = {
  "a lock that is looked at and then taken": [
    one,
    (memory) => ({
      compareExchange64(word, expected, replacement) {
        const old = memory.load64(word);
        if (old === expected) memory.store64(word, replacement);
        return old;
      },
    }),
    "threw",
    /agent \d is inside/,
  ],
  "an opener that takes the waiters' bits before it opens": [
    one,
    (memory) => {
      let due: bigint | undefined;
      const open = (): void => {
        if (due !== undefined) memory.compareExchange64(LOCKS[0]!, due, 0n);
        due = undefined;
      };
      return {
        compareExchange64: (word, expected, replacement) =>
          replacement === 0n ? (due = expected) : memory.compareExchange64(word, expected, replacement),
        load(word) {
          const value = memory.load(word);
          if (word === WAITERS[0] && value === 0) open();
          return value;
        },
        exchange(word, value) {
          const old = memory.exchange(word, value);
          open();
          return old;
        },
      };
    },
    "deadlock",
    /No agent is left to wake/,
  ],
  "a waiter that sets its bit after its last look": [
    one,
    (memory) => {
      let bits = 0;
      return {
        or: (word, mask) => (WAITERS.includes(word) ? (bits = mask) : memory.or(word, mask)),
        park(word, expected, timeoutMs) {
          memory.or(WAITERS[0]!, bits);
          return memory.park(word, expected, timeoutMs);
        },
      };
    },
    "deadlock",
    /No agent is left to wake/,
  ],
  "tickets that are all alike": [
    two,
    (memory) => ({ add: (word, amount) => (word === TICKETS ? 6 : memory.add(word, amount)) }),
    "deadlock",
    /No agent is left to wake 0 and 1/,
  ],
};

for (const [name, [agents, fault, kind, report]] of Object.entries(MISTAKES)) {
  test(`${name}: that is found`, EXPLORES, () => assertCaught(domain, scenario(agents(fault)), kind, report));
}

function one(fault: Fault): Program[] {
  return [locks(0, 0, fault), locks(1, 0, fault)];
}

function two(fault: Fault): Program[] {
  return [locksAll(0, [0, 1], fault), locksAll(1, [1, 0], fault)];
}

function scenario(agents: readonly Program[]): Scenario {
  return {
    prepare: (memory) => domain.open(memory, 4),
    agents,
    check(memory) {
      for (const slot of [0, 1]) assert.equal(lockHolder(domain.segment(memory), slot), 0n, `lock ${slot} is held`);
    },
  };
}

/** As `scenario`, with the death of one agent at any step; the fourth agent cleans up. */
function mortal(agents: readonly Program[], mortals: readonly number[]): Scenario {
  const reaper = (memory: Substrate, victim: number): void => domain.recover(memory, REAPER, victim);
  return { ...scenario(agents), crash: { agents: mortals, recover: { reaper } } };
}

/** The agent gets this ticket. */
function withTicket(ticket: number): Fault {
  return (memory) => ({ add: (word, amount) => (word === TICKETS ? ticket - 1 : memory.add(word, amount)) });
}

/** Locks one reservation, and opens it again. */
function locks(slot: number, buffer = 0, fault?: Fault): Program {
  return (memory) => {
    const agent = lockingAgent(memory, slot, fault);
    using _lock = reservationAt(agent, buffer).lockSync();
    if (buffer === 0) critical(memory, slot);
  };
}

/** Locks several reservations together, and opens them again. */
function locksAll(slot: number, buffers: readonly number[], fault: Fault = () => ({})): Program {
  return (memory) => {
    const watch = new Watch();
    const agent = lockingAgent(memory, slot, watch.over(fault), () => watch.toString());
    const reservations = buffers.map((buffer) => makeReservation(new WatchedUser(agent, buffer, watch)));
    using context = lockAllSync(agent, reservations);
    watch.locked = true;
    assert.equal(context.ticket, watch.ticket, "the ticket is another one");
    assert.equal(context.acquired, buffers.length);
    landmark(memory, `has all with ticket ${context.ticket}`);
    critical(memory, slot);
  };
}

function lockingAgent(memory: Substrate, slot: number, fault?: Fault, state = (): string => ""): Agent {
  return domain.agent(memory, slot, { fault, knows: [...LOCKS, TICKETS], arms: WAITERS, state });
}

/** Asserts that no other live agent is inside. */
function critical(memory: Substrate, slot: number): void {
  const other = memory.exchange(INSIDE, identityOf(slot));
  assert.ok(other === 0 || !isLive(domain.segment(memory), other), `agent ${other & 1023} is inside`);
  memory.store(INSIDE, 0);
}

/** Sees what an agent meets while it locks several reservations. */
class Watch {
  ticket: number | undefined;
  context: ContextLocks | undefined;
  locked = false;
  #lock = 0;
  #holder = 0n;
  #last = "";

  /** What the agent knows of it when it waits: which lock it wants. */
  toString(): string {
    return `wants ${this.#lock}, did ${this.#last}, has all: ${this.locked}`;
  }

  over(fault: Fault): Fault {
    return (memory) => {
      const faults = faulty(memory, fault);
      return {
        ...faults,
        compareExchange64: (word, expected, replacement) => {
          const holder = faults.compareExchange64(word, expected, replacement);
          this.#last = `${word} ${expected} ${replacement}`;
          if (expected === 0n) [this.#lock, this.#holder] = [word, holder];
          return holder;
        },
        park: (word, expected, timeoutMs) => {
          assert.ok(!this.#mustGiveWay(), "an agent that holds a lock waits for an older one (lock.2)");
          return faults.park(word, expected, timeoutMs);
        },
      };
    };
  }

  wants(context: ContextLocks): void {
    this.context = context;
    this.ticket ??= context.ticket;
    assert.equal(context.ticket, this.ticket, "the ticket has changed");
  }

  gaveWay(): void {
    assert.ok(this.#mustGiveWay(), "an agent gives way although none is older");
  }

  #mustGiveWay(): boolean {
    const holder = ticketOf(this.#holder);
    return this.context!.count > 0 && holder !== 0 && ((holder - this.ticket!) | 0) < 0;
  }
}

class WatchedUser extends ReservationUser {
  readonly #watch: Watch;

  constructor(agent: Agent, buffer: number, watch: Watch) {
    super(new ReservationState(agent, buffer, () => ({ release() {} })));
    this.#watch = watch;
  }

  override *locking(context: ContextLocks): Steps<TakenLock> {
    this.#watch.wants(context);
    try {
      return yield* super.locking(context);
    } catch (error) {
      if (error instanceof WouldDeadlockError) this.#watch.gaveWay();
      throw error;
    }
  }
}
