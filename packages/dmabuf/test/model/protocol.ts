import assert from "node:assert/strict";
import { test } from "node:test";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore } from "../../src/testing/index.js";
import type { AgentProgram, Agents, ExploreOptions } from "../../src/testing/index.js";
import { EXPLORES, failureOf, faulty, type Fault } from "./interleavings.js";
import { LAYOUT, namesOf, WORDS } from "./model-domain.js";

/** A fact about shipped code, and mistakes that would make it false. */
export interface Protocol {
  /** The fact, and in brackets the numbers of the contract that it proves. */
  readonly name: string;
  /** Straight code is tried faster without `merge`, which is off here by default; loops that wait are tried faster with it. */
  readonly options: Omit<ExploreOptions, "words">;
  readonly mistakes?: readonly Mistake[];
}

/** Memory that does something wrongly, as if the code above it had the mistake. */
export interface Mistake {
  /** Completes "… is noticed". */
  readonly name: string;
  /** How it is noticed: what the report of the exploration must say. */
  readonly report: RegExp;
  /** The agent that makes it; all by default. */
  readonly agent?: string;
  /** Made anew in each run of an agent; what is left out is done right. */
  readonly plant: Fault;
}

/** Registers the test that the fact is true in every interleaving, and one for each mistake that it would be noticed. */
export function testProtocol({ name, options, mistakes = [] }: Protocol): void {
  const all: ExploreOptions = { words: WORDS, nameOf: namesOf(LAYOUT), merge: false, ...options };

  test(name, EXPLORES, (t) => {
    const { schedules, states } = explore(all);
    t.diagnostic(`${states} states, ${schedules} schedules`);
  });

  for (const mistake of mistakes) {
    test(`${mistake.name} is noticed by: ${name}`, EXPLORES, () => {
      assert.match(failureOf(withMistake(all, mistake)).message, mistake.report);
    });
  }
}

function withMistake(options: ExploreOptions, { agent, plant }: Mistake): ExploreOptions {
  const spoil =
    <Rest extends unknown[]>(name: string, program: (memory: Substrate, ...rest: Rest) => unknown) =>
    (memory: Substrate, ...rest: Rest) =>
      program(agent === undefined || agent === name ? faulty(memory, plant) : memory, ...rest);
  const agents: Agents = Object.fromEntries(
    Object.entries(options.agents).map(([name, programs]: [string, AgentProgram | readonly AgentProgram[]]) => [
      name,
      typeof programs === "function" ? spoil(name, programs) : programs.map((program) => spoil(name, program)),
    ]),
  );
  if (options.crash?.recover === undefined) return { ...options, agents };
  const recover = Object.fromEntries(
    Object.entries(options.crash.recover).map(([name, program]) => [name, spoil(name, program)]),
  );
  return { ...options, agents, crash: { ...options.crash, recover } };
}
