import assert from "node:assert/strict";
import { testPlantedBug } from "./planted-bug.js";
import type { Substrate } from "../../src/substrate/substrate.js";

// Bugs in how one agent waits for another and what it then reads.

/** Names the words of one protocol, for the code and for its traces. */
function layout<Name extends string>(
  ...names: Name[]
): { at: Record<Name, number>; words: number; nameOf: (word: number) => string } {
  const at = Object.fromEntries(names.map((name, word) => [name, word])) as Record<Name, number>;
  return { at, words: names.length, nameOf: (word) => names[word]! };
}

function ring(memory: Substrate, bell: number): void {
  memory.add(bell, 1);
  memory.wake(bell);
}

testPlantedBug({
  name: "a dropped re-check before parking",
  kind: "deadlock",
  report: /No agent is left to wake waiter[^]*signaler +wake\(BELL\) -> 0[^]*waiter +park\(BELL, 1, Infinity\) sleeps/,
  protocol(planted) {
    const { at, words, nameOf } = layout("DONE", "BELL");
    return {
      words,
      nameOf,
      agents: {
        waiter(memory) {
          for (;;) {
            if (planted && memory.load(at.DONE) === 1) return;
            const bell = memory.load(at.BELL);
            // The look must come after the reading of the bell: then a ring after the look is noticed.
            if (!planted && memory.load(at.DONE) === 1) return;
            memory.park(at.BELL, bell, Infinity);
          }
        },
        signaler(memory) {
          memory.store(at.DONE, 1);
          ring(memory, at.BELL);
        },
      },
    };
  },
});

testPlantedBug({
  name: "a wake of one where all are due",
  kind: "deadlock",
  report: /No agent is left to wake (first|second)\n[^]*signaler +exchange\(WAITERS, 0\) -> 3/,
  protocol(planted) {
    const { at, words, nameOf } = layout("DONE", "WAITERS", "BELL_0", "BELL_1");
    const bells = [at.BELL_0, at.BELL_1];
    const waiter = (self: number) => (memory: Substrate) => {
      const bell = memory.load(bells[self]!);
      memory.or(at.WAITERS, 1 << self);
      if (memory.load(at.DONE) === 0) memory.park(bells[self]!, bell, Infinity);
    };
    return {
      words,
      nameOf,
      agents: {
        first: waiter(0),
        second: waiter(1),
        signaler(memory) {
          memory.store(at.DONE, 1);
          const waiters = memory.exchange(at.WAITERS, 0);
          for (const [self, bell] of bells.entries()) {
            if ((waiters & (1 << self)) === 0) continue;
            ring(memory, bell);
            if (planted) break;
          }
        },
      },
    };
  },
});

testPlantedBug({
  name: "a count that is published before its entry",
  kind: "check",
  report: /writer +store\(COUNT, 1\)[^]*reader +load\(COUNT\) -> 1\n.*reader +load\(ENTRY\) -> 0/,
  protocol(planted) {
    const { at, words, nameOf } = layout("COUNT", "ENTRY");
    return {
      words,
      nameOf,
      agents: {
        writer(memory) {
          if (planted) memory.store(at.COUNT, 1);
          memory.store(at.ENTRY, 7);
          if (!planted) memory.store(at.COUNT, 1);
        },
        reader: (memory) => (memory.load(at.COUNT) === 1 ? memory.load(at.ENTRY) : 7),
      },
      check: (_memory, { results }) => assert.equal(results["reader"], 7),
    };
  },
});

testPlantedBug({
  name: "a reader that does not look at the version again",
  kind: "check",
  report: /The check threw .*[^]*reader +returned \[[0-2],[0-2]\]/,
  protocol(planted) {
    const { at, words, nameOf } = layout("VERSION", "EVEN_LEFT", "EVEN_RIGHT", "ODD_LEFT", "ODD_RIGHT");
    const copyOf = (version: number) => (version % 2 === 0 ? at.EVEN_LEFT : at.ODD_LEFT);
    return {
      words,
      nameOf,
      agents: {
        writer(memory) {
          for (const version of [1, 2]) {
            memory.store(copyOf(version), version);
            memory.store(copyOf(version) + 1, version);
            memory.store(at.VERSION, version);
          }
        },
        reader(memory) {
          for (;;) {
            const version = memory.load(at.VERSION);
            const copy = [memory.load(copyOf(version)), memory.load(copyOf(version) + 1)];
            if (planted || memory.load(at.VERSION) === version) return copy;
          }
        },
      },
      check(_memory, { results }) {
        const [left, right] = results["reader"] as number[];
        assert.equal(left, right);
      },
    };
  },
});

testPlantedBug({
  name: "an error that is written after the exchange that makes completion visible",
  kind: "check",
  report: /signaler +exchange\(DONE, 1\) -> 0[^]*reader +load\(ERROR\) -> 0/,
  protocol(planted) {
    const { at, words, nameOf } = layout("DONE", "ERROR");
    return {
      words,
      nameOf,
      agents: {
        signaler(memory) {
          if (!planted) memory.store(at.ERROR, 5);
          memory.exchange(at.DONE, 1);
          if (planted) memory.store(at.ERROR, 5);
        },
        reader: (memory) => (memory.load(at.DONE) === 0 ? "pending" : memory.load(at.ERROR)),
      },
      check: (_memory, { results }) => assert.notEqual(results["reader"], 0, "a failed fence looks like a success"),
    };
  },
});

testPlantedBug({
  name: "an awaited minimum that is set before the waiter's bit",
  kind: "deadlock",
  report: /No agent is left to wake second[^]*second +or\(WAITERS, 2\)[^]*signaler +load\(AWAITED\) -> 0/,
  protocol(planted) {
    const { at, words, nameOf } = layout("COMPLETED", "AWAITED", "WAITERS", "BELL_0", "BELL_1");
    const bells = [at.BELL_0, at.BELL_1];
    const lowerAwaited = (memory: Substrate, number: number) => {
      for (;;) {
        const awaited = memory.load(at.AWAITED);
        if (awaited !== 0 && awaited <= number) return;
        if (memory.compareExchange(at.AWAITED, awaited, number) === awaited) return;
      }
    };
    const waiter = (self: number, number: number) => (memory: Substrate) => {
      for (;;) {
        const bell = memory.load(bells[self]!);
        if (planted) lowerAwaited(memory, number);
        memory.or(at.WAITERS, 1 << self);
        if (!planted) lowerAwaited(memory, number);
        if (memory.load(at.COMPLETED) >= number) return;
        memory.park(bells[self]!, bell, Infinity);
      }
    };
    return {
      words,
      nameOf,
      agents: {
        first: waiter(0, 1),
        second: waiter(1, 2),
        signaler(memory) {
          for (const number of [1, 2]) {
            memory.store(at.COMPLETED, number);
            const awaited = memory.load(at.AWAITED);
            if (awaited === 0 || awaited > number) continue;
            memory.store(at.AWAITED, 0);
            const waiters = memory.exchange(at.WAITERS, 0);
            bells.forEach((bell, self) => {
              if ((waiters & (1 << self)) !== 0) ring(memory, bell);
            });
          }
        },
      },
    };
  },
});
