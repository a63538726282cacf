import assert from "node:assert/strict";
import { claimAgentSlot, markDead } from "../../src/domain/agent-slot.js";
import { FENCE_RECOVERY } from "../../src/domain/fence-slot.js";
import { AGENT, AGENT_PHASE, ONE_SHOT, TIMELINE } from "../../src/domain/layout.js";
import { leave } from "../../src/domain/recovery.js";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { faulty } from "./interleavings.js";
import {
  claim,
  createDomain,
  FIRST,
  identity,
  keyOf,
  type Kind,
  KINDS,
  LAYOUT,
  look,
  memberOf,
  NOW,
  OWNER,
  ownerWord,
  recoverFrom,
  SCRATCH,
  SECOND,
  segmentOf,
  THIRD,
  unlessFull,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// An agent has died, or dies at any step, and others give back what it held while another agent joins in its place.

const { ECANCELED, ESRCH } = ERRNO;
const REAPER = LAYOUT.agent(0) + AGENT.REAPER;
const STATE = LAYOUT.agent(0) + AGENT.STATE;

/**
 * Joins if there is room, and takes the slot of a kind if it is free. Returns the new identity, and tells its fence.
 */
const joins = (kind: Kind) => (memory: Substrate) => {
  const self = unlessFull(() => claimAgentSlot(segmentOf(memory), "a"));
  if (self !== 0) memory.store(SCRATCH, claim(memory, kind, self));
  return self;
};

/** The agent slot's state, and how often it was used. */
function slotState(memory: Substrate, slot: number): { state: number; uses: number } {
  const word = memory.load(LAYOUT.agent(slot) + AGENT.STATE);
  return { state: word & 1023, uses: word >>> 10 };
}

/** Asserts that a dead agent's slot has gone to the newcomer, or is free for one. */
function checkSlot(memory: Substrate, slot: number, newcomer: unknown): void {
  const isTaken = newcomer === identity(slot, 2);
  const state = isTaken ? AGENT_PHASE.LIVE : AGENT_PHASE.FREE;
  assert.deepEqual(slotState(memory, slot), { state, uses: isTaken ? 2 : 1 }, `slot ${slot} is not as it should be`);
}

/** Asserts that the dead owner's fence has ended, and that the newcomer has its own. */
function checkFences(memory: Substrate, kind: Kind, newcomer: unknown, ends: readonly number[]): void {
  const status = look(memory, keyOf(kind));
  assert.ok(ends.includes(status), `the dead owner's fence has the status ${status}`);
  const generation = memory.load(SCRATCH);
  const owner = memory.load(ownerWord(kind));
  assert.equal(owner, generation === 0 ? 0 : newcomer, "the slot of the fence has the wrong owner");
  if (generation !== 0) assert.equal(look(memory, keyOf(kind, generation)), 0, "the newcomer's fence was ended");
}

const prepare = (kind: Kind) => (memory: Substrate) => {
  createDomain(memory);
  claim(memory, kind, OWNER);
};

/** No agent waits here, so none is rung: that leaves room to try the rest. @param unsaid Words that are not written. */
const reaps =
  (self: number, dead: number, unsaid: readonly number[] = []) =>
  (memory: Substrate) => {
    const add = (word: number, amount: number): number => (BELLS.includes(word) ? 0 : memory.add(word, amount));
    const store = (word: number, value: number): void => {
      if (!unsaid.includes(word)) memory.store(word, value);
    };
    recoverFrom(
      faulty(memory, () => ({ add, store, wake: () => 0 })),
      self,
      dead,
    );
  };

const BELLS = [0, 1, 2, 3].map((slot) => LAYOUT.agent(slot) + AGENT.DOORBELL);
/** Where there is nothing to release, each may do it: that, too, leaves room. */
const RELEASED = [0, 1, 2, 3].map((slot) => LAYOUT.agent(slot) + AGENT.RELEASED);

const UNCLAIMED: Mistake = {
  name: "A claim that two reapers can have",
  report: /The check threw/,
  plant: (memory) => ({
    compareExchange(word, expected, replacement) {
      if (word !== REAPER) return memory.compareExchange(word, expected, replacement);
      memory.store(word, replacement);
      return expected;
    },
  }),
};

for (const kind of KINDS) {
  const owner = ownerWord(kind);
  const generation =
    kind === "timeline" ? LAYOUT.timeline(0) + TIMELINE.GENERATION : LAYOUT.oneShot(1) + ONE_SHOT.GENERATION;

  testProtocol({
    name: `two reapers of the owner of a ${kind} free its slot once, and a newcomer there loses nothing (agent-slot.2, agent-slot.3, recovery.1, recovery.2, recovery.3)`,
    options: {
      prepare: prepare(kind),
      agents: { newcomer: joins(kind), first: reaps(FIRST, OWNER), second: reaps(SECOND, OWNER) },
      check(memory, { results }) {
        checkSlot(memory, 0, results["newcomer"]);
        checkFences(memory, kind, results["newcomer"], [-ESRCH]);
      },
    },
    mistakes: [
      UNCLAIMED,
      {
        name: "A reaper that looks at the owner before the generation",
        report: /the newcomer's fence was ended/,
        plant(memory) {
          let seen: number | undefined;
          return {
            load(word) {
              if (word === generation) seen = memory.load(owner);
              if (word !== owner || seen === undefined) return memory.load(word);
              const value = seen;
              seen = undefined;
              return value;
            },
          };
        },
        agent: "second",
      },
    ],
  });
}

testProtocol({
  name: "a newcomer that dies at any step while its predecessor is being reaped is reaped too (agent-slot.2, recovery.1, recovery.4)",
  options: {
    prepare(memory) {
      prepare("timeline")(memory);
      markDead(segmentOf(memory), OWNER);
    },
    agents: { newcomer: joins("timeline"), first: reaps(FIRST, OWNER) },
    crash: { agents: ["newcomer"], recover: { second: reaps(SECOND, identity(0, 2)) } },
    check(memory, { results, crashed }) {
      if (crashed.length === 0) {
        checkSlot(memory, 0, results["newcomer"]);
        checkFences(memory, "timeline", results["newcomer"], [-ESRCH]);
        return;
      }
      const { state } = slotState(memory, 0);
      assert.equal(state, AGENT_PHASE.FREE, "a dead agent's slot is left to no reaper");
      assert.equal(memory.load(ownerWord("timeline")), 0);
      assert.equal(look(memory, keyOf("timeline")), -ESRCH);
      const generation = memory.load(SCRATCH);
      if (generation !== 0)
        assert.equal(look(memory, keyOf("timeline", generation)), -ESRCH, "a fence is left pending");
    },
  },
  mistakes: [
    {
      name: "A reaper that does not look again when it lets its claim go",
      report: /a dead agent's slot is left to no reaper/,
      agent: "first",
      plant(memory) {
        let isOver = false;
        return {
          store(word, value) {
            if (word === REAPER) isOver = true;
            memory.store(word, value);
          },
          load: (word) => (isOver && word === STATE ? 0 : memory.load(word)),
        };
      },
    },
  ],
});

testProtocol({
  name: "wherever a reaper dies, the next one completes its sweep, and a newcomer loses nothing (recovery.2, recovery.3, recovery.4, recovery.6)",
  options: {
    prepare(memory) {
      prepare("timeline")(memory);
      markDead(segmentOf(memory), OWNER);
    },
    agents: { newcomer: joins("timeline"), first: reaps(FIRST, OWNER) },
    crash: { agents: ["first"], recover: { second: reaps(SECOND, FIRST) } },
    check(memory, { results, crashed }) {
      checkSlot(memory, 0, results["newcomer"]);
      if (crashed.length > 0) checkSlot(memory, 1, results["newcomer"]);
      checkFences(memory, "timeline", results["newcomer"], [-ESRCH]);
    },
  },
  mistakes: [
    {
      name: "A reaper that gives way to a dead one's claim",
      report: /slot 0 is not as it should be/,
      agent: "second",
      plant: (memory) => ({
        load: (word) => (word === REAPER && memory.load(word) === FIRST ? THIRD : memory.load(word)),
      }),
    },
  ],
});

testProtocol({
  name: "wherever one of two reapers dies, all slots of the dead come free, and a newcomer keeps its own (agent-slot.2, agent-slot.3, recovery.2, recovery.3, recovery.4)",
  options: {
    prepare: createDomain,
    agents: {
      newcomer: (memory) => unlessFull(() => claimAgentSlot(segmentOf(memory), "a")),
      first: reaps(FIRST, OWNER, RELEASED),
      second: reaps(SECOND, OWNER, RELEASED),
    },
    crash: { agents: ["first"], recover: { third: reaps(THIRD, FIRST, RELEASED) } },
    check(memory, { results, crashed }) {
      checkSlot(memory, 0, results["newcomer"]);
      if (crashed.length > 0) checkSlot(memory, 1, results["newcomer"]);
    },
  },
  mistakes: [UNCLAIMED],
});

testProtocol({
  name: "two reapers of two agents that died at once leave neither without a reaper (recovery.2, recovery.4)",
  options: {
    prepare: prepare("timeline"),
    agents: { first: reaps(FIRST, OWNER), second: reaps(SECOND, THIRD) },
    check(memory) {
      checkSlot(memory, 0, undefined);
      checkSlot(memory, 3, undefined);
      checkFences(memory, "timeline", undefined, [-ESRCH]);
    },
  },
  mistakes: [
    {
      name: "A reaper that sees to one death only",
      report: /slot 3 is not as it should be/,
      agent: "second",
      plant: (memory) => ({
        load: (word) => (word === LAYOUT.agent(3) + AGENT.STATE ? 0 : memory.load(word)),
      }),
    },
  ],
});

testProtocol({
  name: "wherever an agent dies that leaves, it has given back what it held or the reaper does (agent-slot.2, recovery.5, recovery.6)",
  options: {
    prepare: prepare("timeline"),
    agents: { leaver: (memory) => leave(memberOf(memory, OWNER), FENCE_RECOVERY, NOW), newcomer: joins("timeline") },
    crash: { agents: ["leaver"], recover: { reaper: reaps(FIRST, OWNER) } },
    check(memory, { results, crashed }) {
      checkSlot(memory, 0, results["newcomer"]);
      checkFences(memory, "timeline", results["newcomer"], crashed.length === 0 ? [-ECANCELED] : [-ECANCELED, -ESRCH]);
    },
  },
  mistakes: [
    {
      name: "A leaver that frees its slot before it gives back what it held",
      report: /The check threw/,
      agent: "leaver",
      plant(memory) {
        memory.store(STATE, identity(0) & ~1023);
        return {};
      },
    },
  ],
});
