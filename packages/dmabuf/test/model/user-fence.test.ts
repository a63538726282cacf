import assert from "node:assert/strict";
import { test } from "node:test";
import { armWord, raiseWord } from "../../src/buffer/memory-fence-slot.js";
import { isLive, markDead } from "../../src/domain/agent-slot.js";
import { USER_FENCE } from "../../src/domain/layout.js";
import { DmaBufError } from "../../src/errors.js";
import {
  armUserFence,
  claimUserFence,
  isUserFenceSignaled,
  signalUserFence,
  USER_FENCE_SLOTS,
} from "../../src/fence/user-fence-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  EXPLORES,
  faulty,
  SOUND,
  testMistakes,
  tryAll,
  type Fault,
  type Program,
  type Scenario,
} from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

// A user fence that several agents have, and a word of a buffer that several raise; the contracts are in
// src/fence/user-fence-slot.ts and src/buffer/memory-fence.ts.

const SLOT = 0;
const [MAKER, ONE, TWO, REAPER] = [0, 1, 2, 3];

const domain = new TinyDomain({ agents: 4 }, ["low half", "high half"]);
const SIGNALED = domain.layout.userFence(SLOT) + USER_FENCE.SIGNALED;
const WORD = domain.extra("low half");
const FIRST = { slot: SLOT, generation: 1 };

test(
  "user-fence-slot.1 user-fence-slot.2: of two that signal at once one is the first, and a waiter hears of it",
  EXPLORES,
  (t) => {
    tryAll(
      t,
      domain,
      scenario({ agents: { one: signals(ONE), two: signals(TWO), waiter: awaits(MAKER) }, check: oneWasFirst }),
    );
  },
);

test(
  "user-fence-slot.2 recovery.7: a waiter hears of a signal although its agent dies at any step of it",
  EXPLORES,
  (t) => {
    tryAll(
      t,
      domain,
      scenario({
        agents: { one: signals(ONE), waiter: awaits(MAKER, { orDead: true }) },
        crash: { agents: ["one"], recover: { reaper: recovers(ONE) } },
      }),
    );
  },
);

test(
  "user-fence-slot.2: a signal that comes second rings no agent, since the first one has, or its recovery does",
  EXPLORES,
  (t) => {
    tryAll(
      t,
      domain,
      scenario({
        agents: { one: signals(ONE), two: signals(TWO), waiter: awaits(MAKER) },
        crash: { agents: ["one"], recover: { reaper: recovers(ONE) } },
      }),
    );
  },
);

test(
  "user-fence-slot.3: an agent that dies with a fence, whether it made it or not, signals nothing and leaves nothing",
  EXPLORES,
  (t) => {
    for (const dead of [MAKER, ONE]) {
      tryAll(
        t,
        domain,
        scenario({
          agents: { dead: drops(dead), two: drops(TWO) },
          crash: { agents: ["dead"], recover: { reaper: recovers(dead) } },
          check(memory) {
            assert.equal(memory.load(SIGNALED), 0, "a death has signaled it");
            const left = dead === MAKER ? ONE : MAKER;
            assert.ok(USER_FENCE_SLOTS.isLive(domain.segment(memory), FIRST), "it is gone although an agent has it");
            USER_FENCE_SLOTS.dropReference(domain.member(memory, left), SLOT);
            assert.ok(!USER_FENCE_SLOTS.isLive(domain.segment(memory), FIRST), "it lives although no agent has it");
          },
        }),
      );
    }
  },
);

test(
  "user-fence-slot.1 referenced-table.4: what a handle brings is the fence that was sent, or is gone; the next one is pending",
  EXPLORES,
  (t) => {
    tryAll(t, domain, reused(signalsAndDrops));
  },
);

/** A signal of the maker, an importer of the fence, and another agent that makes the next one in the slot. */
function reused(maker: Program): Scenario {
  return scenario({
    prepare(memory) {
      for (const slot of [ONE, TWO]) USER_FENCE_SLOTS.dropReference(domain.member(memory, slot), SLOT);
    },
    agents: {
      maker,
      importer(memory) {
        const member = domain.member(memory, TWO);
        if (!USER_FENCE_SLOTS.addReference(member, FIRST)) return "gone";
        return isUserFenceSignaled(member, SLOT) ? "signaled" : "pending";
      },
      next(memory) {
        const member = domain.member(memory, ONE);
        const key = unlessFull(() => claimUserFence(member, ""));
        return key && [key.generation, isUserFenceSignaled(member, SLOT)];
      },
    },
    check(_memory, { results }) {
      const { importer, next } = results;
      if (next !== undefined) assert.deepEqual([importer, next], ["gone", [2, false]]);
    },
  });
}

test(
  "memory-fence.2 memory-fence.3: of words that two raise at once a waiter hears, and none is lowered",
  EXPLORES,
  (t) => {
    const check: Scenario["check"] = (memory) => assert.equal(memory.load64(WORD), 3n);
    tryAll(
      t,
      domain,
      scenario({ agents: { one: raises(ONE, 3n), two: raises(TWO, 2n), waiter: awaitsWord(MAKER, 2n) }, check }),
    );
  },
);

test(
  "memory-fence.3 recovery.7: a waiter hears of a word although the agent that raises it dies at any step",
  EXPLORES,
  (t) => {
    tryAll(
      t,
      domain,
      scenario({
        agents: { one: raises(ONE, 3n), waiter: awaitsWord(MAKER, 2n, { orDead: true }) },
        crash: { agents: ["one"], recover: { reaper: recovers(ONE) } },
      }),
    );
  },
);

/** A waiter whose bit is set only when it is about to sleep. */
const LATE_BIT: Fault = (memory) => {
  let late: (() => void) | undefined;
  return {
    or(word, bits) {
      late = () => void memory.or(word, bits);
      return 0;
    },
    park(word, expected, timeoutMs) {
      late?.();
      return memory.park(word, expected, timeoutMs);
    },
  };
};

