import assert from "node:assert/strict";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  claim,
  complete,
  createDomain,
  end,
  FIRST,
  free,
  keyOf,
  type Kind,
  KINDS,
  look,
  OWNER,
  ownerWord,
  recoverFrom,
  SCRATCH,
  SECOND,
  THIRD,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// An agent dies at any step of taking a fence slot that was used before, of opening it, and of completing its fences.

const { EBUSY, EIO, ESRCH, ETIMEDOUT } = ERRNO;

/** How the fences ended for which the slot was used first. */
const FIRST_USE: Record<Kind, readonly number[]> = { timeline: [1, -EIO, -ETIMEDOUT], "one-shot": [-EIO] };

const prepare = (kind: Kind) => (memory: Substrate) => {
  createDomain(memory);
  claim(memory, kind, THIRD);
  FIRST_USE[kind].forEach((status, i) => {
    if (status === -ETIMEDOUT) end(memory, keyOf(kind), ETIMEDOUT);
    else complete(memory, keyOf(kind, 1, i + 1), status === 1 ? 0 : -status);
  });
  free(memory, kind, THIRD);
};

/** The slot's second use: its first fence fails, its second one does not, its third one is not reached. */
const uses = (kind: Kind) => (memory: Substrate) => {
  const generation = claim(memory, kind, OWNER);
  memory.store(SCRATCH, generation);
  complete(memory, keyOf(kind, generation), EBUSY);
  if (kind === "timeline") complete(memory, keyOf(kind, generation, 2));
};

const SECOND_USE: Record<Kind, readonly (readonly number[])[]> = {
  timeline: [[-EBUSY, -ESRCH], [1, -ESRCH], [-ESRCH]],
  "one-shot": [[-EBUSY, -ESRCH]],
};

function statuses(memory: Substrate, kind: Kind, generation: number): number[] {
  return FIRST_USE[kind].map((_, i) => look(memory, keyOf(kind, generation, i + 1)));
}

/** Asserts that every fence has ended as it should, and that the slot can be used again without changing that. */
function checkEnds(memory: Substrate, kind: Kind): void {
  assert.equal(memory.load(ownerWord(kind)), 0, "the slot is still taken");
  assert.deepEqual(statuses(memory, kind, 1), FIRST_USE[kind]);
  const told = memory.load(SCRATCH);
  const ends = told === 0 ? [] : statuses(memory, kind, told);
  ends.forEach((status, i) =>
    assert.ok(SECOND_USE[kind][i]!.includes(status), `fence ${i + 1} has the status ${status}`),
  );

  for (let use = 1; use <= 2; use++) {
    const generation = claim(memory, kind, SECOND);
    assert.ok(generation > told, "a generation was given twice");
    assert.equal(look(memory, keyOf(kind, generation)), 0);
    assert.ok(complete(memory, keyOf(kind, generation)));
    assert.equal(look(memory, keyOf(kind, generation)), 1);
    free(memory, kind, SECOND);
    assert.deepEqual(statuses(memory, kind, 1), FIRST_USE[kind]);
    if (told !== 0) assert.deepEqual(statuses(memory, kind, told), ends);
  }
}

const UNENDED: Mistake = {
  name: "A sweep that frees a slot whose fences are pending",
  report: /The check threw/,
  agent: "survivor",
  plant: () => ({ compareExchange64: (_word, expected) => expected }),
};

for (const kind of KINDS) {
  testProtocol({
    name: `wherever the owner of a ${kind} dies, and then its reaper, all fences have ended and the slot can be used (recovery.1, recovery.3, recovery.6, timeline-slot.4, failures.3)`,
    options: {
      prepare: prepare(kind),
      agents: { owner: uses(kind) },
      crash: {
        most: 2,
        agents: ["owner", "survivor"],
        recover: {
          survivor: (memory, victim) => (victim === 0 ? recoverFrom(memory, FIRST, OWNER) : undefined),
          second: (memory, victim) => (victim === 1 ? recoverFrom(memory, SECOND, FIRST) : undefined),
        },
      },
      check(memory, { crashed }) {
        if (!crashed.includes("owner")) return;
        // A reaper that died before it had declared the owner dead leaves that to another agent that has noticed it.
        if (crashed.includes("survivor")) recoverFrom(memory, SECOND, OWNER);
        checkEnds(memory, kind);
      },
    },
    mistakes: kind === "timeline" ? [UNENDED] : [],
  });

  FIRST_USE[kind].forEach((status, i) => {
    testProtocol({
      name: `a reader finds that fence ${i + 1} of a ${kind} has ended with ${status} while its slot's next owner dies (recovery.1, timeline-slot.4, failures.3, failures.5)`,
      options: {
        prepare: prepare(kind),
        agents: { owner: uses(kind), reader: (memory) => look(memory, keyOf(kind, 1, i + 1)) },
        crash: { agents: ["owner"], recover: { survivor: (memory) => recoverFrom(memory, FIRST, OWNER) } },
        check: (_memory, { results }) => assert.equal(results["reader"], status),
      },
    });
  });
}
