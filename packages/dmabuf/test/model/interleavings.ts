import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore, ExplorationError } from "../../src/testing/index.js";
import type { ExplorationFailure, ExploreOptions } from "../../src/testing/index.js";

export type Program = (memory: Substrate) => unknown;

/** What is to be tried on a tiny domain. */
export type Scenario = Omit<ExploreOptions, "words" | "nameOf">;

/** A shared memory to try things on: its size and the names of its words. */
type Model = Required<Pick<ExploreOptions, "words" | "nameOf">>;

/** Options of a test that explores: if the protocol is wrong, it might not end. */
export const EXPLORES = { timeout: 120_000 };

/** Tries every interleaving of a scenario, and says how many states it has. */
export function tryAll(t: TestContext, domain: Model, scenario: Scenario): void {
  const { states, schedules } = explore({ ...modelOf(domain), ...scenario });
  t.diagnostic(`${states} states, ${schedules} schedules`);
}

/** Asserts that a scenario with a mistake in it fails, and how. */
export function assertCaught(domain: Model, scenario: Scenario, kind: ExplorationFailure, report: RegExp): void {
  const failure = failureOf({ ...modelOf(domain), ...scenario });
  assert.equal(failure.kind, kind, failure.message);
  assert.match(failure.message, report);
}

/** A mistake that memory makes, and the scenario that must notice it. */
interface MemoryMistake {
  readonly scenario: (fault: Fault) => Scenario;
  readonly fault: Fault;
  /** How it shows. */
  readonly kind: ExplorationFailure;
  readonly report: RegExp;
}

/** Registers a test for each mistake, by its name: it is noticed. */
export function testMistakes(domain: Model, mistakes: Readonly<Record<string, MemoryMistake>>): void {
  for (const [name, { scenario, fault, kind, report }] of Object.entries(mistakes)) {
    test(`${name} is noticed`, EXPLORES, () => {
      assertCaught(domain, scenario(fault), kind, report);
    });
  }
}

/** What an exploration finds, which must find something. */
export function failureOf(options: ExploreOptions): ExplorationError {
  try {
    explore(options);
  } catch (error) {
    if (error instanceof ExplorationError) return error;
    throw error;
  }
  assert.fail("explore() found nothing");
}

function modelOf({ words, nameOf }: Model): Pick<ExploreOptions, "words" | "nameOf" | "landmarks"> {
  return { words, nameOf, landmarks: true };
}

/** Some operations of a memory as they should not be. Made anew in each run of an agent. */
export type Fault = (memory: Substrate) => Partial<Substrate>;

export const SOUND: Fault = () => ({});

/** The same memory, on which some operations do something else. */
export function faulty(memory: Substrate, fault: Fault): Substrate {
  return {
    words: memory.words,
    load: (word) => memory.load(word),
    store: (word, value) => memory.store(word, value),
    add: (word, amount) => memory.add(word, amount),
    or: (word, bits) => memory.or(word, bits),
    and: (word, bits) => memory.and(word, bits),
    exchange: (word, value) => memory.exchange(word, value),
    compareExchange: (word, expected, replacement) => memory.compareExchange(word, expected, replacement),
    load64: (word) => memory.load64(word),
    store64: (word, value) => memory.store64(word, value),
    exchange64: (word, value) => memory.exchange64(word, value),
    compareExchange64: (word, expected, replacement) => memory.compareExchange64(word, expected, replacement),
    park: (word, expected, timeoutMs) => memory.park(word, expected, timeoutMs),
    parkAsync: (word, expected) => memory.parkAsync(word, expected),
    wake: (word) => memory.wake(word),
    pause: () => memory.pause(),
    ...fault(memory),
  };
}
