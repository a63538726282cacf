import assert from "node:assert/strict";
import { retireFailure, RETIRED_RECOVERY, type RetiredFailure } from "../../src/domain/failures.js";
import { Layout, RETIRED, ONE_SHOT, TIMELINE } from "../../src/domain/layout.js";
import { sweep } from "../../src/domain/recovery.js";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { FIRST, namesOf, OWNER, SECOND, THIRD } from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

// A ring of two retired failures, so that writers overtake each other in it. Each fence slot has reached a generation
// of its own, and each of its fences has an errno of its own.

const { ESTALE } = ERRNO;
const LAYOUT = new Layout(
  {
    agents: 4,
    timelines: 1,
    oneShots: 2,
    buffers: 1,
    streams: 1,
    requests: 1,
    syncobjs: 1,
    userFences: 1,
    orders: 0,
    activities: 1,
    copies: 1,
  },
  2,
);
const nameOf = namesOf(LAYOUT);
const ENTRIES = [LAYOUT.retired(0), LAYOUT.retired(1)];

/** Where each fence slot remembers up to which generation its retired failures may be gone. */
const FORGOTTEN = [
  LAYOUT.timeline(0) + TIMELINE.FORGOTTEN_GENERATION,
  LAYOUT.oneShot(1) + ONE_SHOT.FORGOTTEN_GENERATION,
  LAYOUT.oneShot(2) + ONE_SHOT.FORGOTTEN_GENERATION,
];

const IN_THE_RING = [failed(0, 10), failed(1, 20)];

function failed(slot: number, generation: number): RetiredFailure {
  return { slot, generation, error: slot + generation, first: 1, last: 1 };
}

const adds =
  (self: number, ...failures: RetiredFailure[]) =>
  (memory: Substrate): void => {
    for (const each of failures) retireFailure({ ...segmentOf(memory, LAYOUT), identity: self }, each);
  };

function find(memory: Substrate, { slot, generation }: RetiredFailure): number {
  return segmentOf(memory, LAYOUT).protocol.findRetired(slot, generation, 1);
}

function prepare(memory: Substrate): void {
  adds(THIRD, ...IN_THE_RING)(memory);
}

/** Asserts what must be true of all retired failures that were ever added, and of those that may have been. */
function checkRing(memory: Substrate, added: readonly RetiredFailure[], perhaps: readonly RetiredFailure[] = []): void {
  for (const each of added) {
    const found = find(memory, each);
    assert.ok(found === each.error || found === ESTALE, `slot ${each.slot} was seen to have ended with ${found}`);
  }
  FORGOTTEN.forEach((word, slot) => {
    const generations = [...added, ...perhaps].filter((each) => each.slot === slot).map((each) => each.generation);
    assert.ok([0, ...generations].includes(memory.load(word)), "a slot has forgotten what it never had");
  });
}

const NOT_FORGOTTEN: Mistake = {
  name: "A retired failure that is overwritten before its slot knows",
  report: /was seen to have ended with 0/,
  agent: "first",
  plant(memory) {
    let late: (() => void) | undefined;
    return {
      compareExchange(word, expected, replacement) {
        if (!FORGOTTEN.includes(word)) return memory.compareExchange(word, expected, replacement);
        late = () => void memory.compareExchange(word, expected, replacement);
        return expected;
      },
      store(word, value) {
        memory.store(word, value);
        if (value > 0 && ENTRIES.includes(word - RETIRED.TAG)) late?.();
      },
    };
  },
};

for (const sought of IN_THE_RING) {
  testProtocol({
    name: `a reader finds the error of slot ${sought.slot}, or ESTALE, while two writers overtake each other in the ring (failures.3, failures.4, failures.5)`,
    options: {
      nameOf,
      prepare,
      agents: {
        first: adds(FIRST, failed(2, 30)),
        second: adds(SECOND, failed(0, 11)),
        reader: (memory) => find(memory, sought),
      },
      check(memory, { results }) {
        const found = results["reader"] as number;
        assert.ok(
          found === sought.error || found === ESTALE,
          `slot ${sought.slot} was seen to have ended with ${found}`,
        );
        checkRing(memory, [...IN_THE_RING, failed(2, 30), failed(0, 11)]);
      },
    },
    mistakes: [NOT_FORGOTTEN],
  });
}

testProtocol({
  // failures.6
  name: "two writers that go round the ring twice forget nothing that they do not overwrite (failures.4, failures.5)",
  options: {
    nameOf,
    prepare,
    agents: {
      first: adds(FIRST, failed(2, 30), failed(1, 21)),
      second: adds(SECOND, failed(0, 11), failed(2, 31)),
    },
    check: (memory) =>
      checkRing(memory, [...IN_THE_RING, ...[failed(2, 30), failed(1, 21), failed(0, 11), failed(2, 31)]]),
  },
});

testProtocol({
  name: "wherever a writer dies, its entry is free again after the sweep, and no reader finds half of it (failures.3, failures.4, failures.5, recovery.6)",
  options: {
    nameOf,
    prepare,
    agents: {
      first: adds(OWNER, failed(2, 30), failed(2, 31)),
      reader: (memory) => IN_THE_RING.map((each) => find(memory, each)),
    },
    crash: {
      agents: ["first"],
      recover: {
        sweeper(memory) {
          sweep(segmentOf(memory, LAYOUT), OWNER, [RETIRED_RECOVERY]);
          adds(FIRST, failed(1, 21), failed(0, 11))(memory);
        },
      },
    },
    check(memory, { results, crashed }) {
      IN_THE_RING.forEach((each, i) => {
        const found = (results["reader"] as number[])[i]!;
        assert.ok(found === each.error || found === ESTALE, `slot ${each.slot} was seen to have ended with ${found}`);
      });
      for (const entry of ENTRIES) assert.ok(memory.load(entry + RETIRED.TAG) > 0, "an entry is lost");
      const added = [...IN_THE_RING, ...(crashed.length === 0 ? [] : [failed(1, 21), failed(0, 11)])];
      checkRing(memory, added, [failed(2, 30), failed(2, 31)]);
    },
  },
  mistakes: [
    {
      name: "A sweep that leaves the entry of a dead writer to no agent",
      report: /an entry is lost/,
      agent: "sweeper",
      plant: (memory) => ({
        compareExchange(word, expected, replacement) {
          return expected < 0 ? expected : memory.compareExchange(word, expected, replacement);
        },
      }),
    },
    {
      name: "A sweep that shows what a dead writer has left",
      report: /was seen to have ended with|has forgotten what it never had/,
      agent: "sweeper",
      plant: (memory) => ({
        compareExchange: (word, expected, replacement) =>
          memory.compareExchange(word, expected, expected < 0 ? 1 : replacement),
      }),
    },
  ],
});
