import assert from "node:assert/strict";
import { FAILURES_KEPT, TIMELINE } from "../../src/domain/layout.js";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { claim, complete, createDomain, keyOf, LAYOUT, look, OWNER, recoverFrom, SECOND } from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// Every second fence of a timeline fails, with an errno of its own. As many have failed as are kept when the owner goes
// on to fail more of them, while another agent looks at one.

const { ESRCH, ESTALE } = ERRNO;
const BEFORE = 2 * FAILURES_KEPT;
const AFTER = BEFORE + 5;
const FAILURES = LAYOUT.timeline(0) + TIMELINE.FAILURES;
const FORGOTTEN = LAYOUT.timeline(0) + TIMELINE.FORGOTTEN;

/** How a fence ends that is decided by its owner. */
function ownStatus(sequence: number): number {
  return sequence % 2 === 0 ? 1 : -(200 + sequence);
}

function decide(memory: Substrate, sequence: number): void {
  const status = ownStatus(sequence);
  assert.ok(complete(memory, keyOf("timeline", 1, sequence), status === 1 ? 0 : -status));
}

function prepare(memory: Substrate): void {
  createDomain(memory);
  claim(memory, "timeline", OWNER);
  for (let n = 1; n <= BEFORE; n++) decide(memory, n);
}

/** Asserts that a fence's own status was seen, or one that is possible besides. */
function checkStatus(sequence: number, status: number, besides: readonly number[]): void {
  assert.notEqual(status, ownStatus(sequence) === 1 ? undefined : 1, "a failed fence was seen to have succeeded");
  assert.ok(
    status === ownStatus(sequence) || besides.includes(status),
    `fence ${sequence} was seen to end with ${status}`,
  );
}

const EARLY_COUNT: Mistake = {
  name: "A failure that is counted before it is written",
  report: /a failed fence was seen to have succeeded|was seen to end with/,
  agent: "owner",
  plant: (memory) => ({
    load(word) {
      const value = memory.load(word);
      if (word === FAILURES) memory.store(word, value + 1);
      return value;
    },
  }),
};

const NOTHING_FORGOTTEN: Mistake = {
  name: "A failure that is overwritten and not called forgotten",
  report: /a failed fence was seen to have succeeded/,
  agent: "owner",
  plant: (memory) => ({
    store64: (word, value) => (word === FORGOTTEN ? undefined : memory.store64(word, value)),
  }),
};

const CASES: readonly [sequence: number, what: string, ...mistakes: Mistake[]][] = [
  [1, "the failure that is forgotten first", EARLY_COUNT, NOTHING_FORGOTTEN],
  [3, "the failure that is forgotten next", NOTHING_FORGOTTEN],
  [2, "a success among failures that are forgotten"],
  [BEFORE - 1, "the last failure so far"],
  [BEFORE + 1, "the failure that is being recorded", EARLY_COUNT],
  [BEFORE + 2, "the success after it"],
  [AFTER, "the last failure to come"],
];

for (const [sequence, what, ...mistakes] of CASES) {
  testProtocol({
    name: `a reader of ${what} finds its own end, or ESTALE and then nothing else (failures.1, failures.2, failures.5)`,
    options: {
      prepare,
      agents: {
        owner(memory) {
          for (let n = BEFORE + 1; n <= AFTER; n++) decide(memory, n);
        },
        reader: (memory) => [
          look(memory, keyOf("timeline", 1, sequence)),
          look(memory, keyOf("timeline", 1, sequence)),
        ],
      },
      check(memory, { results }) {
        const [before, after] = results["reader"] as [number, number];
        checkStatus(sequence, before, [-ESTALE, ...(sequence > BEFORE ? [0] : [])]);
        checkStatus(sequence, after, [-ESTALE, before]);
        if (before === -ESTALE) assert.equal(after, before);
        checkStatus(
          sequence,
          look(memory, keyOf("timeline", 1, sequence)),
          sequence <= AFTER - BEFORE ? [-ESTALE] : [],
        );
      },
    },
    mistakes,
  });
}

testProtocol({
  name: "every fence has its own end, or ESTALE, wherever the owner dies that fails them (failures.1, failures.2, failures.5, timeline-slot.3)",
  options: {
    prepare,
    agents: {
      owner(memory) {
        for (let n = BEFORE + 1; n <= AFTER; n++) decide(memory, n);
      },
    },
    crash: { recover: { survivor: (memory) => recoverFrom(memory, SECOND, OWNER) } },
    check(memory, { crashed }) {
      if (crashed.length === 0) return;
      const ends = () => Array.from({ length: AFTER + 1 }, (_, i) => look(memory, keyOf("timeline", 1, i + 1)));
      const inOneSlot = ends();
      inOneSlot.forEach((status, i) => {
        const sequence = i + 1;
        const besides = sequence <= AFTER - BEFORE ? [-ESTALE] : sequence > BEFORE ? [-ESRCH] : [];
        if (sequence > AFTER) assert.equal(status, -ESRCH);
        else checkStatus(sequence, status, besides);
      });
      // The slot is used again: more failures than are kept of retired ones may be forgotten there.
      claim(memory, "timeline", SECOND);
      ends().forEach((status, i) => assert.ok([inOneSlot[i], -ESTALE].includes(status)));
    },
  },
});
