import assert from "node:assert/strict";
import { AGENT } from "../../src/domain/layout.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  agentOf,
  claim,
  complete,
  createDomain,
  FIRST,
  keyOf,
  LAYOUT,
  OWNER,
  recoverFrom,
  SECOND,
  signalOf,
  waitsForKey,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// One thread waits synchronously, and asynchronously in its event loop, at one doorbell.

const BELL = LAYOUT.agent(1) + AGENT.DOORBELL;

const waitsAsynchronously = (sequence: number) => (memory: Substrate) => {
  const agent = agentOf(memory, FIRST);
  let heard = false;
  // On the model a task sleeps within the call, and the other one may have the thread until then.
  agent.watch(signalOf(agent, keyOf("timeline", 1, sequence)), () => (heard = true));
  return heard;
};

const waitsSynchronously = (sequence: number) => waitsForKey(FIRST, keyOf("timeline", 1, sequence));

const MISTAKES: readonly Mistake[] = [
  {
    name: "A doorbell that does not count",
    report: /^No agent is left to wake waiter/,
    agent: "owner",
    plant: (memory) => ({ add: (word, amount) => (word === BELL ? memory.load(word) : memory.add(word, amount)) }),
  },
  {
    name: "A ring that wakes before it counts",
    report: /^No agent is left to wake waiter/,
    agent: "owner",
    plant(memory) {
      return {
        add(word, amount) {
          memory.wake(word);
          return memory.add(word, amount);
        },
        wake: () => 0,
      };
    },
  },
];

for (const [synchronous, asynchronous] of [
  [1, 2],
  [2, 1],
  [1, 1],
] as const) {
  testProtocol({
    name: `an agent that waits for ${synchronous} synchronously and for ${asynchronous} asynchronously is told of both, wherever the owner dies (agent-slot.4, substrate.3, agent.3)`,
    options: {
      timeouts: false,
      prepare(memory) {
        createDomain(memory);
        claim(memory, "timeline", OWNER);
      },
      agents: {
        owner(memory) {
          complete(memory, keyOf("timeline", 1, 1));
          complete(memory, keyOf("timeline", 1, 2));
        },
        waiter: [waitsSynchronously(synchronous), waitsAsynchronously(asynchronous)],
      },
      crash: { agents: ["owner"], recover: { survivor: (memory) => recoverFrom(memory, SECOND, OWNER) } },
      check: (_memory, { results }) => assert.deepEqual(results["waiter"], [true, true]),
    },
    mistakes: synchronous < asynchronous ? MISTAKES : [],
  });
}
