import assert from "node:assert/strict";
import { test } from "node:test";
import { contentVersion } from "../../src/buffer/content-version.js";
import { HOLD_RECOVERY, Holds } from "../../src/buffer/hold.js";
import { markDead } from "../../src/domain/agent-slot.js";
import { BUFFER } from "../../src/domain/layout.js";
import { release, sweep } from "../../src/domain/recovery.js";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import { assertCaught, EXPLORES, tryAll, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";

// The number of one buffer's content; the contract is in src/buffer/content-version.ts.

const BUFFER_SLOT = 0;
const REAPER = 3;

/** BYTES is the buffer's content, and FOUND n what a reader has found under the number n, and one more. */
const NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7];
const domain = new TinyDomain({ agents: 4 }, ["BYTES", ...NUMBERS.map((number) => `FOUND ${number}`)], {
  countsContents: true,
});
const BYTES = domain.extra("BYTES");
const base = domain.layout.buffer(BUFFER_SLOT);
const [CONTENT, WRITER] = [base + BUFFER.CONTENT, base + BUFFER.WRITER];

for (const [name, agents] of Object.entries({
  "a writer that may die and two readers": [writes(0, 1), reads(1, 1), reads(2, 1)],
  "two writers, of which one may die, and a reader": [writes(0, 1), writes(1, 3), reads(2, 1)],
  "a writer that may die and a reader that comes three times": [writes(0, 1), reads(1, 3)],
})) {
  test(
    `hold.7 content-version.1 content-version.3: of ${name}, no reader finds other bytes under a number that was seen`,
    EXPLORES,
    (t) => {
      const reaper = (memory: Substrate, victim: number): void => domain.recover(memory, REAPER, victim);
      tryAll(t, domain, { ...scenario(agents), crash: { agents: [0], recover: { reaper } } });
    },
  );
}

test(
  "content-version.3: a reader that comes before the reaper does not take a dead writer's bytes for those before",
  EXPLORES,
  (t) => {
    tryAll(t, domain, afterDeath([reads(0, 2), reads(1), reaps]));
  },
);

const withoutAdd: Fault = (memory) => ({ add: (word, by) => (word === CONTENT ? 0 : memory.add(word, by)) });

test("a writer that raises nothing is found", EXPLORES, () => {
  assertCaught(domain, scenario([writes(0, 1, withoutAdd), reads(1, 2)]), "threw", /other bytes/);
});

test("a reader that does not raise the number for a dead writer is found", EXPLORES, () => {
  const blind = (memory: Substrate): void => {
    const agent = domain.agent(memory, 0, { fault: withoutAdd });
    read(memory, agent, new Holds(agent, BUFFER_SLOT));
  };
  assertCaught(domain, afterDeath([blind, reads(1)]), "threw", /other bytes/);
});

test("a reaper that clears a dead writer and then raises is found", EXPLORES, () => {
  const hasty: Program = (memory) => {
    const segment = domain.segment(memory);
    segment.memory.compareExchange(WRITER, identityOf(2), 0);
    landmark(memory, "cleared");
    segment.memory.add(CONTENT, 1);
  };
  assertCaught(domain, afterDeath([reads(0), hasty]), "threw", /other bytes/);
});

/** What is there at first was seen. */
function open(memory: Substrate): void {
  domain.open(memory, 4);
  memory.store(domain.extra("FOUND 0"), 1);
}

function scenario(agents: readonly Program[]): Scenario {
  return { prepare: open, agents };
}

/** Agent 2 has died while it wrote. */
function afterDeath(agents: readonly Program[]): Scenario {
  return {
    prepare(memory) {
      open(memory);
      const holds = new Holds(domain.agent(memory, 2), BUFFER_SLOT);
      assert.ok(holds.tryTake("write"));
      memory.store(BYTES, 1);
      markDead(domain.segment(memory), identityOf(2));
    },
    agents,
  };
}

function reaps(memory: Substrate): void {
  release(domain.segment(memory), identityOf(2), [HOLD_RECOVERY], ERRNO.ESRCH, 1);
  sweep(domain.segment(memory), identityOf(2), [HOLD_RECOVERY]);
}

/** Writes two values one after the other, if the buffer is free. */
function writes(slot: number, value: number, fault?: Fault): Program {
  return (memory) => {
    const holds = new Holds(domain.agent(memory, slot, { fault }), BUFFER_SLOT);
    if (!holds.tryTake("write")) return;
    landmark(memory, "holds");
    memory.store(BYTES, value);
    memory.store(BYTES, value + 1);
    holds.release("write");
  };
}

/** Reads so many times, if the buffer is free then. */
function reads(slot: number, times = 2): Program {
  return (memory) => {
    const agent = domain.agent(memory, slot);
    const holds = new Holds(agent, BUFFER_SLOT);
    for (let i = 0; i < times; i++) {
      if (holds.tryTake("read")) {
        landmark(memory, `holds ${i}`);
        read(memory, agent, holds);
      }
      landmark(memory, `has read ${i}`);
    }
  };
}

function read(memory: Substrate, agent: ReturnType<typeof domain.agent>, holds: Holds): void {
  const number = contentVersion(agent, BUFFER_SLOT);
  const found = domain.extra(`FOUND ${number}`);
  const bytes = memory.load(BYTES) + 1;
  const before = memory.compareExchange(found, 0, bytes);
  assert.ok(before === 0 || before === bytes, `other bytes under number ${number}: ${before}, ${bytes}`);
  holds.release("read");
}