testMistakes(domain, {
  "a waiter for a user fence that looks before it sets its bit": {
    scenario: (fault) => scenario({ agents: { one: signals(ONE), waiter: awaits(MAKER, { fault }) } }),
    fault: LATE_BIT,
    kind: "deadlock",
    report: /waiter/,
  },
  "a waiter for a word that looks before it sets its bit": {
    scenario: (fault) => scenario({ agents: { one: raises(ONE, 3n), waiter: awaitsWord(MAKER, 2n, { fault }) } }),
    fault: LATE_BIT,
    kind: "deadlock",
    report: /waiter/,
  },
  "a signal that rings before it is there": {
    scenario: (fault) => scenario({ agents: { one: signals(ONE, fault), waiter: awaits(MAKER) } }),
    fault: (memory) => ({
      compareExchange(word, expected, put) {
        if (word !== SIGNALED) return memory.compareExchange(word, expected, put);
        signalUserFence(
          segmentOf(
            faulty(domain.segment(memory).memory, () => ({ compareExchange: () => 0 })),
            domain.layout,
          ),
          SLOT,
        );
        memory.store(word, put);
        return 1;
      },
    }),
    kind: "deadlock",
    report: /waiter/,
  },
  "two that signal without comparing": {
    scenario: (fault) =>
      scenario({ agents: { one: signals(ONE, fault), two: signals(TWO, fault) }, check: oneWasFirst }),
    fault: (memory) => ({
      compareExchange(word, expected, put) {
        if (word !== SIGNALED) return memory.compareExchange(word, expected, put);
        const old = memory.load(word);
        memory.store(word, put);
        return old;
      },
    }),
    kind: "check",
    report: /was first/,
  },
  "a holder that signals after it has dropped its reference": {
    scenario: () =>
      reused((memory) => {
        USER_FENCE_SLOTS.dropReference(domain.member(memory, MAKER), SLOT);
        signalUserFence(domain.segment(memory), SLOT);
      }),
    fault: SOUND,
    kind: "check",
    report: /true/,
  },
  "a death that signals": {
    scenario: () =>
      scenario({
        agents: { one: drops(ONE) },
        crash: {
          agents: ["one"],
          recover: {
            reaper(memory) {
              recovers(ONE)(memory);
              signalUserFence(domain.segment(memory), SLOT);
            },
          },
        },
        check: (memory) => assert.equal(memory.load(SIGNALED), 0, "a death has signaled it"),
      }),
    fault: SOUND,
    kind: "check",
    report: /a death has signaled it/,
  },
});

/** The fence is there from the start; three agents have it, and the buffer's word is 0. */
function scenario({ prepare, ...rest }: Scenario): Scenario {
  return {
    prepare(memory) {
      domain.open(memory, 4);
      assert.deepEqual(claimUserFence(domain.member(memory, MAKER), ""), FIRST);
      for (const slot of [ONE, TWO]) USER_FENCE_SLOTS.addReference(domain.member(memory, slot), FIRST);
      prepare?.(memory);
    },
    ...rest,
  };
}

function signals(slot: number, fault: Fault = SOUND): Program {
  return (memory) => signalUserFence(domain.member(faulty(memory, fault), slot), SLOT);
}

function signalsAndDrops(memory: Substrate): void {
  const member = domain.member(memory, MAKER);
  signalUserFence(member, SLOT);
  USER_FENCE_SLOTS.dropReference(member, SLOT);
}

function drops(slot: number): Program {
  return (memory) => void USER_FENCE_SLOTS.dropReference(domain.member(memory, slot), SLOT);
}

interface Waiting {
  readonly fault?: Fault;
  /** Whether the death of agent ONE ends the wait too. */
  readonly orDead?: boolean;
}

function awaits(slot: number, { fault = SOUND, orDead = false }: Waiting = {}): Program {
  return (memory) => {
    const agent = domain.agent(memory, slot, { fault });
    agent.waitSync({
      arm: () => armUserFence(agent, SLOT),
      ready: () => isUserFenceSignaled(agent, SLOT) || (orDead && !isLive(agent, identityOf(ONE))),
    });
  };
}

/** A buffer's word, in the memory of the model. */
function wordIn(memory: Substrate): { load: () => bigint; raise: (value: bigint) => boolean } {
  const load = (): bigint => memory.load64(WORD);
  const raise = (value: bigint): boolean => {
    for (;;) {
      const old = load();
      if (old >= value) return false;
      if (memory.compareExchange64(WORD, old, value) === old) return true;
    }
  };
  return { load, raise };
}

function raises(slot: number, value: bigint): Program {
  return (memory) => raiseWord(domain.member(memory, slot), SLOT, wordIn(memory), value);
}

function awaitsWord(slot: number, value: bigint, { fault = SOUND, orDead = false }: Waiting = {}): Program {
  return (memory) => {
    const agent = domain.agent(memory, slot, { fault });
    agent.waitSync({
      arm: () => armWord(agent, SLOT),
      ready: () => wordIn(memory).load() >= value || (orDead && !isLive(agent, identityOf(ONE))),
    });
  };
}

function recovers(dead: number): (memory: Substrate) => void {
  return (memory) => {
    markDead(domain.segment(memory), identityOf(dead));
    domain.recover(memory, REAPER, dead);
  };
}

const oneWasFirst: NonNullable<Scenario["check"]> = (memory, { results }) => {
  assert.equal(memory.load(SIGNALED), 1);
  assert.equal([results["one"], results["two"]].filter(Boolean).length, 1, "not exactly one was first");
};

function unlessFull<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return undefined;
    throw error;
  }
}
