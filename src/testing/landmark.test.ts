import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explore.js";
import type { Exploration, ExploreOptions } from "./explore.js";
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

/** Takes a turn whenever the word is even, until it has had two. */
function turns(marked: boolean): (memory: Substrate) => number {
  return (memory) => {
    for (let had = 0; had < 2;) {
      if (marked) landmark(memory, `had ${had}`);
      if (memory.compareExchange(0, 0, 1) !== 0) continue;
      had++;
      memory.store(0, 0);
    }
    return memory.add(1, 1);
  };
}

test("a loop without an end of its own has one at a landmark", () => {
  const agents = (marked: boolean) => ({ first: turns(marked), second: turns(marked) });
  assert.throws(() => explore({ words: 2, agents: agents(false), merge: false }), { kind: "limit" });
  const { ends } = endsOf({ words: 2, agents: agents(true) });
  assert.deepEqual(ends, ['{"first":0,"second":1}', '{"first":1,"second":0}']);
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
