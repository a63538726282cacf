import assert from "node:assert/strict";
import { test } from "node:test";
import { BUFFER } from "../../src/domain/layout.js";
import { claimTimeline } from "../../src/domain/timeline-slot.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import { tryReadEntries, type Entry } from "../../src/reservation/entries.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import {
  assertCaught,
  EXPLORES,
  faulty,
  SOUND,
  tryAll,
  type Fault,
  type Program,
  type Scenario,
} from "./interleavings.js";
import { TinyDomain } from "./tiny-domain.js";
import { addEntry, reservationAt } from "../reservation-at.js";

// What a reservation holds, as readers without the lock see it; the contract is in src/reservation/entries.ts.

const BUFFER_SLOT = 0;
const REAPER = 3;

const domain = new TinyDomain({ agents: 4, timelines: 3 });
const base = domain.layout.buffer(BUFFER_SLOT);
const PUBLISHED = base + BUFFER.PUBLISHED;
const LOCK = base + BUFFER.LOCK;
const WAITERS = base + domain.layout.BUFFER.LOCK_WAITERS;
const COPIES = domain.layout.reservation(BUFFER_SLOT, 0);
const SECOND_COPY = domain.layout.reservation(BUFFER_SLOT, 1);
const isInCopy = (word: number): boolean => word >= COPIES && word < domain.layout.stream(0);
const inOtherCopy = (word: number): number => word + (word < SECOND_COPY ? 1 : -1) * (SECOND_COPY - COPIES);

/** Any two entries differ in every word that is not the same in all. */
const ENTRIES: readonly Entry[] = [0, 1, 2].map((n) => ({
  key: { slot: n, generation: 1, sequence: 11 + n },
  level: 1 + n,
}));

/** Everything that may ever be there, if each addition is made whole or not at all. */
const VERSIONS = [[], [0], [1], [2], [0, 1], [1, 0], [0, 2], [2, 0], [0, 1, 2], [0, 2, 1], [2, 0, 1]];

test(
  "entries.1 entries.2: a reader sees one of the versions that a writer publishes one after the other, and never an older one again",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario({ writer: adds(0, [0, 1]), reader: reads(2, 2) }));
  },
);

test("entries.1 entries.2: two readers each see a whole version", EXPLORES, (t) => {
  tryAll(t, domain, scenario({ writer: adds(0, [0]), reader: reads(2), other: reads(3) }));
});

test(
  "entries.1 entries.2: a reader sees whole versions of two writers, of which none loses what the other has added",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario({ writer: adds(0, [0]), other: adds(1, [1]), reader: reads(2) }));
  },
);

test(
  "entries.3: what a writer that dies at any step has not published has changed nothing for readers",
  EXPLORES,
  (t) => {
    tryAll(t, domain, { ...scenario({ writer: adds(0, [0, 1]), reader: reads(2, 2) }), crash: { agents: ["writer"] } });
  },
);

test(
  "entries.3: a writer takes over from one that dies at any step, and loses nothing that was published",
  EXPLORES,
  (t) => {
    const reaper = (memory: Substrate, victim: number): void => domain.recover(memory, REAPER, victim);
    const { check, ...rest } = scenario({ writer: adds(0, [0, 1]), other: adds(1, [2]) });
    tryAll(t, domain, {
      ...rest,
      crash: { agents: ["writer"], recover: { reaper } },
      check(memory, outcome) {
        check!(memory, outcome);
        const left = numbersOf(tryReadEntries(domain.segment(memory), BUFFER_SLOT)!);
        assert.ok(
          VERSIONS.some((version) => version.join() === left.join()),
          left.join(),
        );
      },
    });
  },
);

test("reservation.3: a reader never misses a pending fence while a later one takes its place", EXPLORES, (t) => {
  const fence = (sequence: number) => ({ slot: 0, generation: 1, sequence });
  tryAll(t, domain, {
    prepare(memory) {
      domain.open(memory, 4);
      claimTimeline(domain.member(memory, 0), { name: "", driverName: "", timeLimit: 1000 });
      addEntry(domain.segment(memory), BUFFER_SLOT, { key: fence(1), level: 1 });
    },
    agents: {
      writer(memory) {
        const agent = domain.agent(memory, 0);
        const reservation = reservationAt(agent, BUFFER_SLOT);
        for (const sequence of [2, 3]) {
          using _lock = reservation.lockSync();
          reservation.reserveFences(1);
          reservation.addFence(fenceAt(agent, fence(sequence))!, "write");
        }
      },
      reader(memory) {
        const reservation = reservationAt(domain.agent(memory, 2), BUFFER_SLOT);
        assert.ok(!reservation.testSignaled("write"), "the reader has found no pending fence");
      },
    },
    check: (memory) => assert.equal(tryReadEntries(domain.segment(memory), BUFFER_SLOT)!.length, 1),
  });
});

