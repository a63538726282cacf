import { awaitedHold } from "../../src/buffer/awaited-hold.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Holds } from "../../src/buffer/hold.js";
import { claimAgentSlot, markDead } from "../../src/domain/agent-slot.js";
import { AGENT, BUFFER, LOCK_ATTEMPT } from "../../src/domain/layout.js";
import { addPin, beginMove, endMove } from "../../src/buffer/storage-slot.js";
import type { AccessMode } from "../../src/reservation/usage.js";
import { PendingRequest } from "../../src/buffer/pending-request.js";
import { codeOf } from "../../src/errors.js";
import { lockHolder } from "../../src/reservation/lock.js";
import { landmark } from "../../src/testing/index.js";
import {
  assertCaught,
  EXPLORES,
  faulty,
  SOUND,
  tryAll,
  type Fault,
  type Program,
  type Scenario,
} from "./interleavings.js";
import { unlessFull } from "./model-domain.js";
import { DEAD, deadCount, MORTAL, REAPER, stoppedReaper, WAITER, type StoppedReaper } from "./stopped-reaper.js";
import { identityOf, requestTo, TinyDomain } from "./tiny-domain.js";
import { takeSync } from "../../src/domain/steps.js";

// A dead agent blocks no other, even when its reaper is stopped; the contract is in src/domain/recovery.ts.

const BUFFER_SLOT = 0;
const domain = new TinyDomain({ agents: 3 });
const { layout } = domain;
const WRITER = layout.buffer(BUFFER_SLOT) + BUFFER.WRITER;
const READERS = layout.buffer(BUFFER_SLOT) + layout.BUFFER.READERS;
const WAITERS = layout.buffer(BUFFER_SLOT) + layout.BUFFER.HOLD_WAITERS;
const PINS = layout.buffer(BUFFER_SLOT) + layout.BUFFER.PINS;
const LOCK_WAITERS = layout.buffer(BUFFER_SLOT) + layout.BUFFER.LOCK_WAITERS;
const BELL = layout.agent(WAITER) + AGENT.DOORBELL;
const RELEASED = layout.agent(MORTAL) + AGENT.RELEASED;

for (const mode of ["read", "write"] as const) {
  test(
    `hold.5 recovery.1 recovery.2 recovery.7 recovery.8: an agent that waits for the ${mode} hold of a dead one gets it though its reaper is stopped`,
    EXPLORES,
    (t) => {
      tryAll(t, domain, scenario({ waiter: writes(), mortal: uses(mode) }));
    },
  );
}

test(
  "hold.5 recovery.3: the bit of a dead reader is not taken for that of the next agent in its slot",
  EXPLORES,
  (t) => {
    tryAll(t, domain, succession());
  },
);

test(
  "storage-slot.5 recovery.3: the pin of a dead agent is not taken for one of the next agent in its slot",
  EXPLORES,
  (t) => {
    tryAll(t, domain, pinnedByTheDead());
  },
);

test(
  "lock.1 recovery.1 recovery.8: an agent that waits for the lock of a dead one gets it though its reaper is stopped",
  EXPLORES,
  (t) => {
    const mine = identityOf(WAITER);
    const locks: Program = (memory) => {
      const agent = domain.agent(memory, WAITER, { arms: [LOCK_WAITERS], state: () => "" });
      const ready = (): boolean => agent.protocol.tryTakeLock(BUFFER_SLOT, mine, 0, 0) === LOCK_ATTEMPT.TAKEN;
      agent.waitSync({ arm: () => agent.protocol.armLock(BUFFER_SLOT, mine), ready });
      landmark(memory, "has the lock");
      agent.protocol.openLock(BUFFER_SLOT, mine, 0);
    };
    tryAll(t, domain, {
      prepare(memory) {
        domain.open(memory, 3);
        domain.member(memory, MORTAL).protocol.tryTakeLock(BUFFER_SLOT, DEAD, 0, 0);
      },
      ...stoppedReaper(domain, { waiter: locks }),
      check: (memory) => assert.equal(lockHolder(domain.segment(memory), BUFFER_SLOT), 0n),
    });
  },
);

test(
  "pending-request.1 recovery.7 recovery.8: an agent that waits for a dead one's answer is told that none comes though its reaper is stopped",
  EXPLORES,
  (t) => {
    const asks: Program = (memory) => {
      const agent = domain.agent(memory, WAITER, { state: () => "" });
      try {
        const request = { ...requestTo(MORTAL), exporter: DEAD, operation: "attach" } as const;
        return takeSync(agent, new PendingRequest(agent, request).answer());
      } catch (error) {
        return codeOf(error);
      }
    };
    tryAll(t, domain, {
      prepare: (memory) => domain.open(memory, 3),
      ...stoppedReaper(domain, { waiter: asks }),
      check: (_memory, { results }) => assert.equal(results["waiter"], "ESRCH"),
    });
  },
);

