import assert from "node:assert/strict";
import type { Identity } from "../../src/domain/agent-slot.js";
import { TIMELINE } from "../../src/domain/layout.js";
import type { FenceKey } from "../../src/domain/timeline-slot.js";
import { ERRNO } from "../../src/errors.js";
import { backingOf } from "../../src/fence/fence.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  agentOf,
  claim,
  complete,
  createDomain,
  end,
  FIRST,
  type Kind,
  keyOf,
  LAYOUT,
  look,
  OWNER,
  recoverFrom,
  rings,
  SECOND,
  THIRD,
  waitsForKey,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// The owner of a fence signals it, others wait for it. Parks do not time out here: a wake-up that only the
// time limit of the fence would make good counts as lost.

const AWAITED = LAYOUT.timeline(0) + TIMELINE.AWAITED;
const COMPLETED = LAYOUT.timeline(0) + TIMELINE.COMPLETED;

const prepare = (kind: Kind) => (memory: Substrate) => {
  createDomain(memory);
  claim(memory, kind, OWNER);
};

const signals = (count: number) => (memory: Substrate) => {
  for (let n = 1; n <= count; n++) complete(memory, keyOf("timeline", 1, n));
};

/** Waits through the fence, as a user does. */
const waitsForFence = (self: Identity, key: FenceKey) => (memory: Substrate) => {
  const agent = agentOf(memory, self);
  const fence = fenceAt(agent, key)!;
  return agent.waitSync(backingOf(fence).awaited(fence)) && fence.status;
};

const waitsForSlot = (self: Identity, sequence: number) => waitsForKey(self, keyOf("timeline", 1, sequence));

const DROPPED_WAKE: Mistake = {
  name: "A dropped wake",
  report: /^No agent is left to wake waiter/,
  agent: "owner",
  plant: () => ({ wake: () => 0 }),
};

testProtocol({
  name: "a waiter for the last of three signals is told of it and is rung at most once (timeline-slot.5, timeline-slot.6, agent.2)",
  options: {
    timeouts: false,
    prepare: prepare("timeline"),
    agents: { owner: signals(3), waiter: waitsForFence(FIRST, keyOf("timeline", 1, 3)) },
    check(memory, { results }) {
      assert.equal(results["waiter"], 1);
      assert.ok(rings(memory, 1) <= 1, "a signal below AWAITED has rung");
    },
  },
  mistakes: [
    DROPPED_WAKE,
    {
      name: "An owner that looks for waiters before it completes the fence",
      report: /^No agent is left to wake waiter/,
      agent: "owner",
      plant(memory) {
        let awaited = 0n;
        return {
          compareExchange64(word, expected, replacement) {
            if (word === COMPLETED) awaited = memory.load64(AWAITED);
            return memory.compareExchange64(word, expected, replacement);
          },
          load64: (word) => (word === AWAITED ? awaited : memory.load64(word)),
        };
      },
    },
    {
      name: "An owner that rings for every signal",
      report: /a signal below AWAITED has rung/,
      agent: "owner",
      plant: (memory) => ({ load64: (word) => (word === AWAITED ? 1n : memory.load64(word)) }),
    },
  ],
});

testProtocol({
  name: "a waiter that wakes twice without reason still is told of the second of three signals (timeline-slot.5, substrate.4)",
  options: {
    timeouts: false,
    spuriousWakes: 2,
    prepare: prepare("timeline"),
    agents: { owner: signals(3), waiter: waitsForFence(FIRST, keyOf("timeline", 1, 2)) },
    check: (_memory, { results }) => assert.equal(results["waiter"], 1),
  },
  mistakes: [DROPPED_WAKE],
});

testProtocol({
  name: "two waiters for different numbers are both told of theirs (timeline-slot.5, agent.2)",
  options: {
    merge: true,
    timeouts: false,
    prepare: prepare("timeline"),
    agents: { owner: signals(2), first: waitsForSlot(FIRST, 1), second: waitsForSlot(SECOND, 2) },
    check: (_memory, { results }) => assert.deepEqual([results["first"], results["second"]], [true, true]),
  },
  mistakes: [
    {
      name: "A waiter that lowers AWAITED before it sets its bit",
      report: /^No agent is left to wake second/,
      agent: "second",
      plant(memory) {
        let late: (() => void) | undefined;
        return {
          or(word, bits) {
            late = () => void memory.or(word, bits);
            return 0;
          },
          load64(word) {
            if (word === COMPLETED) late?.();
            return memory.load64(word);
          },
        };
      },
    },
  ],
});

testProtocol({
  name: "a waiter is told of the end, wherever the owner dies in two signals (timeline-slot.5, recovery.1, recovery.7)",
  options: {
    timeouts: false,
    prepare: prepare("timeline"),
    agents: { owner: signals(2), waiter: waitsForFence(FIRST, keyOf("timeline", 1, 2)) },
    crash: {
      agents: ["owner"],
      recover: { survivor: (memory) => recoverFrom(memory, SECOND, OWNER) },
    },
    check(_memory, { results, crashed }) {
      const ends = crashed.length === 0 ? [1] : [1, -ERRNO.ESRCH];
      assert.ok(ends.includes(results["waiter"] as number));
    },
  },
  mistakes: [{ ...DROPPED_WAKE, agent: "survivor" }],
});

testProtocol({
  name: "a waiter is told of the end, wherever the agent dies that ends a hanging timeline (timeline-slot.5, recovery.7)",
  options: {
    timeouts: false,
    prepare: prepare("timeline"),
    agents: {
      ender: (memory) => end(memory, keyOf("timeline"), ERRNO.ETIMEDOUT),
      waiter: waitsForFence(FIRST, keyOf("timeline", 1, 2)),
    },
    crash: {
      agents: ["ender"],
      // The owner lives, and ends the timeline itself.
      recover: {
        owner(memory) {
          recoverFrom(memory, OWNER, THIRD);
          end(memory, keyOf("timeline"), ERRNO.ECANCELED);
        },
      },
    },
    check(memory, { results }) {
      assert.ok([-ERRNO.ETIMEDOUT, -ERRNO.ECANCELED].includes(results["waiter"] as number));
      assert.equal(look(memory, keyOf("timeline", 1, 2)), results["waiter"]);
    },
  },
  mistakes: [{ ...DROPPED_WAKE, agent: "owner" }],
});

testProtocol({
  name: "a waiter for a published fence is told of it, wherever the publisher dies in deciding it (one-shot-slot.1, recovery.1, recovery.7)",
  options: {
    timeouts: false,
    prepare: prepare("one-shot"),
    agents: {
      owner: (memory) => complete(memory, keyOf("one-shot"), ERRNO.EIO),
      waiter: waitsForFence(FIRST, keyOf("one-shot")),
    },
    crash: {
      agents: ["owner"],
      recover: { survivor: (memory) => recoverFrom(memory, SECOND, OWNER) },
    },
    check(_memory, { results, crashed }) {
      const ends = crashed.length === 0 ? [-ERRNO.EIO] : [-ERRNO.EIO, -ERRNO.ESRCH];
      assert.ok(ends.includes(results["waiter"] as number));
    },
  },
  mistakes: [DROPPED_WAKE, { ...DROPPED_WAKE, agent: "survivor" }],
});
