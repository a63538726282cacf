import { awaitedHold } from "../../src/buffer/awaited-hold.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { currentHolds, HOLD_RECOVERY, Holds } from "../../src/buffer/hold.js";
import { isLive, markDead } from "../../src/domain/agent-slot.js";
import { anyBit } from "../../src/domain/bits.js";
import { BUFFER } from "../../src/domain/layout.js";
import { release, sweep } from "../../src/domain/recovery.js";
import type { AccessMode } from "../../src/reservation/usage.js";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import type { ExplorationFailure } from "../../src/testing/index.js";
import { assertCaught, EXPLORES, tryAll, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";

// The holds of one buffer; the contract is in src/buffer/hold.ts.

const BUFFER_SLOT = 0;
const REAPER = 3;

/** USES says which way an agent uses the buffer just now: what it believes, not what is in the buffer's slot. */
const domain = new TinyDomain({ agents: 4 }, ["agent 0 USES", "agent 1 USES", "agent 2 USES", "WRITTEN"]);
const USES: Record<AccessMode, number> = { read: 1, write: 2 };
const WRITTEN = domain.extra("WRITTEN");

const WRITER = domain.layout.buffer(BUFFER_SLOT) + BUFFER.WRITER;
const READERS = domain.layout.buffer(BUFFER_SLOT) + domain.layout.BUFFER.READERS;
const WAITERS = domain.layout.buffer(BUFFER_SLOT) + domain.layout.BUFFER.HOLD_WAITERS;

for (const [name, agents] of Object.entries({
  "three writers": [waits(0, "write"), waits(1, "write"), waits(2, "write")],
  "two writers and a reader": [waits(0, "write"), waits(1, "write"), waits(2, "read")],
  "a writer and two readers": [waits(0, "write"), waits(1, "read"), waits(2, "read")],
})) {
  test(
    `hold.1 hold.2 hold.3 hold.6: ${name} exclude each other, sleep until then, and all get their hold`,
    EXPLORES,
    (t) => {
      tryAll(t, domain, scenario(agents));
    },
  );
}

for (const [name, agents] of Object.entries({
  "a writer that tries, a writer and a reader that wait": [tries(0, "write"), waits(1, "write"), waits(2, "read")],
  "a writer and a reader that try, and a writer that waits": [tries(0, "write"), tries(1, "read"), waits(2, "write")],
  "two writers and a reader that try": [tries(0, "write"), tries(1, "write"), tries(2, "read")],
})) {
  test(`hold.1 hold.2 hold.3: ${name} exclude each other and leave nothing behind`, EXPLORES, (t) => {
    tryAll(t, domain, scenario(agents));
  });
}

for (const [name, agents] of Object.entries({
  "a reader": [waits(0, "write"), watches(1, "read")],
  "a writer": [watches(0, "write"), waits(1, "read")],
})) {
  test(`hold.3 hold.6: ${name} that waits in its event loop sleeps until it gets its hold`, EXPLORES, (t) => {
    tryAll(t, domain, scenario(agents));
  });
}

test("hold.4: a reader that comes when a writer waits gets its hold after the writer", EXPLORES, (t) => {
  const writer: Program = (memory) => takeTurn(memory, 1, "write", { use: () => memory.store(WRITTEN, 1) });
  const lateReader: Program = (memory) => {
    const late = memory.load(WRITER) !== 0;
    const use = (): void => assert.ok(!late || memory.load(WRITTEN) === 1, "the reader was first");
    takeTurn(memory, 2, "read", { use, state: () => `late ${late}` });
  };
  tryAll(t, domain, scenario([tries(0, "read"), writer, lateReader]));
});

test("hold.3 hold.4: a waiting writer that gives up lets the waiting readers in", EXPLORES, (t) => {
  const impatient: Program = (memory) => {
    const agent = domain.agent(memory, 1, { knows: [WRITER], arms: [WAITERS], state: () => "" });
    const holds = new Holds(agent, BUFFER_SLOT);
    const awaited = awaitedHold(holds, "write");
    if (agent.waitSync(awaited, 5)) holds.release("write");
    else awaited.giveUp();
  };
  tryAll(t, domain, scenario([tries(0, "read"), impatient, waits(2, "read")]));
});

for (const [name, agents] of Object.entries({
  "two writers": [waits(0, "write"), waits(1, "write")],
  "a writer and a reader": [waits(0, "write"), waits(1, "read")],
  "a writer that tries and a reader that waits": [tries(0, "write"), waits(1, "read")],
  "a writer that waits and a reader that tries": [waits(0, "write"), tries(1, "read")],
})) {
  test(`hold.1 hold.3 hold.5: of ${name} either may die at any step, and the other gets its hold`, EXPLORES, (t) => {
    tryAll(t, domain, mortal(agents, [0, 1]));
  });
}

for (const mode of ["read", "write"] as const) {
  test(
    `hold.3 hold.5: the ${mode} hold of a dead agent ends, and a writer and a reader that wait go on`,
    EXPLORES,
    (t) => {
      const dead = identityOf(2);
      const reaper: Program = (memory) => {
        release(domain.segment(memory), dead, [HOLD_RECOVERY], ERRNO.ESRCH, 1);
        sweep(domain.segment(memory), dead, [HOLD_RECOVERY]);
      };
      tryAll(t, domain, {
        ...scenario([waits(0, "write"), waits(1, "read"), reaper]),
        prepare(memory) {
          domain.open(memory, 4);
          new Holds(domain.agent(memory, 2), BUFFER_SLOT).tryTake(mode);
          markDead(domain.segment(memory), dead);
        },
      });
    },
  );
}

/** Mistakes in the protocol, as memory that does one thing wrongly, and how they show. */
const MISTAKES: Record<string, [who: "all" | AccessMode, fault: Fault, kind: ExplorationFailure, report: RegExp]> = {
  "a reader that does not look at WRITER after it has set its bit": [
    "all",
    (memory) => ({ load: (word) => (word === WRITER ? 0 : memory.load(word)) }),
    "invariant",
    /1 writers and 1 readers/,
  ],
  "a writer that does not look at the readers' bits": [
    "write",
    (memory) => ({ load: (word) => (word === READERS ? 0 : memory.load(word)) }),
    "invariant",
    /1 writers and 1 readers/,
  ],
  "a WRITER that is looked at and then set": [
    "all",
    (memory) => ({
      compareExchange(word, expected, replacement) {
        const old = memory.load(word);
        if (old === expected) memory.store(word, replacement);
        return old;
      },
    }),
    "invariant",
    /The invariant threw/,
  ],
  "a release that rings no agent": [
    "all",
    (memory) => ({ exchange: (word, value) => (word === WAITERS ? 0 : memory.exchange(word, value)) }),
    "deadlock",
    /No agent is left to wake/,
  ],
  "a wait that says so only after its last look": [
    "all",
    (memory) => {
      let bits = 0;
      return {
        or: (word, mask) => (word === WAITERS ? (bits = mask) : memory.or(word, mask)),
        park(word, expected, timeoutMs) {
          memory.or(WAITERS, bits);
          return memory.park(word, expected, timeoutMs);
        },
      };
    },
    "deadlock",
    /No agent is left to wake/,
  ],
  "a wait whose own looks wake it": [
    "all",
    (memory) => {
      let looks = 0;
      return { load: (word) => (word === WRITER && looks++ % 2 === 0 ? 0 : memory.load(word)) };
    },
    "livelock",
    /repeats its steps while no other agent moves/,
  ],
};

for (const [name, [who, fault, kind, report]] of Object.entries(MISTAKES)) {
  test(`${name} is found`, EXPLORES, () => {
    const user = (slot: number, mode: AccessMode): Program =>
      waits(slot, mode, who === "all" || who === mode ? fault : undefined);
    assertCaught(domain, scenario([user(0, "write"), user(1, "write"), user(2, "read")]), kind, report);
  });
}

function scenario(agents: readonly Program[]): Scenario {
  return { prepare: (memory) => domain.open(memory, 4), agents, invariant: oneWriterOrReaders, check: nothingIsLeft };
}

/** As `scenario`, with the death of one agent at any step; the fourth agent cleans up. */
function mortal(agents: readonly Program[], mortals: readonly number[]): Scenario {
  const reaper = (memory: Substrate, victim: number): void => domain.recover(memory, REAPER, victim);
  return { ...scenario(agents), crash: { agents: mortals, recover: { reaper } } };
}

/** Waits for a hold, uses the buffer, and gives it back. */
function waits(slot: number, mode: AccessMode, fault?: Fault): Program {
  return (memory) => takeTurn(memory, slot, mode, { fault });
}

/**
 * What `waits` does. `use` runs while the buffer is in use; `state` is what the agent remembers of what it met before.
 */
function takeTurn(
  memory: Substrate,
  slot: number,
  mode: AccessMode,
  { fault, use = () => {}, state = () => "" }: { fault?: Fault | undefined; use?: () => void; state?: () => string },
): void {
  let held = false;
  const knows = { knows: [WRITER], arms: [WAITERS], state: () => `held: ${held} ${state()}` };
  const agent = domain.agent(memory, slot, { fault, ...knows });
  const holds = new Holds(agent, BUFFER_SLOT);
  assert.ok(agent.waitSync(awaitedHold(holds, mode)));
  held = true;
  landmark(memory, `holds ${state()}`);
  useBuffer(memory, slot, mode, use);
  holds.release(mode);
}

/** As `waits`, without blocking the thread. */
function watches(slot: number, mode: AccessMode): Program {
  return (memory) => {
    let held = false;
    const agent = domain.agent(memory, slot, { knows: [WRITER], arms: [WAITERS], state: () => `held: ${held}` });
    const holds = new Holds(agent, BUFFER_SLOT);
    agent.watch(awaitedHold(holds, mode), () => {
      held = true;
      landmark(memory, "holds");
      useBuffer(memory, slot, mode);
      holds.release(mode);
    });
  };
}

/** Takes a hold if it can, uses the buffer, and gives it back. */
function tries(slot: number, mode: AccessMode): Program {
  return (memory) => {
    const holds = new Holds(domain.agent(memory, slot), BUFFER_SLOT);
    if (!holds.tryTake(mode)) return;
    landmark(memory, "holds");
    useBuffer(memory, slot, mode);
    holds.release(mode);
  };
}

function useBuffer(memory: Substrate, slot: number, mode: AccessMode, use: () => void = () => {}): void {
  memory.store(domain.extra(`agent ${slot} USES`), USES[mode]);
  use();
  memory.store(domain.extra(`agent ${slot} USES`), 0);
}

/** Judges every moment by what the living believe (hold.1). */
function oneWriterOrReaders(memory: Substrate): void {
  const uses = [0, 1, 2]
    .filter((slot) => isLive(domain.segment(memory), identityOf(slot)))
    .map((slot) => memory.load(domain.extra(`agent ${slot} USES`)));
  const writers = uses.filter((mode) => mode === USES.write).length;
  const readers = uses.filter((mode) => mode === USES.read).length;
  assert.ok(writers === 0 || (writers === 1 && readers === 0), `${writers} writers and ${readers} readers`);
}

function nothingIsLeft(memory: Substrate): void {
  const { writer, readers } = currentHolds(domain.member(memory, REAPER), BUFFER_SLOT);
  assert.equal(writer, 0, "WRITER is left");
  assert.ok(!anyBit(memory, readers, domain.layout.agentWords), "a reader's bit is left");
}
