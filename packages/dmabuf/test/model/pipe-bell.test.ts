import assert from "node:assert/strict";
import { test } from "node:test";
import {
  announceBlocked,
  announceSleeper,
  clearSleepers,
  endBlocked,
  ringSleepers,
} from "../../src/node/waiting/pipe-bell.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore, type ExploreOptions } from "../../src/testing/index.js";
import { EXPLORES } from "./interleavings.js";
import { testPlantedBug } from "./planted-bug.js";

// An agent sleeps, at its pipe or blocked; two others each make something ready and ring, and one of them may be
// killed.

/** The pipe is 1 while it has something to read. */
const AT = { BELL: 0, SLEEPERS: 1, PIPE: 2, FIRST: 3, SECOND: 4 } as const;

/** The steps of the protocol, one of which may be wrong. */
interface Steps {
  announce(memory: Substrate, expected: number): boolean;
  block(memory: Substrate, expected: number, limit: number): void;
  ring(memory: Substrate): void;
  wakeUp(memory: Substrate): void;
}

const RIGHT: Steps = {
  announce: (memory, expected) => announceSleeper(memory, AT.BELL, AT.SLEEPERS, expected),
  block(memory, expected, limit) {
    announceBlocked(memory, AT.SLEEPERS);
    memory.park(AT.BELL, expected, limit);
    endBlocked(memory, AT.SLEEPERS);
  },
  ring(memory) {
    memory.add(AT.BELL, 1);
    ringBell(memory);
  },
  wakeUp(memory) {
    memory.store(AT.PIPE, 0);
    clearSleepers(memory, AT.SLEEPERS);
  },
};

function ringBell(memory: Substrate): void {
  ringSleepers(
    memory,
    AT.SLEEPERS,
    () => memory.wake(AT.BELL),
    () => writeByte(memory),
  );
}

function writeByte(memory: Substrate): void {
  memory.store(AT.PIPE, 1);
  memory.wake(AT.PIPE);
}

function scenario(steps: Steps, sleep: Sleep = inEventLoop(1)): ExploreOptions {
  const first = ringer(AT.FIRST, steps);
  const second = ringer(AT.SECOND, steps);
  const sleeper = (awaited: readonly number[]) => (memory: Substrate) => {
    for (;;) {
      const rung = memory.load(AT.BELL);
      if (awaited.every((word) => memory.load(word) === 1)) return;
      sleep(memory, rung, steps);
    }
  };
  if (sleep === blockedWithLimit) {
    return { words: 6, merge: false, agents: { sleeper: sleeper([AT.SECOND]), second } };
  }
  return {
    words: 6,
    timeouts: false,
    merge: false,
    agents: { sleeper: sleeper([AT.FIRST, AT.SECOND]), first, second },
    crash: {
      agents: ["first"],
      recover: {
        survivor(memory) {
          // A kernel's write wakes the reader whatever becomes of the writer.
          memory.wake(AT.PIPE);
          // A thread that blocks looks after deaths between two slices.
          memory.wake(AT.BELL);
          first(memory);
        },
      },
    },
  };
}

function ringer(word: number, steps: Steps): (memory: Substrate) => void {
  return (memory) => {
    memory.store(word, 1);
    steps.ring(memory);
  };
}

/** How the agent sleeps until the doorbell changes. */
type Sleep = (memory: Substrate, rung: number, steps: Steps) => void;

function inEventLoop(count: number): Sleep {
  return (memory, rung, steps) => {
    let asleep = true;
    for (let i = 0; i < count; i++) asleep = steps.announce(memory, rung) && asleep;
    if (asleep) awaitByte(memory, steps);
  };
}

function blocked(memory: Substrate, rung: number, steps: Steps): void {
  steps.block(memory, rung, Infinity);
}

/** A wait sleeps in the event loop while the thread blocks for a time in another one. */
function blockedWithLimit(memory: Substrate, rung: number, steps: Steps): void {
  if (!steps.announce(memory, rung)) return;
  steps.block(memory, rung, 1);
  awaitByte(memory, steps);
}

function awaitByte(memory: Substrate, steps: Steps): void {
  while (memory.load(AT.PIPE) === 0) memory.park(AT.PIPE, 0, Infinity);
  steps.wakeUp(memory);
}

for (const [name, sleep] of [
  ["an event loop with 1 sleeper at its pipe", inEventLoop(1)],
  ["an event loop with 2 sleepers at its pipe", inEventLoop(2)],
  ["a thread that blocks", blocked],
  ["an event loop whose thread has blocked in between", blockedWithLimit],
] as const) {
  test(`${name} is told of everything, wherever a ringer is killed (pipe-bell.1-pipe-bell.4)`, EXPLORES, (t) => {
    const { schedules, states } = explore(scenario(RIGHT, sleep));
    t.diagnostic(`${states} states, ${schedules} schedules`);
    assert.ok(schedules > 1);
  });
}

const MISTAKES: readonly (readonly [name: string, wrong: Partial<Steps>, sleep?: Sleep])[] = [
  [
    "a thread that blocks before it says so (pipe-bell.2)",
    {
      block(memory, expected, limit) {
        if (memory.load(AT.BELL) !== expected) return;
        announceBlocked(memory, AT.SLEEPERS);
        // The kernel's comparison is that of a moment ago.
        memory.park(AT.BELL, memory.load(AT.BELL), limit);
        endBlocked(memory, AT.SLEEPERS);
      },
    },
    blocked,
  ],
  [
    "a thread that says nothing of its waits in the event loop when it has blocked (pipe-bell.1)",
    {
      block(memory, expected, limit) {
        announceBlocked(memory, AT.SLEEPERS);
        memory.park(AT.BELL, expected, limit);
        memory.store(AT.SLEEPERS, 0);
      },
    },
    blockedWithLimit,
  ],
  [
    "a sleeper that compares before it counts itself (pipe-bell.2)",
    {
      announce(memory, expected) {
        if (memory.load(AT.BELL) !== expected) return false;
        memory.store(AT.SLEEPERS, memory.load(AT.SLEEPERS) + 1);
        return true;
      },
    },
  ],
  [
    "a ringer that looks at the count before it changes the doorbell (pipe-bell.3)",
    {
      ring(memory) {
        ringBell(memory);
        memory.add(AT.BELL, 1);
      },
    },
  ],
  [
    "a ringer that clears the count, and is killed before it writes its byte",
    {
      ring(memory) {
        memory.add(AT.BELL, 1);
        if (memory.exchange(AT.SLEEPERS, 0) !== 0) writeByte(memory);
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

for (const [name, wrong, sleep] of MISTAKES) {
  testPlantedBug({
    name,
    kind: "deadlock",
    report: /No agent is left to wake sleeper/,
    protocol: (planted) => scenario(planted ? { ...RIGHT, ...wrong } : RIGHT, sleep),
  });
}
