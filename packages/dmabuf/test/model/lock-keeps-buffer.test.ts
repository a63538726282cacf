import assert from "node:assert/strict";
import { test } from "node:test";
import { References } from "../../src/buffer/references.js";
import { type BufferKey, claimBuffer } from "../../src/buffer/buffer-slot.js";
import { BUFFER } from "../../src/domain/layout.js";
import { DmaBufError } from "../../src/errors.js";
import { tryReadEntries, type Entry } from "../../src/reservation/entries.js";
import { lockHolder, lockWord } from "../../src/reservation/lock.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { assertCaught, EXPLORES, SOUND, tryAll, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";
import type { KeepBuffer } from "../../src/reservation/reservation-state.js";
import { addEntry, reservationAt } from "../reservation-at.js";
import { userOf } from "../../src/reservation/reservation.js";

// A held lock keeps its buffer (lock.7); the contract is in src/reservation/lock.ts.

const [HOLDER, EXPORTER, NEXT, REAPER] = [0, 1, 2, 3];
const KEY: BufferKey = { slot: 0, generation: 1 };
const OPTIONS = { size: 4096, name: "", exporterName: "" };
const ENTRY: Entry = { key: { slot: 0, generation: 1, sequence: 1 }, level: 1 };

const domain = new TinyDomain({ agents: 4 });
const REFERENCES = domain.layout.buffer(0) + domain.layout.BUFFER.REFERENCES;

test("lock.7: a holder that locks, closes and so opens leaves the next buffer of the slot alone", EXPLORES, (t) => {
  tryAll(t, domain, scenario({ holder: locksAndCloses(), next: exportsNext }));
});

test("lock.7: a holder may die at any step under the lock, and the next buffer is not locked", EXPLORES, (t) => {
  tryAll(t, domain, { ...scenario({ holder: locksAndCloses(), next: exportsNext }), ...dies });
});

test("lock.7: an exporter for whom the lock was taken over keeps the buffer when its holder dies", EXPLORES, (t) => {
  tryAll(t, domain, lent(standsIn()));
});

/** Mistakes, as memory that does one thing wrongly. */
const MISTAKES: Record<string, Scenario> = {
  "an exporter that takes the lock over without a reference": lent(
    standsIn((memory) => ({
      or: (word, bits) => (word === REFERENCES ? 0 : memory.or(word, bits)),
      and: (word, bits) => (word === REFERENCES ? -1 : memory.and(word, bits)),
    })),
  ),
  "a holder that lets the buffer go before its lock is open": scenario({
    holder: locksAndCloses(openingLast),
    next: exportsNext,
  }),
};

for (const [name, planted] of Object.entries(MISTAKES)) {
  test(`${name} is noticed`, EXPLORES, () => {
    assertCaught(domain, planted, "check", /the next buffer (is locked|has a stranger's fence)/);
  });
}

const dies = {
  crash: { agents: ["holder"], recover: { reaper: (memory: Substrate) => domain.recover(memory, REAPER, HOLDER) } },
};

/** One agent holds a buffer, whose slot the next one gets. */
function scenario(agents: Record<string, Program>): Scenario {
  return {
    prepare: (memory) => {
      domain.open(memory, 4);
      assert.deepEqual(claimBuffer(domain.member(memory, HOLDER), OPTIONS), KEY);
    },
    agents,
    check(memory, { results }) {
      const segment = domain.segment(memory);
      const { next } = results as { next: boolean | undefined };
      if (next === undefined) return;
      assert.equal(next, false, "the next buffer is locked");
      assert.equal(lockHolder(segment, 0), 0n, "the next buffer is locked");
      assert.deepEqual(tryReadEntries(segment, 0), [], "the next buffer has a stranger's fence");
    },
  };
}

/** The holder has lent the lock to an exporter, and dies at any time. */
function lent(exporter: Program): Scenario {
  const { prepare, ...rest } = scenario({
    exporter,
    next: exportsNext,
    reaper: (memory) => domain.recover(memory, REAPER, HOLDER),
  });
  return {
    ...rest,
    prepare(memory) {
      prepare!(memory);
      memory.store64(domain.layout.buffer(0) + BUFFER.LOCK, lockWord(identityOf(HOLDER), 0));
    },
  };
}

function locksAndCloses(fault: Fault = SOUND): Program {
  return (memory) => {
    const agent = domain.agent(memory, HOLDER, { fault });
    const references = new References(agent);
    references.exported(KEY);
    const reservation = reservationAt(agent, 0, keeping(references));
    const lock = reservation.tryLock();
    assert.ok(lock !== undefined);
    addEntry(agent, 0, ENTRY);
    userOf(reservation).close();
    references.drop(0);
  };
}

/** What the server does for an operation that needs the lock. */
function standsIn(fault: Fault = SOUND): Program {
  return (memory) => {
    const agent = domain.agent(memory, EXPORTER, { fault });
    const references = new References(agent);
    if (!references.take(KEY)) return;
    const lock = userOf(reservationAt(agent, 0, keeping(references))).takeOver(lockWord(identityOf(HOLDER), 0));
    references.drop(0);
    if (lock === undefined) return;
    addEntry(agent, 0, ENTRY);
    lock.handBack();
  };
}

function keeping(references: References): KeepBuffer {
  return () => {
    assert.ok(references.take(KEY), "the lock was taken without a reference");
    return { release: () => void references.drop(0) };
  };
}

/** Exports the next buffer, if the slot is free; returns whether it was born locked. */
function exportsNext(memory: Substrate): boolean | undefined {
  const member = domain.member(memory, NEXT);
  try {
    claimBuffer(member, OPTIONS);
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return undefined;
    throw error;
  }
  return lockHolder(member, 0) !== 0n;
}

/** The lock word opens only when the reference has gone. */
function openingLast(memory: Substrate): Partial<Substrate> {
  const LOCK = domain.layout.buffer(0) + BUFFER.LOCK;
  let due: bigint | undefined;
  return {
    compareExchange64(word, expected, replacement) {
      if (word === LOCK && replacement === 0n) {
        due = expected;
        return expected;
      }
      const old = memory.compareExchange64(word, expected, replacement);
      if (due !== undefined && old === expected) memory.compareExchange64(LOCK, due, 0n);
      return old;
    },
  };
}
