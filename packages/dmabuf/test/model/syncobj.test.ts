import assert from "node:assert/strict";
import { test } from "node:test";
import { Agent } from "../../src/domain/agent.js";
import { isLive, markDead } from "../../src/domain/agent-slot.js";
import { AGENT, SYNCOBJ } from "../../src/domain/layout.js";
import type { PointElement } from "../../src/fence/point-list.js";
import {
  addSyncobjPoint,
  armSyncobj,
  claimSyncobj,
  readSyncobj,
  replaceSyncobj,
  SYNCOBJ_SLOTS,
} from "../../src/fence/syncobj-slot.js";
import { claimTimeline } from "../../src/domain/timeline-slot.js";
import { DmaBufError } from "../../src/errors.js";
import { threadsHost } from "../../src/host/threads.js";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore, ExplorationError, type ExploreOptions } from "../../src/testing/index.js";
import { EXPLORES, faulty, SOUND, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

// A syncobj that several agents use; the contract is in src/domain/syncobj-slot.ts.

const SLOT = 0;
const [MAKER, ONE, TWO, REAPER] = [0, 1, 2, 3];

const domain = new TinyDomain({ agents: 4, timelines: 1 });
const base = domain.layout.syncobj(SLOT);
const LOCK = base + SYNCOBJ.LOCK;
const PUBLISHED = base + SYNCOBJ.PUBLISHED;
const COPIES = domain.layout.points(SLOT, 0);
const SECOND_COPY = domain.layout.points(SLOT, 1);
const END = SECOND_COPY + (SECOND_COPY - COPIES);
const isInCopy = (word: number): boolean => word >= COPIES && word < END;
const BELLS = [MAKER, ONE, TWO, REAPER].map((slot) => domain.layout.agent(slot) + AGENT.DOORBELL);

const FIRST = { slot: SLOT, generation: 1 };

/** No fence of the timeline ever signals. Each differs in every word, so that half of one and half of another shows. */
const fenceOf = (n: number) => ({ slot: 0, generation: 1, sequence: 10 + n });
const plain = (n: number): PointElement => ({ fences: [fenceOf(n)], any: false });

test("syncobj-slot.4: of two agents that add a point at once, none loses the other's", EXPLORES, (t) => {
  tryEach(t, { agents: { one: adds(ONE, 1), two: adds(TWO, 2) }, check: checkAll });
});

test("syncobj-slot.6: who waits too long for another's change gives up, and has changed nothing", EXPLORES, (t) => {
  const impatient = (memory: Substrate): number | undefined => {
    try {
      addSyncobjPoint(domain.agent(memory, TWO), SLOT, 2, plain(2));
      return 2;
    } catch (error) {
      assert.ok(error instanceof DmaBufError && error.code === "EBUSY", String(error));
      return undefined;
    }
  };
  tryEach(t, {
    agents: { one: adds(ONE, 1), two: impatient },
    check(memory, outcome) {
      checkAll(memory, outcome);
      assert.equal(numbersIn(memory).includes(2), outcome.results["two"] === 2);
    },
  });
});

for (const changes of [false, true]) {
  const name = changes
    ? "goes on as long as the others make changes"
    : "gives up after the limit if the holder is stopped";
  test(`syncobj-slot.6: who does not come to the lock ${name}`, () => {
    const memory = createSharedSubstrate(new SharedArrayBuffer(4 * domain.words));
    modelOf({ agents: {} }).prepare!(memory);
    memory.store(LOCK, identityOf(ONE));
    let [now, sleeps] = [0, 0];
    const view = faulty(memory, () => ({
      park(_word, _expected, timeoutMs) {
        now += Math.min(timeoutMs, 600) * 1e6;
        // Twice the limit of a wait for a stopped holder; the lock's next holder is the last one again.
        if (changes) memory.add(PUBLISHED, 2);
        if (++sleeps === 4) memory.store(LOCK, 0);
        return "woken";
      },
    }));
    const host = { ...threadsHost(), nowNs: () => now, spinNs: 0 };
    const agent = new Agent(segmentOf(view, domain.layout), identityOf(TWO), host);
    const add = (): void => addSyncobjPoint(agent, SLOT, 2, plain(2));
    if (changes) add();
    else assert.throws(add, { code: "EBUSY" });
    assert.equal(numbersIn(memory).includes(2), changes);
  });
}

test(
  "syncobj-slot.4 syncobj-slot.5: a reader sees the list before or after a point was added, and nothing between",
  EXPLORES,
  (t) => {
    tryEach(t, { agents: { one: adds(ONE, 1), reader: reads(TWO, 2) }, check: checkAll });
  },
);

test("syncobj-slot.4 syncobj-slot.5: a reader sees whole lists of two writers", EXPLORES, (t) => {
  tryEach(t, { agents: { one: replaces(ONE, [1]), two: replaces(TWO, [2]), reader: reads(REAPER) } });
});

test(
  "syncobj-slot.4 syncobj-slot.6: a writer takes over from one that dies at any step, and loses nothing that was published",
  EXPLORES,
  (t) => {
    tryEach(t, {
      agents: { one: adds(ONE, 1), two: adds(TWO, 2) },
      crash: { agents: ["one"], recover: { reaper: recovers(ONE) } },
      check(memory, outcome) {
        checkAll(memory, outcome);
        assert.equal(memory.load(LOCK), 0, "the lock is held by no live agent");
      },
    });
  },
);

test(
  "syncobj-slot.6: a writer that dies while others wait for its lock is waited for by no agent once it is known",
  EXPLORES,
  (t) => {
    tryEach(t, {
      prepare(memory) {
        memory.store(LOCK, identityOf(ONE));
      },
      agents: { two: adds(TWO, 2), reaper: (memory) => domain.recover(memory, REAPER, ONE) },
      check: (memory) => assert.deepEqual(numbersIn(memory), [0, 2]),
    });
  },
);

test("syncobj-slot.7: who waits for a point is told of it however it is added", EXPLORES, (t) => {
  tryEach(t, { agents: { one: adds(ONE, 1), waiter: awaits(TWO, 1) }, check: checkAll });
});

test(
  "syncobj-slot.7 recovery.7: who waits for a point is told of it, or of the death of who was to add it",
  EXPLORES,
  (t) => {
    tryEach(t, {
      agents: { one: adds(ONE, 1), waiter: awaits(TWO, 1, { orDead: true }) },
      crash: { agents: ["one"], recover: { reaper: recovers(ONE) } },
    });
  },
);

test(
  "syncobj-slot.4 referenced-table.4: a handle in flight holds the syncobj, with its fences, from its sender's drop to the import",
  EXPLORES,
  (t) => {
    tryEach(t, {
      prepare(memory) {
        SYNCOBJ_SLOTS.addInflight(domain.member(memory, MAKER), FIRST);
        for (const slot of [ONE, TWO]) SYNCOBJ_SLOTS.dropReference(domain.member(memory, slot), SLOT);
      },
      agents: {
        maker: (memory) => SYNCOBJ_SLOTS.dropReference(domain.member(memory, MAKER), SLOT),
        importer(memory) {
          const agent = domain.agent(memory, TWO);
          assert.ok(SYNCOBJ_SLOTS.addReference(agent, FIRST), "refused although the handle held the syncobj");
          SYNCOBJ_SLOTS.endInflight(agent, SLOT, HANDLE);
          return numbersOf(readSyncobj(agent, SLOT).elements);
        },
      },
      check(memory, { results }) {
        assert.deepEqual(results["importer"], [0]);
        assert.ok(SYNCOBJ_SLOTS.isLive(domain.segment(memory), FIRST));
      },
    });
  },
);

test(
  "referenced-table.2 referenced-table.3: a late importer is refused, and the next syncobj of the slot has fences of its own alone",
  EXPLORES,
  (t) => {
    tryEach(t, {
      prepare(memory) {
        for (const slot of [ONE, TWO]) SYNCOBJ_SLOTS.dropReference(domain.member(memory, slot), SLOT);
      },
      agents: {
        maker: (memory) => SYNCOBJ_SLOTS.dropReference(domain.member(memory, MAKER), SLOT),
        importer(memory) {
          const agent = domain.agent(memory, TWO);
          return SYNCOBJ_SLOTS.addReference(agent, FIRST) ? numbersOf(readSyncobj(agent, SLOT).elements) : "stale";
        },
        next(memory) {
          const agent = domain.agent(memory, ONE);
          const key = unlessFull(() => claimSyncobj(agent, [plain(3)]));
          return key && [key.generation, ...numbersOf(readSyncobj(agent, SLOT).elements)];
        },
      },
      check(_memory, { results }) {
        const { importer, next } = results;
        if (importer !== "stale") assert.deepEqual(importer, [0]);
        if (next !== undefined) assert.deepEqual([importer, next], ["stale", [2, 3]]);
      },
    });
  },
);

test(
  "referenced-table.5 recovery.6: an agent that dies with a syncobj, at any step of a change or of leaving it, leaves nothing behind",
  EXPLORES,
  (t) => {
    tryEach(t, {
      prepare(memory) {
        SYNCOBJ_SLOTS.dropReference(domain.member(memory, MAKER), SLOT);
        SYNCOBJ_SLOTS.dropReference(domain.member(memory, TWO), SLOT);
      },
      agents: {
        one(memory) {
          const agent = domain.agent(faulty(memory, QUIET), ONE);
          replaceSyncobj(agent, SLOT, []);
          SYNCOBJ_SLOTS.dropReference(agent, SLOT);
        },
      },
      crash: { agents: ["one"], recover: { reaper: recovers(ONE) } },
      check(memory) {
        assert.ok(!SYNCOBJ_SLOTS.isLive(domain.segment(memory), FIRST), "the syncobj lives although no agent holds it");
        assert.equal(memory.load(LOCK), 0);
      },
    });
  },
);

/** Mistakes in the protocol, as memory that does one thing wrongly, and how they show. */
const MISTAKES: Record<string, [agents: (fault: Fault) => Record<string, Program>, fault: Fault, report: RegExp]> = {
  "a list that is published before it is complete": [
    (fault) => ({ one: adds(ONE, 1, fault), reader: reads(TWO) }),
    (memory) => {
      let late: (() => void)[] = [];
      const put = (word: number, run: () => void): void => {
        if (isInCopy(word)) late.push(run);
        else run();
        if (word === PUBLISHED) late = late.filter((store) => void store());
      };
      return {
        store: (word, value) => put(word, () => memory.store(word, value)),
        store64: (word, value) => put(word, () => memory.store64(word, value)),
      };
    },
    /was never there/,
  ],
  "a writer that takes no lock": [
    (fault) => ({ one: adds(ONE, 1, fault), two: adds(TWO, 2) }),
    (memory) => ({
      compareExchange: (word, expected, put) => (word === LOCK ? 0 : memory.compareExchange(word, expected, put)),
    }),
    /is lost|was never there/,
  ],
  "a waiter that looks before it sets its bit": [
    (fault) => ({ one: adds(ONE, 1), waiter: awaits(TWO, 1, { fault }) }),
    (memory) => {
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
    },
    /waiter/,
  ],
};

for (const [name, [agents, fault, report]] of Object.entries(MISTAKES)) {
  test(`${name}: that is found`, EXPLORES, () => {
    assert.throws(
      () => explore(modelOf({ agents: agents(fault), check: checkAll })),
      (error) => {
        assert.ok(error instanceof ExplorationError, String(error));
        assert.match(error.message, report);
        return true;
      },
    );
  });
}

const HANDLE = { index: 0, ticket: MAKER + 1 };

/** The syncobj, with fence 0 in it, is there from the start; three agents hold it. */
function modelOf({ prepare, ...rest }: Scenario): ExploreOptions {
  return {
    words: domain.words,
    nameOf: domain.nameOf,
    prepare(memory) {
      domain.open(memory, 4);
      claimTimeline(domain.member(memory, MAKER), { name: "", driverName: "", timeLimit: 1000 });
      assert.deepEqual(claimSyncobj(domain.member(memory, MAKER), [plain(0)]), FIRST);
      for (const slot of [ONE, TWO]) SYNCOBJ_SLOTS.addReference(domain.member(memory, slot), FIRST);
      prepare?.(memory);
    },
    ...rest,
  };
}

function tryEach(t: { diagnostic(message: string): void }, scenario: Scenario): void {
  const { states, schedules } = explore(modelOf(scenario));
  t.diagnostic(`${states} states, ${schedules} schedules`);
}

const checkAll: NonNullable<Scenario["check"]> = (memory, { results }) => {
  const left = numbersIn(memory);
  const added = Object.values(results).filter((result) => typeof result === "number");
  for (const n of added) assert.ok(left.includes(n), `fence ${n} is lost: ${left.join()}`);
  assert.ok(isPossible(left), `${left.join()} was never there`);
};

/** Adds a fence as the point of its number, and says so. */
function adds(slot: number, n: number, fault: Fault = SOUND): Program {
  return (memory) => {
    addSyncobjPoint(domain.agent(faulty(memory, fault), slot, { fault: PATIENT }), SLOT, n, plain(n));
    return n;
  };
}

function replaces(slot: number, numbers: readonly number[]): Program {
  return (memory) =>
    replaceSyncobj(domain.agent(faulty(memory, QUIET), slot, { fault: PATIENT }), SLOT, numbers.map(plain));
}

function reads(slot: number, times = 1): Program {
  return (memory) => {
    const agent = domain.agent(memory, slot);
    let before: number[] = [];
    for (let n = 0; n < times; n++) {
      const seen = numbersOf(readSyncobj(agent, SLOT).elements);
      assert.ok(isPossible(seen), `${seen.join()} was never there`);
      assert.ok(seen.length >= before.length, "an older list came after a newer one");
      before = seen;
    }
  };
}

/** Blocks until a fence is there; `orDead`: or until agent ONE is dead. */
function awaits(slot: number, n: number, { orDead = false, fault = SOUND } = {}): Program {
  return (memory) => {
    const agent = domain.agent(memory, slot, { fault });
    agent.waitSync({
      arm: () => armSyncobj(agent, SLOT),
      ready: () =>
        numbersOf(readSyncobj(agent, SLOT).elements).includes(n) || (orDead && !isLive(agent, identityOf(ONE))),
    });
  };
}

/** Waits for the lock until it is woken, without a limit. */
const PATIENT: Fault = (memory) => ({
  park: (word, expected, timeoutMs) => memory.park(word, expected, word === LOCK ? Infinity : timeoutMs),
});

/** Rings no agent: here none waits. */
const QUIET: Fault = (memory) => ({
  store: (word, value) => (BELLS.includes(word) ? undefined : memory.store(word, value)),
});

function recovers(dead: number): (memory: Substrate) => void {
  return (memory) => {
    markDead(domain.segment(memory), identityOf(dead));
    domain.recover(memory, REAPER, dead);
  };
}

function numbersIn(memory: Substrate): number[] {
  return numbersOf(readSyncobj(domain.agent(memory, MAKER), SLOT).elements);
}

/** Which fences these are, oldest first; -1 for what is none, or no right one. */
function numbersOf(elements: readonly PointElement[]): number[] {
  return elements.map(({ fences: [fence], link }) => {
    const n = "sequence" in fence! ? fence.sequence - 10 : -1;
    const isRight = JSON.stringify(fence) === JSON.stringify(fenceOf(n));
    return isRight && (link === undefined || n > 0) ? n : -1;
  });
}

function isPossible(numbers: readonly number[]): boolean {
  return ["0", "0,1", "0,2", "0,1,2", "0,2,1", "1", "2"].includes(numbers.join());
}

function unlessFull<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return undefined;
    throw error;
  }
}
