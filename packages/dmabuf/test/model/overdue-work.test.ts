import assert from "node:assert/strict";
import { test } from "node:test";
import { Agent } from "../../src/domain/agent.js";
import { AGENT, ONE_SHOT, TIMELINE } from "../../src/domain/layout.js";
import { acknowledgeTimeline, claimTimeline, completeTimeline, endTimeline } from "../../src/domain/timeline-slot.js";
import { ERRNO } from "../../src/errors.js";
import type { Fence } from "../../src/fence/fence.js";
import { backingOf } from "../../src/fence/fence.js";
import { createFence } from "../../src/fence/local-fence.js";
import { publish } from "../../src/fence/published-fence.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import { OverdueWork } from "../../src/reservation/overdue-work.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore, type ExploreOptions } from "../../src/testing/index.js";
import { assertCaught, EXPLORES, faulty, tryAll, type Fault, type Scenario } from "./interleavings.js";
import {
  agentOf,
  claim,
  createDomain,
  end,
  FIRST,
  free,
  keyOf,
  type Kind,
  KINDS,
  LAYOUT,
  memberOf,
  OWNER,
  recoverFrom,
  SCRATCH,
  SECOND,
  THIRD,
  TIME_LIMIT,
  WORDS,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";
import { TinyDomain } from "./tiny-domain.js";
import { createTimeline } from "../../src/fence/timeline.js";
import { addEntry, reservationAt } from "../reservation-at.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

// A time limit has ended a fence while its owner is still at its work; who wants the memory waits for the owner.

const { ETIMEDOUT } = ERRNO;

/** Behind the domain: whether the fence has been made, and whether its work has finished. */
const MADE = SCRATCH;
const DONE = SCRATCH + 1;

const ACKNOWLEDGED = {
  timeline: LAYOUT.timeline(0) + TIMELINE.ACKNOWLEDGED,
  "one-shot": LAYOUT.oneShot(1) + ONE_SHOT.ACKNOWLEDGED,
} satisfies Record<Kind, number>;

const prepare = (kind: Kind) => (memory: Substrate) => {
  createDomain(memory);
  claim(memory, kind, OWNER);
  end(memory, keyOf(kind), ETIMEDOUT);
};

/** Does the rest of its work, and says so. */
const finishes = (kind: Kind) => (memory: Substrate) => {
  memory.store(DONE, 1);
  if (kind === "timeline") acknowledgeTimeline(memberOf(memory, OWNER), 0, 1, 1);
  else free(memory, kind, OWNER);
};

const frees = (kind: Kind) => (memory: Substrate) => {
  memory.store(DONE, 1);
  free(memory, kind, OWNER);
};

/** Waits until no work is overdue; returns whether the work has finished. */
const waits = (kind: Kind) => (memory: Substrate) => {
  const agent = agentOf(memory, FIRST);
  agent.waitSync(new OverdueWork(agent, [{ key: keyOf(kind), level: 1 }]));
  return memory.load(DONE) === 1;
};

const DEAF: Mistake = {
  name: "An owner that says it and rings no agent",
  report: /No agent is left to wake waiter/,
  agent: "owner",
  plant: () => ({ exchange: () => 0 }),
};

const LATE_ARMING: Mistake = {
  name: "A waiter that looks before it has set its bit",
  report: /No agent is left to wake waiter/,
  agent: "waiter",
  plant(memory) {
    let arm = (): void => {};
    return {
      or(word, bits) {
        arm = () => void memory.or(word, bits);
        return 0;
      },
      park(word, expected, timeoutMs) {
        arm();
        return memory.park(word, expected, timeoutMs);
      },
    };
  },
};

/** The agent's memory, in which the owner of the work seems to be dead. */
const owner = LAYOUT.agent(0) + AGENT.STATE;
const TAKEN_FOR_DEAD: Fault = (memory) => ({ load: (word) => (word === owner ? 0 : memory.load(word)) });

for (const kind of KINDS) {
  testProtocol({
    name: `who waits for late work of a ${kind} goes on when its owner says that it has finished, and not before (timeline-slot.8, timeline-slot.9, one-shot-slot.4)`,
    options: {
      prepare: prepare(kind),
      merge: true,
      agents: { owner: finishes(kind), waiter: waits(kind) },
      check: (_memory, { results }) => assert.equal(results["waiter"], true, "the waiter was too early"),
    },
    mistakes: [
      DEAF,
      LATE_ARMING,
      {
        name: "A waiter that takes a live owner for dead",
        report: /the waiter was too early/,
        agent: "waiter",
        plant: TAKEN_FOR_DEAD,
      },
    ],
  });

  testProtocol({
    name: `who waits for late work of a ${kind} goes on when its slot is given back, and takes no next owner for the late one (timeline-slot.9, one-shot-slot.4)`,
    options: {
      prepare: prepare(kind),
      merge: true,
      agents: {
        owner: frees(kind),
        waiter: waits(kind),
        next(memory) {
          const generation = claim(memory, kind, SECOND);
          if (generation !== 0) end(memory, keyOf(kind, generation), ETIMEDOUT);
        },
      },
      check: (_memory, { results }) => assert.equal(results["waiter"], true, "the waiter was too early"),
    },
    mistakes: [
      DEAF,
      {
        name: "A slot that is given back without a word",
        report: /No agent is left to wake waiter/,
        agent: "owner",
        plant: (memory) => ({
          store64: (word, value) => void (word === ACKNOWLEDGED[kind] || memory.store64(word, value)),
          store: (word, value) => void (word === ACKNOWLEDGED[kind] || memory.store(word, value)),
        }),
      },
    ],
  });

  for (const [how, program] of Object.entries({
    "saying that it has finished": finishes,
    "giving its slot back": frees,
  })) {
    testProtocol({
      name: `who waits for late work of a ${kind} goes on wherever its owner dies, ${how} (recovery.1, recovery.7)`,
      options: {
        prepare: prepare(kind),
        merge: true,
        agents: { owner: program(kind), waiter: waits(kind) },
        crash: {
          agents: ["owner"],
          recover: { survivor: (memory) => recoverFrom(memory, THIRD, OWNER) },
        },
        check(_memory, { results, crashed }) {
          assert.ok(results["waiter"] === true || crashed.includes("owner"), "the waiter was too early");
        },
      },
      mistakes: [
        {
          name: "A recovery that rings no agent",
          report: /No agent is left to wake waiter/,
          agent: "survivor",
          plant: () => ({ wake: () => 0 }),
        },
      ],
    });
  }

  const fact = `whether a time limit or the owner of a ${kind} fence is faster, its work has finished when a waiter gets the memory (fence.7, shared-fence.4)`;
  testProtocol({ name: fact, options: race(kind, waits(kind)) });

  test(`A waiter that goes on when the fence has signaled is noticed by: ${fact}`, EXPLORES, () => {
    const hasty = (memory: Substrate): boolean => memory.load(DONE) === 1;
    assert.throws(() => explore({ words: WORDS, ...race(kind, hasty) }), /the waiter was too early/);
  });
}

/** The owner of a fence works and signals it, while another agent waits for the fence longer than its limit. */
function race(kind: Kind, thenWaits: (memory: Substrate) => boolean): Omit<ExploreOptions, "words"> {
  return {
    prepare: createDomain,
    agents: {
      owner(memory) {
        const fence = MAKERS[kind](busyAgent(memory));
        memory.store(MADE, 1);
        memory.store(DONE, 1);
        return fence.signal();
      },
      waiter(memory) {
        while (memory.load(MADE) === 0) memory.pause();
        const agent = agentOf(memory, FIRST);
        const fence = fenceAt(agent, keyOf(kind));
        if (fence !== undefined) agent.waitSync(backingOf(fence).awaited(fence));
        return thenWaits(memory);
      },
    },
    check: (_memory, { results }) => assert.equal(results["waiter"], true, "the waiter was too early"),
  };
}

const MAKERS: Record<Kind, (agent: Agent) => Fence> = {
  timeline: (agent) => createTimeline(agent, { timeLimit: TIME_LIMIT }).createFence(),
  "one-shot"(agent) {
    const fence = createFence(agent, { driverName: "d", timelineName: "n" }, 1, 1);
    publish(fence, TIME_LIMIT);
    return fence;
  },
};

/** An agent whose event loop gets no turn: so that it does not sleep in a watch of its own. */
function busyAgent(memory: Substrate): Agent {
  const { layout, host } = agentOf(memory, OWNER);
  return new (class extends Agent {
    override watch(): () => void {
      return () => {};
    }
  })(segmentOf(memory, layout), OWNER, host);
}

const domain = new TinyDomain({ agents: 4, timelines: 2 }, ["DONE"]);
const WORK_DONE = domain.extra("DONE");
const LATE_KEY = { slot: 0, generation: 1, sequence: 1 };

test(
  "reservation.6 entries.4: while work is late, no reader without the lock finds its entry gone, whatever is added",
  EXPLORES,
  (t) => {
    tryAll(t, domain, additions());
  },
);

test("An addition over the entry of late work: that is found", EXPLORES, () => {
  const state = domain.layout.agent(0) + AGENT.STATE;
  const careless: Fault = (memory) => ({ load: (word) => (word === state ? 0 : memory.load(word)) });
  assertCaught(domain, additions(careless), "threw", /the memory was given away/);
});

/** One agent's work becomes late or is finished in time, while another one adds a fence to the same reservation. */
function additions(fault: Fault = () => ({})): Scenario {
  return {
    prepare(memory) {
      domain.open(memory, 4);
      for (const slot of [0, 1]) {
        claimTimeline(domain.member(memory, slot), { name: "", driverName: "", timeLimit: 1000 });
      }
      addEntry(domain.segment(memory), 0, { key: LATE_KEY, level: 1 });
    },
    agents: {
      owner(memory) {
        const member = domain.member(memory, 0);
        memory.store(WORK_DONE, 1);
        if (!completeTimeline(member, LATE_KEY, 0, 1, 1)) acknowledgeTimeline(member, 0, 1, 1);
      },
      hangRecovery: (memory) => endTimeline(domain.segment(memory), 0, 1, ETIMEDOUT),
      writer(memory) {
        const agent = domain.agent(faulty(memory, fault), 1);
        const reservation = reservationAt(agent, 0);
        using _lock = reservation.lockSync();
        reservation.reserveFences(1);
        reservation.addFence(fenceAt(agent, { slot: 1, generation: 1, sequence: 1 })!, "bookkeep");
      },
      reader(memory) {
        const reservation = reservationAt(domain.agent(memory, 2), 0);
        if (!reservation.testFinished("write")) return;
        assert.equal(memory.load(WORK_DONE), 1, "the memory was given away");
      },
    },
  };
}
