import assert from "node:assert/strict";
import { testPlantedBug } from "./planted-bug.js";
import type { Substrate } from "../../src/substrate/substrate.js";

// Bugs in who owns what, and in what is left when an owner dies.

const FREE = 0;

testPlantedBug({
  name: "a slot without a generation",
  kind: "check",
  report: /newcomer +compareExchange\(SLOT, 0, 257\) -> 0[^]*compareExchange\(SLOT, 257, 0\) -> 257/,
  protocol(planted) {
    const SLOT = 0;
    const owner = (generation: number, agent: number) => (generation << 8) | agent;
    const dead = owner(1, 1);
    const newcomer = owner(planted ? 1 : 2, 1);
    const reaper = (memory: Substrate) => {
      if (memory.load(SLOT) === dead) memory.compareExchange(SLOT, dead, FREE);
    };
    return {
      words: 1,
      nameOf: () => "SLOT",
      prepare: (memory) => memory.store(SLOT, dead),
      agents: {
        reaper,
        secondReaper: reaper,
        newcomer: (memory) => memory.compareExchange(SLOT, FREE, newcomer) === FREE,
      },
      check(memory, { results }) {
        if (results["newcomer"] === true) assert.equal(memory.load(SLOT), newcomer);
      },
    };
  },
});

testPlantedBug({
  name: "reapers that sweep without a claim",
  kind: "check",
  report: /The check threw .*newcomer[^]*newcomer +or\(REFERENCES, 1\) -> 0\n[^]*and\(REFERENCES, -2\) -> 1/,
  protocol(planted) {
    const [SLOT, REFERENCES] = [0, 1];
    const [DEAD, SWEEPING, ALIVE] = [1, 2, 3];
    const reaper = (memory: Substrate) => {
      const due = planted ? memory.load(SLOT) === DEAD : memory.compareExchange(SLOT, DEAD, SWEEPING) === DEAD;
      if (!due) return;
      memory.and(REFERENCES, ~1);
      memory.compareExchange(SLOT, planted ? DEAD : SWEEPING, FREE);
    };
    return {
      words: 2,
      nameOf: (word) => ["SLOT", "REFERENCES"][word]!,
      prepare(memory) {
        memory.store(SLOT, DEAD);
        memory.store(REFERENCES, 1);
      },
      agents: {
        reaper,
        secondReaper: reaper,
        newcomer(memory) {
          if (memory.compareExchange(SLOT, FREE, ALIVE) !== FREE) return false;
          memory.or(REFERENCES, 1);
          return true;
        },
      },
      check(memory, { results }) {
        const wanted = results["newcomer"] === true ? 1 : 0;
        assert.equal(memory.load(REFERENCES), wanted, "the newcomer has lost its reference");
      },
    };
  },
});

testPlantedBug({
  name: "an increment by load and store",
  kind: "check",
  report: /The check threw [^]*1 !== 2[^]*load\(COUNT\) -> 0[^]*load\(COUNT\) -> 0/,
  protocol(planted) {
    const increment = (memory: Substrate) => {
      if (planted) memory.store(0, memory.load(0) + 1);
      else memory.add(0, 1);
    };
    return {
      words: 1,
      nameOf: () => "COUNT",
      agents: { first: increment, second: increment },
      check: (memory) => assert.equal(memory.load(0), 2),
    };
  },
});

testPlantedBug({
  name: "a lock whose word does not name its owner",
  kind: "deadlock",
  report:
    /No agent is left to wake (first|second)\n[^]*compareExchange\(LOCK, 0, 1\) -> 0[^]*is killed[^]*reaper +load\(OWNER\) -> 0/,
  protocol(planted) {
    const [LOCK, OWNER] = [0, 1];
    const user = (self: number) => (memory: Substrate) => {
      const taken = planted ? 1 : self;
      for (;;) {
        const owner = memory.compareExchange(LOCK, FREE, taken);
        if (owner === FREE) break;
        memory.park(LOCK, owner, Infinity);
      }
      if (planted) memory.store(OWNER, self);
      if (planted) memory.store(OWNER, 0);
      memory.store(LOCK, FREE);
      memory.wake(LOCK);
    };
    return {
      words: 2,
      nameOf: (word) => ["LOCK", "OWNER"][word]!,
      agents: { first: user(1), second: user(2) },
      crash: {
        recover: {
          reaper(memory, victim) {
            const dead = victim + 1;
            if (!planted) memory.compareExchange(LOCK, dead, FREE);
            else if (memory.load(OWNER) === dead) memory.store(LOCK, FREE);
            memory.wake(LOCK);
          },
        },
      },
    };
  },
});

testPlantedBug({
  name: "two locks that are taken in opposite order",
  kind: "deadlock",
  report: /No agent is left to wake older and younger\n[^]*park\((LEFT|RIGHT), \d, Infinity\) sleeps/,
  protocol(planted) {
    const [LEFT, RIGHT] = [0, 1];
    /** Wait-die: who holds a lock waits only for the younger (the higher ticket), and gives up for the older. */
    const lock = (memory: Substrate, word: number, ticket: number, holdsOther: boolean): boolean => {
      for (;;) {
        const owner = memory.compareExchange(word, FREE, ticket);
        if (owner === FREE) return true;
        if (!planted && holdsOther && owner < ticket) return false;
        memory.park(word, owner, Infinity);
      }
    };
    const unlock = (memory: Substrate, word: number) => {
      memory.store(word, FREE);
      memory.wake(word);
    };
    const user = (ticket: number, first: number, second: number) => (memory: Substrate) => {
      let [held, wanted] = [first, second];
      lock(memory, held, ticket, false);
      while (!lock(memory, wanted, ticket, true)) {
        unlock(memory, held);
        [held, wanted] = [wanted, held];
        lock(memory, held, ticket, false);
      }
      unlock(memory, wanted);
      unlock(memory, held);
    };
    return {
      words: 2,
      nameOf: (word) => ["LEFT", "RIGHT"][word]!,
      agents: { older: user(1, LEFT, RIGHT), younger: user(2, RIGHT, LEFT) },
    };
  },
});
