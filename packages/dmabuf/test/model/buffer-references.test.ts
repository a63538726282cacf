import assert from "node:assert/strict";
import { test } from "node:test";
import { claimAgentSlot, markDead, slotOf, type Member } from "../../src/domain/agent-slot.js";
import { testBit } from "../../src/domain/bits.js";
import { BUFFER_SLOTS, type BufferKey, claimBuffer } from "../../src/buffer/buffer-slot.js";
import { AGENT, BUFFER, SLOT_PHASE, SLOT_STATE } from "../../src/domain/layout.js";
import { DmaBufError } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
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
import { identityOf, TinyDomain } from "./tiny-domain.js";

// The holders of a buffer; the contract is in src/domain/referenced-slot.ts.

const SLOT = 0;
const [EXPORTER, ONE, TWO, REAPER] = [0, 1, 2, 3];

const domain = new TinyDomain({ agents: 4 });
const base = domain.layout.buffer(SLOT);
const REFERENCES = base + domain.layout.BUFFER.REFERENCES;
const STATE = base + BUFFER.STATE;
const BELLS = [EXPORTER, ONE, TWO, REAPER].map((slot) => domain.layout.agent(slot) + AGENT.DOORBELL);
const EXPORTERS_BELL = BELLS[EXPORTER]!;

/** The buffer that is there from the start, and the first handle to it, which agent ONE has sent. */
const FIRST: BufferKey = { slot: SLOT, generation: 1 };
const HANDLE = { index: 0, ticket: ONE + 1 };

const BUFFER_OPTIONS = { size: 4096, name: "", exporterName: "" };
const SENT = { sent: true };

/** What an agent says in the end of what it has. */
type Holding = { generation: number; slot: number } | "nothing" | "stale" | "full";

test(
  "referenced-table.3 referenced-table.4: two and three holders that drop at once free the buffer, and its exporter is rung",
  EXPLORES,
  (t) => {
    tryAll(t, domain, rung(scenario([ONE, TWO], [drops(ONE), drops(TWO)])));
    tryAll(t, domain, rung(scenario([ONE, TWO, REAPER], [drops(ONE), drops(TWO), drops(REAPER)])));
  },
);

test(
  "referenced-table.3: the exporter of a freed buffer is rung although the slot is used again at once",
  EXPLORES,
  (t) => {
    tryAll(t, domain, rung(scenario([ONE], [drops(ONE), claims(TWO)])));
  },
);

test(
  "referenced-table.1 referenced-table.4: a handle in flight holds the buffer from its sender's drop to the import",
  EXPLORES,
  (t) => {
    tryAll(t, domain, imported(scenario([ONE, REAPER], [drops(ONE), drops(REAPER), imports(TWO)], SENT)));
  },
);

test(
  "referenced-table.1 referenced-table.4: a handle can be imported by two at once while its sender drops",
  EXPLORES,
  (t) => {
    tryAll(t, domain, imported(scenario([ONE], [drops(ONE), imports(TWO), imports(REAPER)], SENT)));
  },
);

test(
  "referenced-table.2 referenced-table.3: an import while the handle expires is refused only if the buffer is freed",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario([ONE], [drops(ONE), expires, imports(TWO)], SENT));
  },
);

test(
  "referenced-table.2 referenced-table.3: an importer that drops at once frees the buffer, or leaves it to another importer",
  EXPLORES,
  (t) => {
    const brief = imports(TWO, { then: drops(TWO) });
    tryAll(t, domain, scenario([ONE], [drops(ONE), brief, imports(REAPER)], SENT));
  },
);

test(
  "referenced-table.2 referenced-table.3: a late importer takes nothing from the next buffer of the slot, and adds nothing to its life",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario([ONE], [drops(ONE), imports(TWO), claims(REAPER)]));
    tryAll(t, domain, scenario([ONE], [drops(ONE), imports(TWO), claims(REAPER, drops(REAPER))]));
  },
);

test(
  "referenced-table.1 referenced-table.4: who makes a handle and drops the buffer leaves it to the handle",
  EXPLORES,
  (t) => {
    tryAll(t, domain, scenario([ONE, TWO], [sends(ONE), drops(TWO)]));
  },
);

/** Two agents, in the slots ONE and TWO, of which each may die at any step, and perhaps a third that may not. */
const MORTAL: Record<string, Scenario> = {
  "two holders that drop": scenario([ONE, TWO], [drops(ONE), drops(TWO)]),
  "a sender that drops and the importer of its handle": scenario([ONE], [drops(ONE), imports(TWO), expires], SENT),
  "a sender of a handle and another holder that drops": scenario([ONE, TWO], [sends(ONE), drops(TWO)]),
  "an importer that comes too late and an agent that exports": scenario([], [claims(ONE), imports(TWO)]),
  "two agents that export": scenario([], [claims(ONE), claims(TWO)]),
};