/** Takes what a word holds when it is looked at twice in a row for what it was at the first look. */
const seenOnce =
  (looked: number): Fault =>
  (memory) => {
    let seen = 0;
    return {
      load(word) {
        if (word !== looked) return memory.load(word);
        const value = seen === 0 ? memory.load(word) : seen;
        seen = seen === 0 ? value : 0;
        return value;
      },
    };
  };

test("a reader's bit that counts until the reaper takes it away is found", EXPLORES, () => {
  const stopped = scenario({ waiter: writes(deadCount(domain, MORTAL)), mortal: uses("read") });
  assertCaught(domain, stopped, "deadlock", /No agent is left to wake waiter/);
});

test("a reaper that says that it has released the dead before it rings is found", EXPLORES, () => {
  const fault: Fault = (memory) => ({
    // A ring, as the model has it.
    store(word, value) {
      if (word === BELL) memory.store(RELEASED, DEAD);
      memory.store(word, value);
    },
  });
  const stopped = scenario({ waiter: writes(), mortal: uses("read"), fault });
  assertCaught(domain, stopped, "deadlock", /No agent is left to wake waiter[^]*reaper +is killed/);
});

test("a writer that takes a dead reader's bit for that of the next agent in its slot is found", EXPLORES, () => {
  assertCaught(domain, succession(seenOnce(READERS)), "deadlock", /No agent is left to wake writer/);
});

test("a mover that takes a dead agent's pin for one of the next agent in its slot is found", EXPLORES, () => {
  assertCaught(domain, pinnedByTheDead(seenOnce(PINS + MORTAL)), "check", /the dead keep the storage where it is/);
});

function scenario(agents: StoppedReaper): Scenario {
  return { prepare: (memory) => domain.open(memory, 3), ...stoppedReaper(domain, agents) };
}

/**
 * A writer waits for a reader that has died, while a reaper is at it, and another agent joins in its place and reads.
 */
function succession(fault?: Fault): Scenario {
  return {
    prepare(memory) {
      domain.open(memory, 3);
      new Holds(domain.agent(memory, MORTAL), BUFFER_SLOT).tryTake("read");
    },
    agents: {
      writer: writes(fault),
      reaper: (memory) => domain.recover(memory, REAPER, MORTAL),
      newcomer(memory) {
        if (unlessFull(() => claimAgentSlot(domain.segment(memory), "")) !== 0) uses("read")(memory);
      },
    },
    check: (memory) => assert.equal(memory.load(READERS), 0),
  };
}

/**
 * A mover looks at the pins of an agent that has died, while a reaper is at it, and another agent joins in its place.
 */
function pinnedByTheDead(fault: Fault = SOUND): Scenario {
  return {
    prepare(memory) {
      domain.open(memory, 3);
      addPin(domain.member(memory, MORTAL), BUFFER_SLOT);
      markDead(domain.segment(memory), DEAD);
    },
    agents: {
      mover(memory) {
        const member = domain.member(faulty(memory, fault), WAITER);
        const began = beginMove(member, BUFFER_SLOT);
        if (began) endMove(member, BUFFER_SLOT);
        return began;
      },
      reaper: (memory) => domain.recover(memory, REAPER, MORTAL),
      newcomer: (memory) => unlessFull(() => claimAgentSlot(domain.segment(memory), "")),
    },
    check: (_memory, { results }) => assert.ok(results["mover"], "the dead keep the storage where it is"),
  };
}

/** Waits for the buffer, writes it, and gives it back. */
function writes(fault?: Fault): Program {
  return (memory) => {
    let held = false;
    const watched = { knows: [WRITER], arms: [WAITERS], state: () => `held: ${held}` };
    const agent = domain.agent(memory, WAITER, { fault, ...watched });
    const holds = new Holds(agent, BUFFER_SLOT);
    assert.ok(agent.waitSync(awaitedHold(holds, "write")));
    held = true;
    landmark(memory, "holds");
    holds.release("write");
  };
}

/** The agent in the mortal one's slot takes a hold if it can, and gives it back. */
function uses(mode: AccessMode): Program {
  return (memory) => {
    const holds = new Holds(domain.agent(memory, MORTAL), BUFFER_SLOT);
    if (!holds.tryTake(mode)) return;
    landmark(memory, "holds");
    holds.release(mode);
  };
}
