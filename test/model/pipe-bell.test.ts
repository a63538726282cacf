import assert from "node:assert/strict";
import { test } from "node:test";
import { announceSleeper, clearSleepers, ringSleepers } from "../../src/node/pipe-bell.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore, type ExploreOptions } from "../../src/testing/index.js";
import { EXPLORES } from "./interleavings.js";
import { testPlantedBug } from "./planted-bug.js";

// An event loop sleeps at its pipe; two others each make something ready and ring, and one of them may be killed.

/** The pipe is 1 while it has something to read. */
const AT = { BELL: 0, COUNT: 1, PIPE: 2, FIRST: 3, SECOND: 4 } as const;

/** The steps of the protocol, one of which may be wrong. */
interface Steps {
  announce(memory: Substrate, expected: number): boolean;
  ring(memory: Substrate): void;
  wakeUp(memory: Substrate): void;
}

const RIGHT: Steps = {
  announce: (memory, expected) => announceSleeper(memory, AT.BELL, AT.COUNT, expected),
  ring(memory) {
    memory.add(AT.BELL, 1);
    ringSleepers(memory, AT.COUNT, () => writeByte(memory));
  },
  wakeUp(memory) {
    memory.store(AT.PIPE, 0);
    clearSleepers(memory, AT.COUNT);
  },
};

function writeByte(memory: Substrate): void {
  memory.store(AT.PIPE, 1);
  memory.wake(AT.PIPE);
}

function scenario(steps: Steps, sleepersAtOnce = 1): ExploreOptions {
  return {
    words: 6,
    timeouts: false,
    merge: false,
    agents: {
      sleeper(memory) {
        for (;;) {
          const rung = memory.load(AT.BELL);
          if (memory.load(AT.FIRST) === 1 && memory.load(AT.SECOND) === 1) return;
          let asleep = true;
          for (let i = 0; i < sleepersAtOnce; i++) asleep = steps.announce(memory, rung) && asleep;
          if (!asleep) continue;
          while (memory.load(AT.PIPE) === 0) memory.park(AT.PIPE, 0, Infinity);
          steps.wakeUp(memory);
        }
      },
      first(memory) {
        memory.store(AT.FIRST, 1);
        steps.ring(memory);
      },
      second(memory) {
        memory.store(AT.SECOND, 1);
        steps.ring(memory);
      },
    },
    crash: {
      agents: ["first"],
      recover: {
        survivor(memory) {
          // A kernel's write wakes the reader whatever becomes of the writer.
          memory.wake(AT.PIPE);
          memory.store(AT.FIRST, 1);
          steps.ring(memory);
        },
      },
    },
  };
}

for (const count of [1, 2]) {
  test(
    `an event loop with ${count} sleepers at its pipe hears of everything, wherever a ringer is killed (PB1-PB4)`,
    EXPLORES,
    (t) => {
      const { schedules, states } = explore(scenario(RIGHT, count));
      t.diagnostic(`${states} states, ${schedules} schedules`);
      assert.ok(schedules > 1);
    },
  );
}

const MISTAKES: readonly (readonly [name: string, wrong: Partial<Steps>])[] = [
  [
    "a sleeper that compares before it counts itself (PB2)",
    {
      announce(memory, expected) {
        if (memory.load(AT.BELL) !== expected) return false;
        memory.store(AT.COUNT, memory.load(AT.COUNT) + 1);
        return true;
      },
    },
  ],
  [
    "a ringer that looks at the count before it changes the doorbell (PB3)",
    {
      ring(memory) {
        ringSleepers(memory, AT.COUNT, () => writeByte(memory));
        memory.add(AT.BELL, 1);
      },
    },
  ],
  [
    "a ringer that clears the count, and is killed before it writes its byte",
    {
      ring(memory) {
        memory.add(AT.BELL, 1);
        if (memory.exchange(AT.COUNT, 0) !== 0) writeByte(memory);
      },
    },
  ],
  [
    "an agent that empties its pipe after it has looked",
    {
      announce(memory, expected) {
        const asleep = RIGHT.announce(memory, expected);
        if (asleep) memory.store(AT.PIPE, 0);
        return asleep;
      },
    },
  ],
];

for (const [name, wrong] of MISTAKES) {
  testPlantedBug({
    name,
    kind: "deadlock",
    report: /Nobody is left to wake sleeper/,
    protocol: (planted) => scenario(planted ? { ...RIGHT, ...wrong } : RIGHT),
  });
}
