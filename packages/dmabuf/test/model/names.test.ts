import assert from "node:assert/strict";
import { test } from "node:test";
import { agentName, claimAgentSlot, retireAgentSlot } from "../../src/domain/agent-slot.js";
import { agentNames } from "../../src/domain/invitation-slot.js";
import { claimBuffer } from "../../src/buffer/buffer-slot.js";
import { bufferName, renameBuffer } from "../../src/domain/buffer-name.js";
import { AGENT, BUFFER } from "../../src/domain/layout.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { assertCaught, EXPLORES, faulty, SOUND, tryAll, type Fault, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";

// Names are stored in several words, and seen as a whole: agent-slot.6 of src/domain/agent-slot.ts, and a buffer's,
// which any holder may change.

const [ONE, TWO, READER, REAPER] = [0, 1, 2, 3];
const domain = new TinyDomain({ agents: 4 });
const NAMED = domain.layout.agent(ONE) + AGENT.NAMED;
const NEXT = (2 << 10) | ONE;

/** Of two words each, so that parts of two of them are seen. */
const [OLD, NEW] = ["old-old", "new-new"];

/** The first agent leaves, and another one joins in its slot, while a third one reads names. */
function joins({ ofReader = SOUND, ofJoiner = SOUND }: { ofReader?: Fault; ofJoiner?: Fault } = {}): Scenario {
  return {
    prepare(memory) {
      const segment = domain.segment(memory);
      domain.open(memory, 0);
      claimAgentSlot(segment, OLD);
      for (let slot = 1; slot < 4; slot++) claimAgentSlot(segment, "");
    },
    agents: {
      joiner(memory) {
        const segment = domain.segment(faulty(memory, ofJoiner));
        retireAgentSlot(segment, identityOf(ONE));
        claimAgentSlot(segment, NEW);
      },
      reader(memory) {
        const segment = domain.segment(faulty(memory, ofReader));
        return [agentNames(segment)[0], agentName(segment, identityOf(ONE)), agentName(segment, NEXT)];
      },
    },
    check(memory, { results }) {
      const [listed, old, next] = results["reader"] as string[];
      assert.ok([OLD, NEW, ""].includes(listed!), `the list says "${listed}"`);
      assert.ok([OLD, ""].includes(old!), `the one that left is called "${old}"`);
      assert.ok([NEW, ""].includes(next!), `the newcomer is called "${next}"`);
      assert.equal(agentName(domain.segment(memory), NEXT), NEW);
    },
  };
}

/** The model's time passes at any moment: here no holder of the lock is stopped. */
const PATIENT: Fault = (memory) => ({ park: (word, expected) => memory.park(word, expected, Infinity) });

/** Two agents rename a buffer, while a third one reads its name. One may die at any step. */
function renames(fault: Fault = SOUND, { dies = false } = {}): Scenario {
  const rename =
    (slot: number, name: string, fault: Fault = SOUND) =>
    (memory: Substrate) => {
      const all: Fault = (memory) => ({ ...PATIENT(memory), ...fault(memory) });
      renameBuffer(domain.agent(memory, slot, { fault: all, state: () => name }), 0, name);
    };
  const crash = {
    agents: ["one"],
    recover: { reaper: (memory: Substrate) => domain.recover(memory, REAPER, ONE) },
  };
  return {
    prepare(memory) {
      domain.open(memory, 4);
      claimBuffer(domain.member(memory, READER), { size: 1, name: OLD, exporterName: "" });
    },
    agents: {
      one: rename(ONE, NEW, fault),
      ...(dies ? {} : { two: rename(TWO, "2nd-2nd", fault) }),
      reader: (memory) => bufferName(domain.segment(memory), 0),
    },
    ...(dies && { crash }),
    check(memory, { results, crashed }) {
      const names = [OLD, NEW, "2nd-2nd"];
      const last = bufferName(domain.segment(memory), 0);
      for (const name of [results["reader"] as string, last]) assert.ok(names.includes(name), `it is called "${name}"`);
      if (crashed.length === 0) assert.notEqual(last, OLD);
      // No agent's death keeps others from it.
      renameBuffer(domain.agent(memory, READER), 0, "end-end");
      assert.equal(bufferName(domain.segment(memory), 0), "end-end");
    },
  };
}

test("agent-slot.6: an agent's name is read as a whole, or not yet, while it joins", EXPLORES, (t) => {
  tryAll(t, domain, joins());
});

test("a buffer's name is read as one agent has given it, while two rename it", EXPLORES, (t) => {
  tryAll(t, domain, renames());
});

test("a buffer that an agent dies over while it renames it has its old name or the new one", EXPLORES, (t) => {
  tryAll(t, domain, renames(SOUND, { dies: true }));
});

/** Mistakes, as memory that does one thing wrongly. */
const MISTAKES: Record<string, [scenario: Scenario, report: RegExp]> = {
  "a reader of names that looks at no generation": [
    joins({
      ofReader: (memory) => ({
        load: (word) => (word === NAMED ? memory.load(domain.layout.agent(ONE)) >>> 10 : memory.load(word)),
      }),
    }),
    /is called|the list says/,
  ],
  "an agent whose name counts before it is written": [
    joins({
      ofJoiner: (memory) => ({
        compareExchange(word, expected, replacement) {
          const old = memory.compareExchange(word, expected, replacement);
          if (word === domain.layout.agent(ONE) && old === expected) memory.store(NAMED, replacement >>> 10);
          return old;
        },
      }),
    }),
    /is called|the list says/,
  ],
  "a buffer that is renamed in place": [
    renames((memory) => ({
      load: (word) => memory.load(word) + (word === domain.layout.buffer(0) + BUFFER.NAMED ? 1 : 0),
      store: (word, value) => memory.store(word, value - (word === domain.layout.buffer(0) + BUFFER.NAMED ? 1 : 0)),
    })),
    /it is called/,
  ],
  "two that rename a buffer without a lock": [
    renames((memory) => ({
      compareExchange: (word, expected, replacement) =>
        word === domain.layout.buffer(0) + BUFFER.RENAMER
          ? expected
          : memory.compareExchange(word, expected, replacement),
    })),
    /it is called/,
  ],
};

for (const [name, [scenario, report]] of Object.entries(MISTAKES)) {
  test(`${name} is noticed`, EXPLORES, () => assertCaught(domain, scenario, "check", report));
}
