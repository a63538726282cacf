import assert from "node:assert/strict";
import { Agent } from "../../src/domain/agent.js";
import { ONE_SHOT, TIMELINE } from "../../src/domain/layout.js";
import { keyTime } from "../../src/domain/fence-slot.js";
import { ERRNO } from "../../src/errors.js";
import type { Fence } from "../../src/fence/fence.js";
import { backingOf } from "../../src/fence/fence.js";
import { createFence } from "../../src/fence/local-fence.js";
import { publish } from "../../src/fence/published-fence.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { faulty } from "./interleavings.js";
import {
  agentOf,
  claim,
  complete,
  createDomain,
  end,
  FIRST,
  keyOf,
  type Kind,
  KINDS,
  LAYOUT,
  look,
  OWNER,
  recoverFrom,
  SCRATCH,
  SECOND,
  segmentOf,
  TIME_LIMIT,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";
import { createTimeline } from "../../src/fence/timeline.js";

// The owner of a fence signals it while another agent ends it because it hangs.

const { EIO, ESRCH, ETIMEDOUT } = ERRNO;
const COMPLETED = LAYOUT.timeline(0) + TIMELINE.COMPLETED;
const STATE = LAYOUT.oneShot(1) + ONE_SHOT.STATE;

const prepare = (kind: Kind) => (memory: Substrate) => {
  createDomain(memory);
  claim(memory, kind, OWNER);
};

const ends = (kind: Kind) => (memory: Substrate) => end(memory, keyOf(kind), ETIMEDOUT);

const LOOKED_AT: Mistake = {
  name: "An owner that looks and then stores",
  report: /^The check threw|a signaled fence is pending again/,
  agent: "owner",
  plant: (memory) => ({
    compareExchange64(word, expected, replacement) {
      const old = memory.load64(word);
      if (old === expected) memory.store64(word, replacement);
      return old;
    },
    compareExchange(word, expected, replacement) {
      const old = memory.load(word);
      if (old === expected) memory.store(word, replacement);
      return old;
    },
  }),
};

testProtocol({
  name: "each of two fences of a timeline is decided once, by its owner or by hang recovery, as all see it (timeline-slot.1, timeline-slot.2, timeline-slot.3)",
  options: {
    prepare: prepare("timeline"),
    agents: {
      owner: (memory) => [complete(memory, keyOf("timeline")), complete(memory, keyOf("timeline", 1, 2), EIO)],
      recovery: ends("timeline"),
      reader: (memory) => [1, 2, 1].map((sequence) => look(memory, keyOf("timeline", 1, sequence))),
    },
    check(memory, { results }) {
      const [good, bad] = results["owner"] as [boolean, boolean];
      const first = good ? 1 : -ETIMEDOUT;
      const second = bad ? -EIO : -ETIMEDOUT;
      assert.equal(look(memory, keyOf("timeline", 1, 1)), first);
      assert.equal(look(memory, keyOf("timeline", 1, 2)), second);
      assert.equal(look(memory, keyOf("timeline", 1, 3)), -ETIMEDOUT);

      const [firstSeen, secondSeen, firstSeenAgain] = results["reader"] as [number, number, number];
      assert.ok([0, first].includes(firstSeen));
      assert.ok([0, second].includes(secondSeen));
      assert.ok(firstSeenAgain === first || (firstSeen === 0 && secondSeen === 0 && firstSeenAgain === 0));
    },
  },
  mistakes: [
    LOOKED_AT,
    {
      name: "An end that gives its reason after it is visible",
      report: /^The check threw/,
      agent: "recovery",
      plant(memory) {
        let reason: (() => void) | undefined;
        return {
          compareExchange(word, expected, replacement) {
            reason = () => void memory.compareExchange(word, expected, replacement);
            return expected;
          },
          store64(word, value) {
            reason?.();
            memory.store64(word, value);
          },
        };
      },
    },
    {
      name: "A failure that is recorded after its fence is complete",
      report: /^The check threw/,
      agent: "owner",
      plant(memory) {
        let failure: (() => void) | undefined;
        return {
          store(word, value) {
            if (word === LAYOUT.timeline(0) + TIMELINE.FAILURES) failure = () => memory.store(word, value);
            else memory.store(word, value);
          },
          load64(word) {
            if (word !== COMPLETED) failure?.();
            return memory.load64(word);
          },
        };
      },
    },
  ],
});

testProtocol({
  name: "two fences of a timeline end once, as all see it, wherever their owner or hang recovery dies (timeline-slot.1, timeline-slot.2, timeline-slot.3, recovery.1)",
  options: {
    prepare: prepare("timeline"),
    agents: {
      owner: (memory) => [complete(memory, keyOf("timeline")), complete(memory, keyOf("timeline", 1, 2), EIO)],
      recovery: ends("timeline"),
      reader: (memory) => [2, 1].map((sequence) => look(memory, keyOf("timeline", 1, sequence))),
    },
    crash: {
      agents: ["owner", "recovery"],
      recover: {
        survivor(memory, victim) {
          const deaf = faulty(memory, () => ({ wake: () => 0, add: () => 0 }));
          recoverFrom(deaf, SECOND, victim === 0 ? OWNER : FIRST);
        },
      },
    },
    check(memory, { results, crashed }) {
      const statuses = [1, 2].map((sequence) => look(memory, keyOf("timeline", 1, sequence)));
      const [first, second] = statuses as [number, number];
      const decided = results["owner"] as [boolean, boolean] | undefined;
      const others = [-ETIMEDOUT, ...(decided === undefined ? [-ESRCH] : [])];
      if (decided?.[0] !== undefined) assert.equal(first === 1, decided[0]);
      if (decided?.[1] !== undefined) assert.equal(second === -EIO, decided[1]);
      assert.ok(first === 1 || others.includes(first), `the first fence has the status ${first}`);
      assert.ok(second === -EIO || others.includes(second), `the second fence has the status ${second}`);
      if (first !== 1) assert.equal(second, first);
      if (!crashed.includes("recovery")) assert.notEqual(look(memory, keyOf("timeline", 1, 3)), 0);

      const [secondSeen, firstSeen] = results["reader"] as [number, number];
      assert.ok([0, second].includes(secondSeen));
      assert.ok(firstSeen === first || (firstSeen === 0 && secondSeen === 0));
    },
  },
  mistakes: [LOOKED_AT],
});

testProtocol({
  name: "a published fence is decided once, by its publisher or by hang recovery, as all see it (one-shot-slot.1)",
  options: {
    prepare: prepare("one-shot"),
    agents: {
      owner: (memory) => complete(memory, keyOf("one-shot")),
      recovery: ends("one-shot"),
      otherRecovery: ends("one-shot"),
      reader: (memory) => [look(memory, keyOf("one-shot")), look(memory, keyOf("one-shot"))],
    },
    check(memory, { results }) {
      const status = results["owner"] === true ? 1 : -ETIMEDOUT;
      assert.equal(look(memory, keyOf("one-shot")), status);
      const [before, after] = results["reader"] as [number, number];
      assert.ok([0, status].includes(before));
      assert.ok([before, status].includes(after));
    },
  },
  mistakes: [
    LOOKED_AT,
    {
      name: "A publisher that reports success although another agent decided the fence",
      report: /^The check threw/,
      agent: "owner",
      plant: (memory) => ({
        compareExchange(word, expected, replacement) {
          const old = memory.compareExchange(word, expected, replacement);
          return word === STATE ? expected : old;
        },
      }),
    },
  ],
});

testProtocol({
  name: "a published fence has the time of one who completed it, and keeps it (one-shot-slot.1, fence.1)",
  options: {
    prepare: prepare("one-shot"),
    agents: {
      owner: (memory) => complete(memory, keyOf("one-shot"), 0, 2 ** 32 + 1),
      recovery: (memory) => end(memory, keyOf("one-shot"), ETIMEDOUT, 2 ** 33 + 2),
      reader: (memory) => look(memory, keyOf("one-shot")) !== 0 && keyTime(segmentOf(memory), keyOf("one-shot")),
    },
    check(memory, { results }) {
      const time = keyTime(segmentOf(memory), keyOf("one-shot"));
      assert.ok(time === 2 ** 32 + 1 || time === 2 ** 33 + 2, `no agent gave the time ${time}`);
      assert.ok([false, time].includes(results["reader"] as boolean), "the time has changed");
    },
  },
  mistakes: [
    {
      name: "A time that is overwritten",
      report: /the time has changed/,
      plant: (memory) => ({
        compareExchange64(word, expected, replacement) {
          memory.store64(word, replacement);
          return expected;
        },
      }),
    },
  ],
});

// The same through fence objects: the agent that waits for the fence ends it when its park has timed out.

const waits = (kind: Kind) => (memory: Substrate) => {
  while (memory.load(SCRATCH) === 0) memory.pause();
  const agent = agentOf(memory, FIRST);
  const fence = fenceAt(agent, keyOf(kind))!;
  return agent.waitSync(backingOf(fence).awaited(fence)) && fence.status;
};

/** An agent whose event loop gets no turn: so that it does not sleep in a watch of its own. */
class BusyAgent extends Agent {
  override watch(): () => void {
    return () => {};
  }
}

const OWNERS: Record<Kind, (agent: Agent) => Fence> = {
  timeline: (agent) => createTimeline(agent, { timeLimit: TIME_LIMIT }).createFence(),
  "one-shot"(agent) {
    const fence = createFence(agent, { driverName: "d", timelineName: "n" }, 1, 1);
    publish(fence, TIME_LIMIT);
    return fence;
  },
};

for (const kind of KINDS) {
  testProtocol({
    name: `the owner of a ${kind} fence and a waiter whose time is over see the same end (timeline-slot.1, one-shot-slot.1, shared-fence.3, agent.4)`,
    options: {
      prepare: createDomain,
      agents: {
        owner(memory) {
          const { host } = agentOf(memory, OWNER);
          const fence = OWNERS[kind](new BusyAgent(segmentOf(memory), OWNER, host));
          memory.store(SCRATCH, 1);
          fence.setError("EIO");
          return [fence.signal(), fence.status];
        },
        waiter: waits(kind),
      },
      check(_memory, { results }) {
        const [decided, status] = results["owner"] as [boolean, number];
        assert.equal(status, decided ? -EIO : -ETIMEDOUT);
        assert.equal(results["waiter"], status);
      },
    },
    mistakes: [LOOKED_AT],
  });
}
