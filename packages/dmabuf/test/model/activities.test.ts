import assert from "node:assert/strict";
import { ACTIVITY } from "../../src/domain/layout.js";
import { clearActivity, readActivity, storeActivity, type StoredActivity } from "../../src/explain/activity-slot.js";
import { testProtocol } from "./protocol.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";

// What agents do that lasts, in shared words (src/explain/activity-slot.ts): an onlooker never sees parts of two entries.

const [ONE, TWO, READER] = [0, 1, 2];
const domain = new TinyDomain({ agents: 4 });
const { words, nameOf, layout } = domain;
const model = { words, nameOf, merge: true };
const base = layout.activity(0);

/** An entry in which each word is of one agent. */
function entryOf(agent: number): Omit<StoredActivity, "owner"> {
  const number = agent + 1;
  const does = agent === ONE ? "awaits-read" : "awaits-write";
  return {
    does,
    slot: number,
    generation: number,
    number,
    since: number,
    blocks: agent === ONE,
    place: `at ${number}`,
  };
}

function isWhole(entry: StoredActivity | undefined): boolean {
  if (entry === undefined) return true;
  const { owner, ...rest } = entry;
  return [ONE, TWO].some((agent) => {
    return owner === identityOf(agent) && JSON.stringify(rest, Object.keys(rest).sort()) === textOf(agent);
  });
}

function textOf(agent: number): string {
  const entry = entryOf(agent);
  return JSON.stringify(entry, Object.keys(entry).sort());
}

testProtocol({
  name: "an onlooker sees an entry whole, or none, while its slot goes to another agent (activity-slot.1, activity-slot.2)",
  options: {
    ...model,
    prepare(memory) {
      domain.open(memory, 3);
      storeActivity(domain.member(memory, ONE), entryOf(ONE));
    },
    agents: {
      owners(memory) {
        clearActivity(domain.segment(memory), 0, identityOf(ONE));
        storeActivity(domain.member(memory, TWO), entryOf(TWO));
      },
      reader: (memory) => readActivity(domain.segment(memory), 0),
    },
    check(memory, { results }) {
      assert.ok(isWhole(results["reader"] as StoredActivity | undefined), "parts of two entries were read");
      assert.ok(isWhole(readActivity(domain.segment(memory), 0)), "the last entry is damaged");
    },
  },
  mistakes: [
    {
      name: "A version that does not change when an entry is taken back",
      report: /parts of two entries were read/,
      agent: "owners",
      plant: (memory) => ({
        add: (word, amount) => (word === base + ACTIVITY.VERSION ? memory.load(word) : memory.add(word, amount)),
      }),
    },
  ],
});

testProtocol({
  name: "an entry of an agent that dies at any step is gone, and its slot is free (activity-slot.1, activity-slot.3)",
  options: {
    ...model,
    prepare: (memory) => domain.open(memory, 4),
    agents: {
      mortal(memory) {
        const slot = storeActivity(domain.member(memory, ONE), entryOf(ONE));
        if (slot !== undefined) clearActivity(domain.segment(memory), slot, identityOf(ONE));
      },
    },
    crash: { recover: { reaper: (memory) => domain.recover(memory, READER, ONE) } },
    check(memory, { crashed }) {
      assert.equal(readActivity(domain.segment(memory), 0), undefined, "the entry has stayed");
      assert.equal(memory.load(base + ACTIVITY.OWNER), 0, "the slot has stayed taken");
      assert.ok(crashed.length <= 1);
      storeActivity(domain.member(memory, TWO), entryOf(TWO));
      assert.equal(readActivity(domain.segment(memory), 0)?.owner, identityOf(TWO), "the next entry cannot be read");
    },
  },
  mistakes: [
    {
      name: "A reaper that leaves the version of a whole entry",
      report: /the next entry cannot be read/,
      agent: "reaper",
      plant: (memory) => ({
        add: (word, amount) => (word === base + ACTIVITY.VERSION ? memory.load(word) : memory.add(word, amount)),
      }),
    },
  ],
});
