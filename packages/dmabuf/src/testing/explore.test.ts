import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explore.js";
import type { ExploreOptions } from "./exploration.js";
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

test("explore() tries all 34,650 orders of three agents with four steps each (explore.2, recorded-agent.1)", () => {
  const agents = [fourSteps(0), fourSteps(1), fourSteps(2)];
  assert.equal(explore({ words: 3, agents, prune: false }).schedules, 34_650);
});

test("explore() counts the schedules that pruning skips, and visits each moment once (model-memory.1)", () => {
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
  test(`pruning loses no end and no schedule of ${name} (machine.4)`, () => {
    assert.deepEqual(endsOf(program), endsOf({ ...program, prune: false }));
    assert.equal(explore(program).schedules, explore({ ...program, prune: false }).schedules);
    assert.ok(explore(program).states < explore({ ...program, prune: false }).states);
  });
}

test("a schedule is every order of sleeping, waking and timing out (machine.1)", () => {
  const results = new Set<unknown>();
  explore({
    words: 1,
    agents: { sleeper: (memory) => memory.park(0, 0, 10), ringer: (memory) => memory.add(0, 1) + memory.wake(0) },
    check: (_memory, outcome) => results.add(JSON.stringify(outcome.results)),
  });
  assert.deepEqual([...results].sort(), [
    '{"sleeper":"not-equal","ringer":0}',
    '{"sleeper":"timed-out","ringer":0}',
    '{"sleeper":"woken","ringer":1}',
  ]);
});

test("a wake reaches every agent that sleeps on the word, and none that sleeps on another", () => {
  const agents = {
    first: (memory: Substrate) => memory.park(0, 0, Infinity),
    second: (memory: Substrate) => memory.park(0, 0, Infinity),
    other: (memory: Substrate) => memory.park(1, 0, 5),
    ringer(memory: Substrate) {
      memory.store(0, 1);
      return memory.wake(0);
    },
  };
  const most = new Set<unknown>();
  explore({
    words: 2,
    agents,
    check(_memory, { results }) {
      assert.equal(results["other"], "timed-out");
      most.add(results["ringer"]);
    },
  });
  assert.deepEqual([...most].sort(), [0, 1, 2]);
});

test("a park returns early as often as it is allowed", () => {
  const ends = (spuriousWakes: number) => {
    const results = new Set<unknown>();
    const sleeper = (memory: Substrate) => [memory.park(0, 0, 5), memory.park(0, 0, 5)].join();
    explore({
      words: 1,
      spuriousWakes,
      agents: { sleeper },
      check: (_memory, outcome) => results.add(outcome.results["sleeper"]),
    });
    return [...results].sort();
  };
  assert.deepEqual(ends(0), ["timed-out,timed-out"]);
  assert.deepEqual(ends(1), ["timed-out,timed-out", "timed-out,woken", "woken,timed-out"]);
  assert.deepEqual(ends(2), ["timed-out,timed-out", "timed-out,woken", "woken,timed-out", "woken,woken"]);
});

// machine.2
test("the tasks of one agent take turns: none moves while another runs, or blocks in park()", () => {
  const step = (memory: Substrate) => {
    memory.add(0, 1);
    const inside = memory.add(0, 1);
    memory.store(0, 0);
    return inside;
  };
  explore({
    words: 1,
    agents: { only: [step, step, step] },
    check: (_memory, { results }) => assert.deepEqual(results["only"], [1, 1, 1]),
  });
  const order = new Set<unknown>();
  explore({
    words: 2,
    agents: {
      only: [(memory) => [memory.park(0, 0, 5), memory.add(1, 1)][1], (memory) => memory.add(1, 1)],
    },
    check: (_memory, { results }) => order.add(JSON.stringify(results["only"])),
  });
  assert.deepEqual([...order].sort(), ["[0,1]", "[1,0]"]);
});

test("a task that sleeps in parkAsync() lets the others of its agent run, and goes on when the thread is free", () => {
  const seen = new Set<string>();
  explore({
    words: 2,
    agents: {
      only: [
        (memory) => {
          let woken = "at once";
          void memory.parkAsync(0, 0)?.then(() => (woken = "woken"));
          return `${woken} ${memory.add(1, 1)}`;
        },
        (memory) => {
          memory.store(0, 1);
          memory.wake(0);
          return memory.add(1, 1);
        },
      ],
    },
    check: (_memory, { results }) => seen.add(JSON.stringify(results["only"])),
  });
  assert.deepEqual([...seen].sort(), ['["at once 1",0]', '["woken 1",0]']);
});

test("an agent that waits synchronously and asynchronously at once is woken in both", () => {
  const { schedules } = explore({
    words: 2,
    agents: {
      waiter: [
        (memory) => (memory.load(1) === 0 ? memory.parkAsync(0, 0) : undefined) === undefined,
        (memory) => (memory.load(1) === 0 ? memory.park(0, 0, Infinity) : "done"),
      ],
      ringer(memory) {
        memory.store(1, 1);
        memory.add(0, 1);
        memory.wake(0);
      },
    },
  });
  assert.ok(schedules > 10);
});

test("a loop that spins until another agent acts comes to an end", () => {
  const spinner = (memory: Substrate) => {
    while (memory.load(0) === 0) memory.pause();
  };
  const { states } = explore({ words: 1, agents: { spinner, other: (memory) => memory.store(0, 1) } });
  assert.ok(states < 20);
});

test("a loop with a limit that spins in vain comes to its limit (machine.3)", () => {
  const outcomes = new Set<unknown>();
  const spinner = (memory: Substrate) => {
    for (let looks = 1; looks <= 5; looks++) {
      if (memory.load(0) !== 0) return "seen";
      memory.pause();
    }
    return memory.load(0) === 0 ? "given up" : "late";
  };
  const check: ExploreOptions["check"] = (_memory, { results }) => outcomes.add(results["spinner"]);
  explore({ words: 1, agents: { spinner, other: (memory) => memory.compareExchange(0, 1, 1) }, check });
  assert.deepEqual([...outcomes], ["given up"]);
  explore({ words: 1, agents: { spinner, other: (memory) => memory.store(0, 1) }, vainLooks: 5, check });
  assert.deepEqual([...outcomes].sort(), ["given up", "late", "seen"]);
});

// explore.4, recorded-agent.3
test("words that no agent changes cost no step, however late one turns out to change", () => {
  const reader = (memory: Substrate) => {
    let sum = 0;
    for (let word = 0; word < 500; word++) sum += memory.load(word) + memory.compareExchange(word, 1, 2);
    return sum;
  };
  const prepare = (memory: Substrate) => memory.store(7, 5);
  assert.equal(explore({ words: 500, prepare, agents: { reader, other: reader } }).steps, 0);

  const sums = new Set<unknown>();
  const { steps } = explore({
    words: 500,
    prepare,
    agents: { reader, writer: (memory) => memory.store(499, memory.load(7)) },
    check: (_memory, { results }) => sums.add(results["reader"]),
  });
  assert.deepEqual([...sums].sort(), [10, 15, 20]);
  assert.ok(steps < 20);
});
