import assert from "node:assert/strict";
import { addSyncobjPoint, claimSyncobj, SYNCOBJ_SLOTS } from "../../src/fence/syncobj-slot.js";
import { createFenceChain } from "../../src/fence/fence-chain.js";
import { backingOf } from "../../src/fence/fence.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import { SharedPoints } from "../../src/fence/shared-points.js";
import { SyncobjState } from "../../src/fence/syncobj-state.js";
import { waitForPointsSync } from "../../src/fence/syncobj-wait.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { agentOf, claim, complete, createDomain, FIRST, keyOf, memberOf, OWNER } from "./model-domain.js";
import { testProtocol } from "./protocol.js";

// Waits for one thing after the other: what comes next is found in the look that is to be the last before the sleep,
// and must still be armed (agent.2). Parks do not time out here.

const LINKS = [keyOf("one-shot"), keyOf("timeline")] as const;
const SYNCOBJ = { slot: 0, generation: 1 };

testProtocol({
  name: "a waiter for a chain is told of the last link, whichever signals first (fence-chain.1, agent.2)",
  options: {
    timeouts: false,
    prepare(memory) {
      createDomain(memory);
      for (const kind of ["one-shot", "timeline"] as const) claim(memory, kind, OWNER);
    },
    agents: {
      owner(memory) {
        for (const key of [...LINKS].reverse()) complete(memory, key);
      },
      waiter(memory) {
        const agent = agentOf(memory, FIRST);
        const [older, newer] = LINKS.map((key) => fenceAt(agent, key)!);
        const chain = createFenceChain(createFenceChain(undefined, older!, 1), newer!, 2);
        return agent.waitSync(backingOf(chain).awaited(chain));
      },
    },
    check: (_memory, { results }) => assert.equal(results["waiter"], true),
  },
});

testProtocol({
  name: "a waiter for a point of a syncobj is told of its fence, however soon it signals after it was submitted (syncobj-slot.7, agent.2)",
  options: {
    timeouts: false,
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
      claimSyncobj(memberOf(memory, OWNER), []);
      SYNCOBJ_SLOTS.addReference(memberOf(memory, FIRST), SYNCOBJ);
    },
    agents: { owner: submitsAndSignals, waiter: waitsForPoint },
    check: (_memory, { results }) => assert.deepEqual(results["waiter"], { state: "signaled", index: 0 }),
  },
});

function submitsAndSignals(memory: Substrate): void {
  const key = keyOf("timeline");
  addSyncobjPoint(agentOf(memory, OWNER), SYNCOBJ.slot, 2, { fences: [key], any: false });
  complete(memory, key);
}

function waitsForPoint(memory: Substrate): unknown {
  const agent = agentOf(memory, FIRST);
  const state = new SyncobjState(agent);
  state.share(new SharedPoints(agent, SYNCOBJ), () => {});
  return waitForPointsSync([{ state, point: 2 }], { forSubmit: true });
}