/** Mistakes in the protocol, as memory that does one thing wrongly; each lets a reader see what was never there. */
const MISTAKES: Record<string, { writer?: Fault; reader?: Fault }> = {
  "a version that is published before its copy is complete": {
    writer(memory) {
      let late: (() => void)[] = [];
      return {
        store(word, value) {
          if (isInCopy(word)) return void late.push(() => memory.store(word, value));
          memory.store(word, value);
          if (word === PUBLISHED) late = late.filter((store) => void store());
        },
      };
    },
  },
  "a writer that writes the copy that is valid": {
    writer: (memory) => ({
      store: (word, value) => memory.store(isInCopy(word) ? inOtherCopy(word) : word, value),
    }),
  },
  "a reader that does not look at the version again": {
    reader(memory) {
      let version: number | undefined;
      return { load: (word) => (word === PUBLISHED ? (version ??= memory.load(word)) : memory.load(word)) };
    },
  },
};

for (const [name, { writer, reader }] of Object.entries(MISTAKES)) {
  test(`${name}: that is found`, EXPLORES, () => {
    const agents = { writer: adds(0, [0, 1], writer), reader: reads(2, 1, reader) };
    assertCaught(domain, { ...scenario(agents), check: () => {} }, "threw", /was never there/);
  });
}

/** What is added is pending: an agent that does not die signals it. */
function openWithFences(memory: Substrate): void {
  domain.open(memory, 4);
  for (const { key } of ENTRIES) {
    const { slot } = claimTimeline(domain.member(memory, REAPER), { name: "", driverName: "", timeLimit: 1000 });
    assert.equal(slot, key.slot);
  }
}

function scenario(agents: Record<string, Program>): Scenario {
  return {
    prepare: openWithFences,
    agents,
    check(memory, { results, crashed }) {
      const left = numbersOf(tryReadEntries(domain.segment(memory), BUFFER_SLOT)!);
      const added = Object.values(results)
        .filter((result) => Array.isArray(result))
        .flat() as number[];
      for (const entry of added) assert.ok(left.includes(entry), `entry ${entry} is lost: ${left.join()}`);
      if (crashed.length === 0) assert.equal(left.length, added.length);
    },
  };
}

/** Adds entries, each in a lock section of its own; returns them. */
function adds(slot: number, entries: readonly number[], fault?: Fault): Program {
  return (memory) => {
    let done = 0;
    const agent = domain.agent(memory, slot, {
      fault,
      knows: [LOCK],
      arms: [WAITERS],
      state: () => String(done),
    });
    const reservation = reservationAt(agent, BUFFER_SLOT);
    for (const entry of entries) {
      using _lock = reservation.lockSync();
      addEntry(agent, BUFFER_SLOT, ENTRIES[entry]!);
      done++;
    }
    return entries;
  };
}

/** Reads the entries some times, without the lock. */
function reads(slot: number, times = 1, fault: Fault = SOUND): Program {
  return (memory) => {
    const segment = { ...domain.segment(faulty(memory, fault)), identity: slot };
    let before: number[] = [];
    for (let n = 0; n < times; n++) {
      const seen = numbersOf(
        snapshot(() => {
          landmark(memory, `reads ${n} after ${before.join()}`);
          return tryReadEntries(segment, BUFFER_SLOT);
        }),
      );
      assert.ok(
        VERSIONS.some((version) => version.join() === seen.join()),
        `${seen.join()} was never there`,
      );
      assert.deepEqual(seen.slice(0, before.length), before, "an older version came after a newer one");
      before = seen;
    }
  };
}

function snapshot(read: () => Entry[] | undefined): Entry[] {
  for (;;) {
    const entries = read();
    if (entries !== undefined) return entries;
  }
}

/** Which entries these are; -1 for what is none of them. */
function numbersOf(entries: readonly Entry[]): number[] {
  const texts = ENTRIES.map((entry) => JSON.stringify(entry));
  return entries.map((entry) => texts.indexOf(JSON.stringify(entry)));
}
