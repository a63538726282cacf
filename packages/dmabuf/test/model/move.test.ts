import { awaitedHold } from "../../src/buffer/awaited-hold.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Holds } from "../../src/buffer/hold.js";
import { PendingRequest } from "../../src/buffer/pending-request.js";
import { tellOfMove } from "../../src/buffer/request-server.js";
import { isLive, ring } from "../../src/domain/agent-slot.js";
import { BUFFER } from "../../src/domain/layout.js";
import { postedRequests } from "../../src/buffer/request-slot.js";
import {
  beginMove,
  dropPin,
  endMove,
  publishVersion,
  storageVersion,
  tryAddPin,
} from "../../src/buffer/storage-slot.js";
import { DmaBufError } from "../../src/errors.js";
import { holderOf, lockHolder } from "../../src/reservation/lock.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import type { Agent } from "../../src/domain/agent.js";
import { assertCaught, EXPLORES, tryAll, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";
import { reservationAt } from "../reservation-at.js";
import { takeSync } from "../../src/domain/steps.js";
import { userOf } from "../../src/reservation/reservation.js";

// Moving the storage of a buffer once. The contracts are in src/domain/storage-slot.ts and src/buffer/move.ts.

const MOVER = 0;
const USER = 1;
const REAPER = 2;

/**
 * SPOILED says that the old storage is the mover's again, which may do anything with it. READING is the version of the
 * storage that the user looks at, plus one. DONE says that the mover has ended.
 */
const domain = new TinyDomain({ agents: 3 }, ["SPOILED", "READING", "DONE"]);
const [SPOILED, READING, DONE] = [domain.extra("SPOILED"), domain.extra("READING"), domain.extra("DONE")];
const VERSION = domain.layout.buffer(0) + BUFFER.VERSION;
const MOVER_WORD = domain.layout.buffer(0) + BUFFER.MOVER;

// storage-slot.2
test(
  "storage-slot.1 storage-slot.3 move.1: a reader with a hold never looks at old storage, whichever agent dies at any step",
  EXPLORES,
  (t) => {
    tryAll(t, domain, mortal({ mover: moves(), user: readsByHold() }));
  },
);

test(
  "storage-slot.4 storage-slot.5: an agent that has pinned the storage never looks at old storage, whichever agent dies at any step",
  EXPLORES,
  (t) => {
    tryAll(t, domain, mortal({ mover: moves(), user: readsByPin() }));
  },
);

test(
  "move.2 request-server.4: an importer that is told while it blocks for the lock never looks at old storage",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario({ mover: moves({ tells: true }), user: follows() }));
  },
);

test(
  "move.2: an importer that dies at any step takes at most the lock along, and the move begins again",
  EXPLORES,
  (t) => {
    tryAll(t, domain, mortal({ mover: moves({ tells: true }), user: follows(0) }, ["user"]));
  },
);

test("move.2: a mover that dies at any step leaves the importer alone with the lock open", EXPLORES, (t) => {
  tryAll(t, domain, mortal({ mover: moves({ tells: true }), user: follows(0) }, ["mover"]));
});

/** Mistakes in the protocol, as memory that does one thing wrongly. */
const MISTAKES: Record<string, [mover: Program, user: Program]> = {
  "a pinner that does not look at the mover": [
    moves(),
    readsByPin((memory) => ({ load: (word) => (word === MOVER_WORD ? 0 : memory.load(word)) })),
  ],
  "a mover that does not say that it moves": [
    moves({ fault: (memory) => ({ store: (word, value) => void (word === MOVER_WORD || memory.store(word, value)) }) }),
    readsByPin(),
  ],
  "a reader that does not look at the version": [
    moves(),
    readsByHold((memory) => ({ load: (word) => (word === VERSION ? 0 : memory.load(word)) })),
  ],
  "a mover that does not tell the importers": [moves(), follows()],
};

for (const [name, [mover, user]] of Object.entries(MISTAKES)) {
  test(`the exploration finds ${name}`, EXPLORES, () => {
    assertCaught(domain, scenario({ mover, user }), "invariant", /looks at storage that was given up/);
  });
}