for (const [name, living] of Object.entries(MORTAL)) {
  test(
    `referenced-table.3 referenced-table.5: of ${name} each may die at any step, and nothing is lost and nothing left`,
    EXPLORES,
    (t) => {
      tryAll(t, domain, { ...living, crash: { agents: [0, 1], recover: { reaper: recovers(REAPER) } } });
    },
  );
}

test(
  "referenced-table.5 recovery.2: two holders may die at any step, and two reapers free what they have left",
  EXPLORES,
  (t) => {
    const recover = { reaper: recovers(REAPER), second: recovers(EXPORTER) };
    tryAll(t, domain, { ...scenario([ONE, TWO], [drops(ONE), drops(TWO)]), crash: { agents: [0, 1], recover } });
  },
);

test(
  "referenced-table.5 recovery.3: a reaper takes nothing from who joins in the slot of an agent that died at any step",
  EXPLORES,
  (t) => {
    const recover = { reaper: recovers(REAPER), joiner: joins };
    tryAll(t, domain, { ...scenario([ONE, TWO], [drops(ONE), drops(TWO)]), crash: { agents: [0], recover } });
  },
);

test(
  "referenced-table.5 recovery.2 recovery.3: neither do two reapers of an agent that is dead from the start",
  EXPLORES,
  (t) => {
    const reaps =
      (reaper: number): Program =>
      (memory) =>
        recovers(reaper)(memory, 0);
    const { prepare, ...rest } = scenario([ONE, TWO], [reaps(REAPER), reaps(EXPORTER), joins, drops(TWO)], SENT);
    tryAll(t, domain, {
      ...rest,
      prepare(memory) {
        prepare!(memory);
        markDead(domain.segment(memory), identityOf(ONE));
      },
    });
  },
);

test(
  "referenced-table.5 recovery.6: a reaper that dies over what a dead agent has left leaves the rest to the next",
  EXPLORES,
  (t) => {
    const recover = { reaper: recovers(REAPER), second: recovers(EXPORTER) };
    tryAll(t, domain, {
      ...scenario([ONE, TWO], [drops(ONE), drops(TWO)]),
      crash: { agents: [0, "reaper"], most: 2, recover },
    });
  },
);

/** Mistakes in the protocol, as memory that does one thing wrongly, and how they show. */
const MISTAKES: Record<string, [agents: (fault: Fault) => Program[], fault: Fault, report: RegExp]> = {
  "a reference that does not raise the version": [
    (fault) => [drops(ONE, fault), imports(TWO, { fault })],
    (memory) => ({
      compareExchange64(word, expected, replacement) {
        const raises = word === STATE && SLOT_STATE.phase.in(replacement) === SLOT_PHASE.LIVE;
        return raises ? memory.load64(word) : memory.compareExchange64(word, expected, replacement);
      },
    }),
    /freed although it is held/,
  ],
  "an import that ends the handle before it has its own reference": [
    (fault) => [drops(ONE), imports(TWO, { fault })],
    (memory) => {
      BUFFER_SLOTS.endInflight(domain.segment(memory), SLOT, HANDLE);
      return {};
    },
    /refused although the handle held the buffer/,
  ],
  "a drop that looks before it takes its bit away": [
    (fault) => [drops(ONE, fault), drops(TWO, fault), expires],
    (memory) => {
      let due = 0;
      return {
        and: (word, bits) => (word === REFERENCES ? ((due = bits), ~bits) : memory.and(word, bits)),
        load: (word) => memory.load(word) & (word === REFERENCES && due !== 0 ? due : -1),
        compareExchange64(word, expected, replacement) {
          if (due !== 0) memory.and(REFERENCES, due);
          return memory.compareExchange64(word, expected, replacement);
        },
      };
    },
    /live although no agent holds it/,
  ],
};

for (const [name, [agents, fault, report]] of Object.entries(MISTAKES)) {
  test(`${name}: that is found`, EXPLORES, () => {
    assertCaught(domain, imported(scenario([ONE], agents(fault), SENT)), "check", report);
  });
}

/** Holders have a reference each from the start; `sent`: and a handle is in flight. */
function scenario(
  holders: readonly number[],
  agents: Scenario["agents"],
  { sent = false }: { sent?: boolean } = {},
): Scenario {
  return {
    prepare(memory) {
      domain.open(memory, 4);
      const exporter = domain.member(memory, EXPORTER);
      assert.deepEqual(claimBuffer(exporter, BUFFER_OPTIONS), FIRST);
      for (const holder of holders) BUFFER_SLOTS.addReference(domain.member(memory, holder), FIRST);
      if (sent) assert.deepEqual(BUFFER_SLOTS.addInflight(domain.member(memory, ONE), FIRST), HANDLE);
      BUFFER_SLOTS.dropReference(exporter, SLOT);
      memory.store(EXPORTERS_BELL, 0);
    },
    agents,
    check(memory, { results, crashed }) {
      const survivors = Object.entries(results).filter(([name]) => !crashed.includes(name));
      checkHolders(
        memory,
        survivors.flatMap(([, result]) => result as Holding | undefined),
      );
    },
  };
}

