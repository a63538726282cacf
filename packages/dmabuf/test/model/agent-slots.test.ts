import assert from "node:assert/strict";
import { claimAgentSlot, isLive, markDead, retireAgentSlot } from "../../src/domain/agent-slot.js";
import { AGENT, AGENT_PHASE } from "../../src/domain/layout.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { createDomain, FIRST, identity, LAYOUT, OWNER, segmentOf, SECOND, unlessFull } from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// Joining, leaving and being declared dead, without recovery.

const STATE = LAYOUT.agent(0) + AGENT.STATE;

/** Returns the newcomer's identity, 0 if the domain is full. */
function join(memory: Substrate): number {
  return unlessFull(() => claimAgentSlot(segmentOf(memory), "a"));
}

function stateOf(memory: Substrate, slot: number): { generation: number; state: number } {
  const word = memory.load(LAYOUT.agent(slot) + AGENT.STATE);
  return { generation: word >>> 10, state: word & 1023 };
}

const NOT_EXCHANGED: Mistake = {
  name: "A state that is looked at and then stored",
  report: /^The check threw/,
  plant: (memory) => ({
    compareExchange(word, expected, replacement) {
      const old = memory.load(word);
      if (old === expected) memory.store(word, replacement);
      return old;
    },
  }),
};

testProtocol({
  name: "of three who join where two slots are free two get in, with different identities (agent-slot.1, agent-slot.2)",
  options: {
    prepare(memory) {
      createDomain(memory);
      retireAgentSlot(segmentOf(memory), FIRST);
      retireAgentSlot(segmentOf(memory), SECOND);
    },
    agents: { a: join, b: join, c: join },
    check(memory, { results }) {
      const identities = Object.values(results as Record<string, number>).sort((a, b) => a - b);
      assert.deepEqual(identities, [0, identity(1, 2), identity(2, 2)]);
      for (const joined of identities.slice(1)) assert.ok(isLive(segmentOf(memory), joined));
    },
  },
  mistakes: [NOT_EXCHANGED],
});

testProtocol({
  name: "an agent that leaves, is declared dead twice and replaced, at once, goes one way only (agent-slot.1, agent-slot.2, agent-slot.3)",
  options: {
    prepare: createDomain,
    agents: {
      leaver: (memory) => retireAgentSlot(segmentOf(memory), OWNER),
      first: (memory) => markDead(segmentOf(memory), OWNER),
      second: (memory) => markDead(segmentOf(memory), OWNER),
      newcomer: join,
    },
    check(memory, { results }) {
      const deaths = [results["first"], results["second"]].filter(Boolean).length;
      assert.ok(!isLive(segmentOf(memory), OWNER));
      if (deaths > 0) {
        assert.equal(deaths, 1);
        assert.equal(results["newcomer"], 0);
        assert.deepEqual(stateOf(memory, 0), { generation: 1, state: AGENT_PHASE.DEAD });
      } else if (results["newcomer"] === 0) {
        assert.deepEqual(stateOf(memory, 0), { generation: 1, state: AGENT_PHASE.FREE });
      } else {
        assert.equal(results["newcomer"], identity(0, 2));
        assert.deepEqual(stateOf(memory, 0), { generation: 2, state: AGENT_PHASE.LIVE });
      }
    },
  },
  mistakes: [
    NOT_EXCHANGED,
    {
      name: "A leaver that opens its slot whatever has become of it",
      report: /^The check threw/,
      agent: "leaver",
      plant: (memory) => ({
        compareExchange(word, expected, replacement) {
          assert.equal(word, STATE);
          memory.store(word, replacement);
          return expected;
        },
      }),
    },
  ],
});