function scenario(agents: Record<string, Program>): Scenario {
  return {
    agents,
    prepare: (memory) => domain.open(memory, 3),
    invariant(memory) {
      const isLooking = memory.load(READING) === 1 && isLive(domain.segment(memory), identityOf(USER));
      assert.ok(!isLooking || memory.load(SPOILED) === 0, "the user looks at storage that was given up");
    },
    check(memory) {
      const segment = domain.segment(memory);
      const [holder, mover] = [holderOf(lockHolder(segment, 0)), memory.load(MOVER_WORD)];
      assert.ok(holder === 0 || !isLive(segment, holder), "a live agent keeps the lock");
      assert.ok(mover === 0 || !isLive(segment, mover), "a live agent is still moving");
      assert.ok(storageVersion(segment, 0) === 1 || memory.load(SPOILED) === 0, "the storage is gone");
    },
  };
}

/** Agents of which one may die at any step; another then gives back what it held. */
function mortal(agents: Record<string, Program>, mortals: readonly string[] = Object.keys(agents)): Scenario {
  const reaper = (memory: Substrate, victim: number): void => domain.recover(memory, REAPER, victim);
  return { ...scenario(agents), crash: { agents: mortals, recover: { reaper } } };
}

/** Moves the storage as `moveStorage` does, blocking; its old place is used for something else at once. */
function moves({ tells = false, fault }: { tells?: boolean; fault?: Fault } = {}): Program {
  return (memory) => {
    const agent = domain.agent(memory, MOVER, { fault });
    const holds = new Holds(agent, 0);
    agent.waitSync(awaitedHold(holds, "write"));
    const outcome = moveLocked(agent, memory, tells);
    holds.release("write");
    memory.store(DONE, 1);
    ring(agent, USER);
    return outcome;
  };
}

function moveLocked(agent: Agent, memory: Substrate, tells: boolean): string {
  const reservation = reservationAt(agent, 0);
  for (;;) {
    using _lock = reservation.lockSync();
    if (!beginMove(agent, 0)) return "pinned";
    if (tells) tell(agent, reservation);
    if (reservation.isHeldHere) {
      publishVersion(agent, 0, 1);
      memory.store(SPOILED, 1);
      endMove(agent, 0);
      return "moved";
    }
    endMove(agent, 0);
  }
}

function tell(agent: Agent, reservation: Reservation): void {
  const none = { attachment: 0, mapping: 0, isDynamic: false, allowPeerToPeer: false, name: "" };
  const buffer = { slot: 0, generation: 1 };
  const fields = { exporter: identityOf(USER), buffer, operation: "moveNotify", mode: "write", ...none } as const;
  try {
    takeSync(agent, new PendingRequest(agent, fields, userOf(reservation)).answer());
  } catch (error) {
    if (!(error instanceof DmaBufError && error.code === "ESRCH")) throw error;
  }
}

function readsByHold(fault?: Fault): Program {
  return (memory) => {
    const agent = domain.agent(memory, USER, { fault });
    const holds = new Holds(agent, 0);
    agent.waitSync(awaitedHold(holds, "read"));
    look(memory, storageVersion(agent, 0));
    holds.release("read");
  };
}

function readsByPin(fault?: Fault): Program {
  return (memory) => {
    const agent = domain.agent(memory, USER, { fault });
    if (!tryAddPin(agent, 0)) return "moving";
    look(memory, storageVersion(agent, 0));
    dropPin(agent, 0);
    return "read";
  };
}

/**
 * Maps under the lock, and uses that mapping under the lock again unless it was told of a move in between.
 *
 * @param uses So many times it locks; 0 for one that only listens.
 */
function follows(uses = 2): Program {
  return (memory) => {
    const agent = domain.agent(memory, USER);
    const reservation = reservationAt(agent, 0);
    let mapping: number | undefined;
    const followers = { reservation: userOf(reservation), moveNotify: () => (mapping = undefined) };
    agent.addInterrupt(() => {
      for (const request of postedRequests(agent)) tellOfMove(agent, request, followers);
    });
    for (let use = 0; use < uses; use++) {
      using _lock = reservation.lockSync();
      mapping ??= storageVersion(agent, 0);
      if (use > 0) look(memory, mapping);
    }
    const done = (): boolean => memory.load(DONE) === 1 || !isLive(agent, identityOf(MOVER));
    agent.waitSync({ arm: () => {}, ready: done });
  };
}

function look(memory: Substrate, version: number): void {
  memory.store(READING, version + 1);
  memory.store(READING, 0);
}
