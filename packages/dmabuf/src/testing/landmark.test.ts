import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explore.js";
import type { Exploration, ExploreOptions } from "./exploration.js";
import { landmark, UnrepeatableAgentError } from "./recorded-agent.js";
import type { Substrate } from "../substrate/substrate.js";

/** What the agents returned, at every end that is reached, and how much was tried. */
function endsOf(options: ExploreOptions): { ends: string[]; exploration: Exploration } {
  const ends = new Set<string>();
  const exploration = explore({
    landmarks: true,
    ...options,
    check: (_memory, { results }) => void ends.add(JSON.stringify(results)),
  });
  return { ends: [...ends].sort(), exploration };
}

/** Hands a turn to the other one and takes it back, without an end, until another agent has stopped it. */
function plays(marked: boolean, mine: number, other: number): (memory: Substrate) => void {
  return (memory) => {
    while (memory.load(1) === 0) {
      if (marked) landmark(memory, "");
      if (memory.compareExchange(0, mine, other) !== mine) memory.park(0, other, Infinity);
      memory.wake(0);
    }
  };
}

test("loops without an end of their own have one at a landmark", () => {
  const agents = (marked: boolean) => ({
    first: plays(marked, 0, 1),
    second: plays(marked, 1, 0),
    stop(memory: Substrate) {
      memory.store(1, 1);
      memory.store(0, 2);
      memory.wake(0);
    },
  });
  assert.throws(() => explore({ words: 2, agents: agents(false), merge: false }), { kind: "limit" });
  assert.ok(explore({ words: 2, agents: agents(true), landmarks: true }).schedules > 1);
});

test("an agent that repeats its steps while no other agent moves is a failure, unless it pauses", () => {
  const agents = (pauses: boolean) => ({
    spinner(memory: Substrate) {
      while (memory.compareExchange(0, 1, 2) !== 1) {
        if (pauses) memory.pause();
        landmark(memory, "");
      }
    },
    other: (memory: Substrate) => memory.store(0, 1),
  });
  assert.throws(() => explore({ words: 1, agents: agents(false), landmarks: true }), {
    kind: "livelock",
    message: /^spinner repeats its steps while no other agent moves\n/,
  });
  assert.ok(explore({ words: 1, agents: agents(true), landmarks: true }).schedules > 0);
});

test("a landmark changes nothing but how much is tried", () => {
  const agent = (marked: boolean, self: number) => (memory: Substrate) => {
    memory.exchange(0, self);
    memory.exchange(1, self);
    if (marked) landmark(memory, "");
    return [memory.exchange(0, self), memory.exchange(1, self)];
  };
  const [plain, marked] = [false, true].map((marked) =>
    endsOf({ words: 2, agents: [agent(marked, 1), agent(marked, 2), agent(marked, 3)] }),
  );
  assert.deepEqual(marked!.ends, plain!.ends);
  assert.ok(marked!.exploration.states < plain!.exploration.states);
  assert.equal(marked!.exploration.schedules, plain!.exploration.schedules);
});

test("without pruning, a landmark changes nothing at all", () => {
  const agent = (marked: boolean) => (memory: Substrate) => {
    memory.exchange(0, memory.exchange(0, 1) + 1);
    if (marked) landmark(memory, "");
    memory.add(0, 1);
  };
  const [plain, marked] = [false, true].map((marked) =>
    explore({ words: 1, agents: [agent(marked), agent(marked)], prune: false, landmarks: true }),
  );
  assert.deepEqual(marked, plain);
});

test("a landmark with time passed is another one", () => {
  const times = new Set<unknown>();
  explore({
    words: 1,
    landmarks: true,
    agents: {
      waiter(memory) {
        const result = memory.park(0, 0, 5);
        landmark(memory, "");
        memory.add(0, 1);
        return result;
      },
      ringer: (memory) => void memory.wake(0),
    },
    check: (_memory, { results }) => void times.add(results["waiter"]),
  });
  assert.deepEqual([...times].sort(), ["timed-out", "woken"]);
});

test("an agent that goes on in two ways from one landmark is refused", () => {
  const agent = (memory: Substrate): void => {
    const first = memory.exchange(0, 1) === 0;
    landmark(memory, "");
    memory.add(first ? 0 : 1, 1);
  };
  assert.throws(() => explore({ words: 2, agents: [agent, agent], landmarks: true }), {
    name: UnrepeatableAgentError.name,
    message: /what follows at .* called add\(1, 1\) where it called add\(0, 1\) before/,
  });
});
