import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ExplorationError } from "./exploration-error.js";
import type { ExplorationFailure } from "./exploration-error.js";
import { explore } from "./explore.js";
import type { ExploreOptions } from "./exploration.js";
import type { AgentProgram } from "./recorded-agent.js";
import type { Substrate } from "../substrate/substrate.js";

// Taking points of agents for one loses nothing.

/** Every end that is reached, and how many schedules lead to them; or how the exploration fails. */
function findings(options: ExploreOptions): { schedules: number; ends: string[] } | ExplorationFailure {
  const ends = new Set<string>();
  try {
    const { schedules } = explore({
      ...options,
      check(memory, outcome) {
        const words = Array.from({ length: memory.words }, (_, word) => memory.load(word));
        ends.add(JSON.stringify([words, outcome]));
      },
    });
    return { schedules, ends: [...ends].sort() };
  } catch (error) {
    if (error instanceof ExplorationError) return error.kind;
    throw error;
  }
}

interface Instruction {
  readonly kind: "load" | "store" | "add" | "swap" | "skip" | "forget" | "park" | "wake";
  readonly word: number;
  readonly value: number;
}

const WORDS = 3;

const instruction: fc.Arbitrary<Instruction> = fc.record({
  kind: fc.constantFrom("load", "load", "store", "add", "swap", "skip", "forget", "park", "wake"),
  word: fc.nat(WORDS - 1),
  value: fc.nat(2),
});

/** A program with a register: what it does later depends on what it has read, until it forgets. */
function programOf(instructions: readonly Instruction[]): AgentProgram {
  return (memory) => {
    let register = 0;
    for (let at = 0; at < instructions.length; at++) {
      const { kind, word, value } = instructions[at]!;
      if (kind === "load") register = memory.load(word);
      if (kind === "store") memory.store(word, register + value);
      if (kind === "add") memory.add(word, value);
      if (kind === "swap") register = memory.compareExchange(word, register, value);
      if (kind === "skip" && register % 2 === 1) at += 1;
      if (kind === "forget") register = 0;
      if (kind === "park") register = memory.park(word, register, value === 0 ? Infinity : 5) === "woken" ? 1 : 0;
      if (kind === "wake") register = memory.wake(word);
    }
    return register;
  };
}

// merged-points.3
test("merging finds the same ends and counts the same schedules as trying everything", { timeout: 120_000 }, () => {
  const instructions = fc.array(instruction, { minLength: 1, maxLength: 4 });
  const programs = fc.array(instructions, { minLength: 2, maxLength: 3 });
  fc.assert(
    fc.property(programs, fc.boolean(), fc.nat(1), (lists, crashes, spuriousWakes) => {
      // Which words change must not differ between the tries: it decides what is a step.
      const touch: Instruction[] = Array.from({ length: WORDS }, (_, word) => ({ kind: "add", word, value: 1 }));
      const agents = lists.map((list, index) => programOf(index === 0 ? [...touch, ...list] : list));
      const recover = { reaper: (memory: Substrate, victim: number) => memory.exchange(victim, 0) };
      const crash = crashes && lists.length === 2 ? { crash: { recover } } : {};
      const options = { words: WORDS, agents, spuriousWakes, ...crash };
      const merged = findings(options);
      assert.deepEqual(merged, findings({ ...options, merge: false }));
      // Without pruning, each schedule takes its time.
      if (typeof merged === "string" || merged.schedules > 20_000) return;
      assert.deepEqual(merged, findings({ ...options, prune: false }));
    }),
    // Always the same programs: the numbers of schedules compared above may differ where a word counts as changing.
    { numRuns: 200, seed: 1 },
  );
});

test("what an agent has read is not forgotten, however late it makes a difference (merged-points.2)", () => {
  const ends = findings({
    words: 2,
    agents: {
      late(memory) {
        const early = memory.load(0);
        for (let step = 0; step < 30; step++) memory.add(1, 1);
        return early;
      },
      other: (memory) => memory.store(0, 1),
    },
  });
  assert.deepEqual(ends, {
    schedules: 32,
    ends: ['[[1,30],{"results":{"late":0},"crashed":[]}]', '[[1,30],{"results":{"late":1},"crashed":[]}]'],
  });
});

test("a number of tries that an agent counts is kept", () => {
  const patient = (memory: Substrate) => {
    for (let tries = 1; tries <= 6; tries++) {
      const seen = memory.load(0);
      if (memory.compareExchange(0, seen, seen + 1) === seen) return tries;
    }
    return "given up";
  };
  const options: ExploreOptions = { words: 1, agents: { first: patient, second: patient, third: patient } };
  assert.deepEqual(findings(options), findings({ ...options, merge: false }));
});

test("agents that have read what they no longer need are taken for one (merged-points.1)", () => {
  const forgetful = (memory: Substrate) => {
    for (let round = 0; round < 5; round++) {
      memory.load(0);
      memory.add(0, 1);
    }
  };
  const options: ExploreOptions = { words: 1, agents: [forgetful, forgetful] };
  assert.equal(explore(options).states, 11 * 11);
  assert.ok(explore({ ...options, merge: false }).states > 1_000);
});

test("a loop as long as an agent may be is told apart from an endless one", () => {
  const agent = (memory: Substrate) => {
    for (let step = 0; step < 900; step++) memory.add(0, 1);
  };
  assert.equal(explore({ words: 1, agents: [agent] }).states, 901);
});

test("a schedule that repeats without end is reported, not followed", () => {
  const spinner = (memory: Substrate) => {
    while (memory.load(0) === 0);
  };
  const options = { words: 1, agents: { spinner, other: (memory: Substrate) => memory.store(0, 1) } };
  assert.equal(findings(options), "limit");
  assert.equal(findings({ ...options, merge: false }), "limit");
});

test("an agent may return what is more than data", () => {
  class Box {
    readonly content: number;
    constructor(content: number) {
      this.content = content;
    }
  }
  const boxes = new Set<number>();
  explore({
    words: 1,
    agents: { boxer: (memory) => new Box(memory.load(0)), other: (memory) => memory.store(0, 1) },
    check: (_memory, { results }) => boxes.add((results["boxer"] as Box).content),
  });
  assert.deepEqual([...boxes].sort(), [0, 1]);
});
