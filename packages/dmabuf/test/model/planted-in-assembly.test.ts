import assert from "node:assert/strict";
import type { Substrate } from "../../src/substrate/substrate.js";
import { armKey, isKeySignaled } from "../../src/domain/fence-slot.js";
import { agentOf, claim, complete, createDomain, FIRST, keyOf, OWNER } from "./model-domain.js";
import { testMutations } from "./planted-in-assembly.js";

// Bugs in the sources that are compiled to WebAssembly: the explorations run on a build that has them.

const KEY = keyOf("timeline");

testMutations(
  "an agent waits for a timeline's fence",
  {
    timeouts: false,
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
    },
    agents: {
      owner: (memory: Substrate) => complete(memory, KEY),
      waiter(memory: Substrate) {
        const agent = agentOf(memory, FIRST);
        const arm = (): void => armKey(agent, KEY);
        return agent.waitSync({ arm, ready: () => isKeySignaled(agent, KEY) });
      },
    },
    check: (_memory, { results }) => assert.equal(results["waiter"], true),
  },
  [
    {
      name: "a ring that wakes before it counts",
      file: "agent-slot.ts",
      from: "  addWord(bell, 1);\n  wake(bell);\n",
      to: "  wake(bell);\n  addWord(bell, 1);\n",
      report: /^No agent is left to wake waiter/,
    },
  ],
);