/** As the scenario; in the end the exporter of the first buffer was rung. */
function rung({ check, ...rest }: Scenario): Scenario {
  return {
    ...rest,
    check(memory, outcome) {
      check!(memory, outcome);
      assert.equal(memory.load(EXPORTERS_BELL), 1, "the exporter does not know that its buffer was freed");
    },
  };
}

/** As the scenario; and no import is refused. */
function imported({ check, ...rest }: Scenario): Scenario {
  return {
    ...rest,
    check(memory, outcome) {
      check!(memory, outcome);
      assert.ok(!Object.values(outcome.results).includes("stale"), "refused although the handle held the buffer");
    },
  };
}

/** The buffer is live if an agent has it, and its slot has the references of the agents that have it and no others. */
function checkHolders(memory: Substrate, holdings: readonly (Holding | undefined)[]): void {
  const held = holdings.filter((holding) => typeof holding === "object");
  const { generation } = held[0] ?? { generation: 0 };
  for (const holding of held) assert.equal(holding.generation, generation, "two buffers are held in one slot");
  const live = [...BUFFER_SLOTS.live(domain.segment(memory))].map((key) => key.generation);
  assert.deepEqual(live, held.length === 0 ? [] : [generation], describe(live.length, held.length));
  if (holdings.includes("stale")) assert.notEqual(generation, 1, "an import was refused although the buffer lives");
  for (let slot = 0; slot < domain.layout.sizes.agents; slot++) {
    const wanted = held.some((holding) => holding.slot === slot);
    assert.equal(testBit(memory, REFERENCES, slot), wanted, `the reference of agent ${slot}`);
  }
}

function describe(live: number, held: number): string {
  if (live === 0) return "the buffer was freed although it is held";
  return held === 0 ? "the buffer is live although no agent holds it" : "another buffer is live";
}

function drops(slot: number, fault: Fault = SOUND): Program {
  return (memory) => {
    BUFFER_SLOTS.dropReference(domain.member(faulty(memory, fault), slot), SLOT);
    return "nothing";
  };
}

/** Imports the first handle. `then` is what the agent does if it has got the buffer. */
function imports(slot: number, { fault = SOUND, then }: { fault?: Fault; then?: Program } = {}): Program {
  return (memory) => {
    const member = domain.member(faulty(memory, fault), slot);
    if (!BUFFER_SLOTS.addReference(member, FIRST)) return "stale";
    BUFFER_SLOTS.endInflight(member, SLOT, HANDLE);
    return then === undefined ? { generation: 1, slot } : then(memory);
  };
}

/** The end of the first handle, as its sender or the limit of its time brings it about. */
function expires(memory: Substrate): Holding {
  BUFFER_SLOTS.endInflight(domain.segment(memory), SLOT, HANDLE);
  return "nothing";
}

/** Makes a handle, drops the buffer, and disposes the handle, which no agent has imported. */
function sends(slot: number): Program {
  return (memory) => {
    const member = domain.member(memory, slot);
    const inflight = BUFFER_SLOTS.addInflight(member, FIRST);
    BUFFER_SLOTS.dropReference(member, SLOT);
    assert.ok(BUFFER_SLOTS.isLive(member, FIRST), "the buffer was freed although a handle is in flight");
    BUFFER_SLOTS.endInflight(member, SLOT, inflight);
    return "nothing";
  };
}

/** Exports a buffer if there is room. `then` is what the agent does if there was. */
function claims(slot: number, then?: Program): Program {
  return (memory) => {
    try {
      const { generation } = claimBuffer(domain.member(memory, slot), BUFFER_OPTIONS);
      return then === undefined ? { generation, slot } : then(memory);
    } catch (error) {
      if (error instanceof DmaBufError && error.code === "ENOSPC") return "full";
      throw error;
    }
  };
}

/** Rings no agent: here none waits. */
const QUIET: Fault = (memory) => ({
  store: (word, value) => (BELLS.includes(word) ? undefined : memory.store(word, value)),
  wake: () => 0,
});

/** Recovers the agent that has died: the first two agents are in the slots ONE and TWO, the last one is a reaper. */
function recovers(reaper: number): (memory: Substrate, victim: number) => Holding {
  return (memory, victim) => {
    domain.recover(faulty(memory, QUIET), reaper, victim === 0 ? ONE : victim === 1 ? TWO : REAPER);
    return "nothing";
  };
}

/** Joins if an agent's slot has become free, and imports the first handle. */
function joins(memory: Substrate): Holding {
  const segment = domain.segment(memory);
  try {
    const member: Member = { ...segment, identity: claimAgentSlot(segment, "") };
    if (!BUFFER_SLOTS.addReference(member, FIRST)) return "stale";
    BUFFER_SLOTS.endInflight(member, SLOT, HANDLE);
    return { generation: 1, slot: slotOf(member.identity) };
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return "nothing";
    throw error;
  }
}
