import { check, checkObject, FUNCTION, integer, type Kind, type Kinds } from "../arguments.js";
import { MEMORY } from "./recorded-agent.js";
import type { ParkResult, Substrate } from "../substrate/substrate.js";

/**
 * Shared memory whose operations are numbered, so that a test can let something happen just before any of them.
 *
 * stepped-substrate.1. Operations are numbered from 1 in the order in which they are called; kinds that are not asked
 *      for have no number.
 * stepped-substrate.2. `happen` runs before the operation with the number. What it does is the test's affair: a process
 *     sends itself SIGKILL or SIGSTOP, a worker blocks until it is terminated. When it returns, the operation is made.
 * stepped-substrate.3. When it throws, the agent is dead: neither that operation is made nor any later one, each throws
 *     the same, and no wake-up is heard. What the agent's code does on its way out (`finally`, `using`) changes nothing
 *     then.
 */

/** What can be done with shared words; `pause` does nothing with them. */
export type StepKind = Exclude<keyof Substrate, "words" | "pause">;

/** An operation on shared words that is about to be made. */
export interface Step {
  /** Which operation it is, counted from 1. */
  readonly number: number;
  /** What is done. */
  readonly kind: StepKind;
  /** The word that it is done with. */
  readonly word: number;
}

/** What is to happen before which operation. */
export interface StepPlan {
  /** The number of the operation before which it happens; none by default, and then they are only counted. */
  readonly at?: number;
  /** Default: all kinds. */
  readonly kinds?: readonly StepKind[];
  /** Default: throws an {@link AgentDeath}. */
  readonly happen?: (step: Step) => void;
}

const STEP_KINDS: Kind = {
  wanted: "an array of the names of a Substrate's functions",
  isKind: (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
};

const PLAN: Kinds<StepPlan> = { at: integer(0), kinds: STEP_KINDS, happen: FUNCTION };

/**
 * The end of an agent that a test has asked for.
 *
 * @example
 * ```ts
 * import { AgentDeath } from "dmabuf/testing";
 *
 * const death = new AgentDeath({ number: 3, kind: "store", word: 7 });
 * console.log(death.message); // The agent dies before its step 3, store of word 7
 * ```
 */
export class AgentDeath extends Error {
  /** Always `"AgentDeath"`. */
  override readonly name = "AgentDeath";

  constructor({ number, kind, word }: Step) {
    super(`The agent dies before its step ${number}, ${kind} of word ${word}`);
  }
}

/**
 * Shared words whose operations are numbered, and before one of which something is made to happen.
 *
 * @example
 * ```ts
 * import { explore, SteppedSubstrate } from "dmabuf/testing";
 *
 * explore({
 *   words: 2,
 *   agents: [],
 *   prepare: (memory) => {
 *     const stepped = new SteppedSubstrate(memory);
 *     stepped.begin({ at: 2 });
 *     try {
 *       for (const word of [0, 1]) stepped.store(word, 7);
 *     } catch {
 *       console.log(stepped.isDead, memory.load(0), memory.load(1)); // true 7 0
 *     }
 *   },
 * });
 * ```
 */
export class SteppedSubstrate implements Substrate {
  readonly words: number;
  readonly #memory: Substrate;
  #plan: StepPlan = {};
  #steps = 0;
  #death: { readonly reason: unknown } | undefined;

  constructor(memory: Substrate) {
    check("new SteppedSubstrate()", "memory", memory, MEMORY);
    this.words = memory.words;
    this.#memory = memory;
  }

  /** Begins to number the operations anew. */
  begin(plan: StepPlan): void {
    checkObject("SteppedSubstrate.begin()", "plan", plan, PLAN);
    this.#plan = plan;
    this.#steps = 0;
  }

  /** How many operations were numbered since {@link begin}. */
  get steps(): number {
    return this.#steps;
  }

  /** Whether `happen` has thrown. */
  get isDead(): boolean {
    return this.#death !== undefined;
  }

  load(word: number): number {
    this.#step("load", word);
    return this.#memory.load(word);
  }

  store(word: number, value: number): void {
    this.#step("store", word);
    this.#memory.store(word, value);
  }

  add(word: number, amount: number): number {
    this.#step("add", word);
    return this.#memory.add(word, amount);
  }

  or(word: number, bits: number): number {
    this.#step("or", word);
    return this.#memory.or(word, bits);
  }

  and(word: number, bits: number): number {
    this.#step("and", word);
    return this.#memory.and(word, bits);
  }

  exchange(word: number, value: number): number {
    this.#step("exchange", word);
    return this.#memory.exchange(word, value);
  }

  compareExchange(word: number, expected: number, replacement: number): number {
    this.#step("compareExchange", word);
    return this.#memory.compareExchange(word, expected, replacement);
  }

  load64(word: number): bigint {
    this.#step("load64", word);
    return this.#memory.load64(word);
  }

  store64(word: number, value: bigint): void {
    this.#step("store64", word);
    this.#memory.store64(word, value);
  }

  exchange64(word: number, value: bigint): bigint {
    this.#step("exchange64", word);
    return this.#memory.exchange64(word, value);
  }

  compareExchange64(word: number, expected: bigint, replacement: bigint): bigint {
    this.#step("compareExchange64", word);
    return this.#memory.compareExchange64(word, expected, replacement);
  }

  park(word: number, expected: number, timeoutMs: number): ParkResult {
    this.#step("park", word);
    return this.#memory.park(word, expected, timeoutMs);
  }

  parkAsync(word: number, expected: number): Promise<void> | undefined {
    this.#step("parkAsync", word);
    return this.#memory.parkAsync(word, expected)?.then(() => (this.isDead ? new Promise<void>(() => {}) : undefined));
  }

  wake(word: number): number {
    this.#step("wake", word);
    return this.#memory.wake(word);
  }

  pause(): void {
    this.#memory.pause();
  }

  #step(kind: StepKind, word: number): void {
    if (this.#death !== undefined) throw this.#death.reason;
    const { at, kinds, happen = die } = this.#plan;
    if (kinds !== undefined && !kinds.includes(kind)) return;
    this.#steps++;
    if (this.#steps !== at) return;
    try {
      happen({ number: this.#steps, kind, word });
    } catch (reason) {
      this.#death = { reason };
      throw reason;
    }
  }
}

function die(step: Step): never {
  throw new AgentDeath(step);
}
