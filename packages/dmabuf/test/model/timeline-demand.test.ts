import assert from "node:assert/strict";
import { armKey, isKeySignaled } from "../../src/domain/fence-slot.js";
import { TIMELINE } from "../../src/domain/layout.js";
import { demandFence, isKeyDemanded, isKeyOnDemand } from "../../src/domain/timeline-demand.js";
import { claimTimeline, completeTimeline, freeTimeline } from "../../src/domain/timeline-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  agentOf,
  createDomain,
  FIRST,
  keyOf,
  LAYOUT,
  memberOf,
  NOW,
  OWNER,
  recoverFrom,
  SECOND,
  segmentOf,
  TIME_LIMIT,
} from "./model-domain.js";
import { testProtocol } from "./protocol.js";

// Fences that signal only when an agent asks for them: who waits is heard, and no one else.

const KEY = keyOf("timeline");
const DEMAND = LAYOUT.timeline(0) + TIMELINE.DEMAND;
const OPTIONS = { name: "n", driverName: "d", timeLimit: TIME_LIMIT, onDemand: true };

/** Goes on with its work until its fence is asked for. */
function works(memory: Substrate): void {
  agentOf(memory, OWNER).waitSync({ arm: () => {}, ready: () => isKeyDemanded(segmentOf(memory), KEY) });
  completeTimeline(memberOf(memory, OWNER), KEY, 0, 1, NOW);
}

const waits = (self: number) => (memory: Substrate) =>
  agentOf(memory, self).waitSync({
    arm: () => armKey(memberOf(memory, self), KEY),
    ready: () => isKeySignaled(segmentOf(memory), KEY),
  });

const prepare = (memory: Substrate): void => {
  createDomain(memory);
  claimTimeline(memberOf(memory, OWNER), OPTIONS);
};

testProtocol({
  name: "the owner of a fence that signals on demand is told that agents wait for it, and they that it has signaled (timeline-demand.2)",
  options: {
    merge: true,
    timeouts: false,
    prepare,
    agents: { owner: works, first: waits(FIRST), second: waits(SECOND) },
    check: (memory) => assert.ok(isKeySignaled(segmentOf(memory), KEY)),
  },
  mistakes: [
    { name: "A ring that is left out", report: /^No agent is left to wake/, plant: () => ({ wake: () => 0 }) },
  ],
});

testProtocol({
  name: "the owner of a fence that signals on demand hears of it although the agent dies that has asked (timeline-demand.4)",
  options: {
    merge: true,
    timeouts: false,
    prepare,
    agents: { owner: works, first: (memory) => demandFence(segmentOf(memory), KEY), second: waits(SECOND) },
    crash: { agents: ["first"], recover: { second: (memory) => recoverFrom(memory, SECOND, FIRST) } },
    check: (memory) => assert.ok(isKeySignaled(segmentOf(memory), KEY)),
  },
});

testProtocol({
  name: "an agent that asks too late asks for no fence of the timeline that has the slot next (timeline-demand.1, timeline-demand.3)",
  options: {
    prepare,
    agents: {
      owner(memory) {
        const member = memberOf(memory, OWNER);
        completeTimeline(member, KEY, 0, 1, NOW);
        freeTimeline(member, KEY.slot, OWNER);
        claimTimeline(member, OPTIONS);
      },
      first: (memory) => demandFence(segmentOf(memory), KEY),
    },
    check(memory) {
      const next = keyOf("timeline", 2);
      assert.equal(isKeyDemanded(segmentOf(memory), next), false);
      assert.deepEqual(
        [KEY, next].map((key) => isKeyOnDemand(segmentOf(memory), key)),
        [false, true],
      );
    },
  },
  mistakes: [
    {
      name: "A number that is looked at and then stored",
      report: /true !== false|false !== true|Expected values/,
      plant: (memory) => ({
        compareExchange64(at, expected, replacement) {
          if (at !== DEMAND) return memory.compareExchange64(at, expected, replacement);
          memory.store64(at, replacement);
          return expected;
        },
      }),
    },
  ],
});
