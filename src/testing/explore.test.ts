import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explore.js";
import type { ExploreOptions } from "./explore.js";
import type { Substrate } from "../substrate/substrate.js";

/** An agent that adds four times to a word of its own. */
function fourSteps(word: number): (memory: Substrate) => void {
  return (memory) => {
    for (let step = 0; step < 4; step++) memory.add(word, 1);
  };
}

/** Every end that is reached: what the memory holds and what the agents returned. */
function endsOf(options: ExploreOptions): Set<string> {
  const ends = new Set<string>();
  explore({
    ...options,
    check(memory, outcome) {
      const words = Array.from({ length: memory.words }, (_, word) => memory.load(word));
      ends.add(JSON.stringify([words, outcome]));
    },
  });
  return ends;
}

test("explore() tries all 34,650 orders of three agents with four steps each", () => {
  const agents = [fourSteps(0), fourSteps(1), fourSteps(2)];
  assert.equal(explore({ words: 3, agents, prune: false }).schedules, 34_650);
});

test("explore() counts the schedules that pruning skips, and visits each moment once", () => {
  const agents = [fourSteps(0), fourSteps(1), fourSteps(2)];
  const { schedules, states } = explore({ words: 3, agents });
  assert.equal(schedules, 34_650);
  assert.equal(states, 5 * 5 * 5);
});

const programs: Record<string, Omit<ExploreOptions, "check">> = {
  "three agents that add by load and store": {
    words: 1,
    agents: [addByStore, addByStore, addByStore],
  },
  "a waiter with a time limit and a ringer": {
    words: 2,
    spuriousWakes: 1,
    agents: {
      waiter: (memory) => [memory.park(0, 0, 10), memory.load(1), memory.park(0, 0, 10)],
      ringer(memory) {
        memory.store(1, 1);
        memory.add(0, 1);
        return memory.wake(0);
      },
    },
  },
  "two agents of which one may die, and one that cleans up": {
    words: 3,
    agents: { first: exchangeTwice, second: exchangeTwice },
    crash: { recover: { reaper: (memory, victim) => memory.exchange(1 + victim, 9) + memory.load(0) } },
  },
  "an agent with two tasks that sleep in the same word": {
    words: 2,
    agents: {
      sleeper: [
        (memory) => [memory.parkAsync(0, 0) === undefined, memory.add(1, 1)],
        (memory) => [memory.park(0, 0, 5), memory.add(1, 1)],
      ],
      ringer: (memory) => [memory.add(0, 1), memory.wake(0)],
    },
  },
};

function addByStore(memory: Substrate): void {
  for (let round = 0; round < 2; round++) memory.store(0, memory.load(0) + 1);
}

function exchangeTwice(memory: Substrate): number {
  return memory.exchange(0, memory.exchange(1, 2) + 1);
}

for (const [name, program] of Object.entries(programs)) {
  test(`pruning loses no end and no schedule of ${name}`, () => {
    assert.deepEqual(endsOf(program), endsOf({ ...program, prune: false }));
    assert.equal(explore(program).schedules, explore({ ...program, prune: false }).schedules);
    assert.ok(explore(program).states < explore({ ...program, prune: false }).states);
  });
}
