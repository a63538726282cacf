import { check, TEXT, type Kind } from "../arguments.js";
import type { ConstantWords } from "./constant-words.js";
import { checkWord, checkWord64 } from "./model-memory.js";
import type { ParkResult, Substrate } from "../substrate/substrate.js";
import { joinHalves } from "../substrate/word64.js";

/**
 * An agent under exploration: ordinary synchronous code that is run again and again from recorded results.
 *
 * recorded-agent.1. In a run, the first operations return their recorded results. The first one without a result
 *     becomes the pending operation, and ends the run by throwing.
 * recorded-agent.2. From then on every operation of that run throws, so `finally`, `using` and `catch` in the agent's
 *     code change nothing; how the run ended is read from the run, never from the error that came out.
 * recorded-agent.3. On a word that no agent changes, what would leave it is has its result at once: that is no
 *      operation.
 */

export type AgentProgram = (memory: Substrate) => unknown;

/** One operation on shared memory, as the agent called it. */
export interface Operation {
  readonly method: Exclude<keyof Substrate, "words" | "pause">;
  /** The operands; the word comes first. */
  readonly operands: readonly [word: number, ...rest: (number | bigint)[]];
}

export type AgentEnd =
  { readonly state: "returned"; readonly value: unknown } | { readonly state: "threw"; readonly error: unknown };

/**
 * An agent that did not repeat itself, or that is not synchronous: it cannot be explored.
 *
 * @example
 * ```ts
 * import { explore, UnrepeatableAgentError } from "dmabuf/testing";
 *
 * let runs = 0;
 * try {
 *   explore({ words: 2, agents: [(memory) => memory.add(runs++ % 2, 1), (memory) => memory.add(0, 1)] });
 * } catch (error) {
 *   console.log(error instanceof UnrepeatableAgentError); // true: the agent's runs differ
 * }
 * ```
 */
export class UnrepeatableAgentError extends Error {
  /** Always `"UnrepeatableAgentError"`. */
  override readonly name = "UnrepeatableAgentError";
}

/**
 * What `parkAsync` returns on the model once the task has been woken. `then` calls back at once, since on the model
 * a task has slept within `parkAsync` itself.
 */
export const WOKEN: Promise<void> = Object.assign(Promise.resolve(), { then: callBackAtOnce });

function callBackAtOnce(callback?: (() => unknown) | null): unknown {
  const value = callback?.();
  return value === undefined ? WOKEN : value;
}

/**
 * Says that what the agent does from here on depends on `label` and on what it meets from now on, not on what it has
 * seen before. Where landmarks count (an option of `explore`), moments that differ in that alone are then the same.
 *
 * @param memory The memory that the agent got; with any other nothing happens.
 *
 * @example
 * ```ts
 * import { explore, landmark } from "dmabuf/testing";
 *
 * const LOCK = 0;
 * explore({
 *   words: 1,
 *   landmarks: true,
 *   agents: [1, 2].map((me) => (memory) => {
 *     while (memory.compareExchange(LOCK, 0, me) !== 0) memory.park(LOCK, 3 - me, Infinity);
 *     landmark(memory, "locked"); // how often it has looked before makes no difference from here on
 *     memory.store(LOCK, 0);
 *     memory.wake(LOCK);
 *   }),
 * });
 * ```
 */
export function landmark(memory: Substrate, label: string): void {
  if (typeof label !== "string") check("landmark()", "label", label, TEXT);
  if (memory instanceof RecordedMemory) memory.reach(label);
  else check("landmark()", "memory", memory, MEMORY);
}

/** What an argument `memory` must be, by one of the functions that it has. */
export const MEMORY: Kind = {
  wanted: "a Substrate, such as an agent gets",
  isKind: (value) => typeof (value as Partial<Substrate> | null | undefined)?.compareExchange === "function",
};

/** The shared memory as one run of an agent sees it. */
export class RecordedMemory implements Substrate {
  readonly words: number;
  readonly #start: Int32Array;
  readonly #constants: ConstantWords;
  readonly #history: readonly Recorded[];
  /** How often constants were read since the last operation. */
  #reads = 0;
  #next = 0;
  #pending: Operation | undefined;
  #afterPause = false;
  #elapsedMs = 0;
  #landmark: string | undefined;
  #over = false;
  #unrepeatable: UnrepeatableAgentError | undefined;

  constructor(start: Int32Array, constants: ConstantWords, recorded: readonly Recorded[]) {
    this.words = start.length;
    this.#start = start;
    this.#constants = constants;
    this.#history = recorded;
  }

  get pending(): Operation | undefined {
    return this.#pending;
  }

  get afterPause(): boolean {
    return this.#pending !== undefined && this.#afterPause;
  }

  /** How long this run has waited for parks that timed out, in milliseconds: the only time that passes on the model. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** The landmark between the last recorded result and the pending operation. */
  get landmark(): string | undefined {
    return this.#landmark;
  }

  reach(label: string): void {
    if (this.#pending === undefined && this.#next === this.#history.length) this.#landmark = label;
  }

  /** Runs the agent once; nothing comes back if it is before an operation. */
  run(program: AgentProgram): AgentEnd | undefined {
    const end = endOf(program, this);
    this.#over = true;
    if (end.state === "returned" && end.value instanceof Promise && end.value !== WOKEN) {
      end.value.catch(() => {});
      throw new UnrepeatableAgentError("Cannot explore the agent: it returned a promise, a plain function is wanted");
    }
    if (this.#unrepeatable !== undefined) throw this.#unrepeatable;
    if (this.#pending !== undefined) return undefined;
    if (this.#next < this.#history.length) {
      const missing = describe(this.#history[this.#next]!.parent!.operation!);
      throw new UnrepeatableAgentError(`Cannot repeat the agent: it ended where it called ${missing} before`);
    }
    return end;
  }

  load(word: number): number {
    return this.#perform("load", [word]) as number;
  }

  store(word: number, value: number): void {
    this.#perform("store", [word, value]);
  }

  add(word: number, amount: number): number {
    return this.#perform("add", [word, amount]) as number;
  }

  or(word: number, bits: number): number {
    return this.#perform("or", [word, bits]) as number;
  }

  and(word: number, bits: number): number {
    return this.#perform("and", [word, bits]) as number;
  }

  exchange(word: number, value: number): number {
    return this.#perform("exchange", [word, value]) as number;
  }

  compareExchange(word: number, expected: number, replacement: number): number {
    return this.#perform("compareExchange", [word, expected, replacement]) as number;
  }

  load64(word: number): bigint {
    return this.#perform("load64", [word]) as bigint;
  }

  store64(word: number, value: bigint): void {
    this.#perform("store64", [word, value]);
  }

  exchange64(word: number, value: bigint): bigint {
    return this.#perform("exchange64", [word, value]) as bigint;
  }

  compareExchange64(word: number, expected: bigint, replacement: bigint): bigint {
    return this.#perform("compareExchange64", [word, expected, replacement]) as bigint;
  }

  park(word: number, expected: number, timeoutMs: number): ParkResult {
    const result = this.#perform("park", [word, expected, timeoutMs]) as ParkResult;
    if (result === "timed-out") this.#elapsedMs += Math.max(0, timeoutMs);
    return result;
  }

  parkAsync(word: number, expected: number): Promise<void> | undefined {
    return this.#perform("parkAsync", [word, expected]) as Promise<void> | undefined;
  }

  wake(word: number): number {
    return this.#perform("wake", [word]) as number;
  }

  pause(): void {
    if (this.#pending === undefined) this.#afterPause = true;
  }

  /**
   * Whether the word may be used without a step. A word that is read without end is waited for: it must be able to
   * change.
   */
  #isConstant(word: number): boolean {
    if (!this.#constants.has(word)) return false;
    this.#reads += 1;
    if (this.#reads > MOST_READS) this.#constants.found(word);
    return this.#reads <= MOST_READS;
  }

  #perform(method: Operation["method"], operands: Operation["operands"]): unknown {
    const [word] = operands;
    const wide = WIDE.has(method);
    if (wide) checkWord64(this, word);
    else checkWord(this, word);
    if (this.#over) {
      throw new UnrepeatableAgentError(`Cannot ${method} word ${word}: the agent's run is over`);
    }
    if (this.#pending !== undefined || this.#unrepeatable !== undefined) throw SUSPENDED;
    if (this.#isConstant(word) && (!wide || this.#isConstant(word + 1))) {
      const value = wide ? joinHalves(this.#start[word]!, this.#start[word + 1]!) : this.#start[word]!;
      if (leaves(method, operands, value)) return method === "store" || method === "store64" ? undefined : value;
    }
    const recorded = this.#history[this.#next];
    if (recorded === undefined) {
      this.#pending = { method, operands };
      throw SUSPENDED;
    }
    const before = recorded.parent!.operation!;
    if (!sameOperation(before, method, operands)) {
      const now = describe({ method, operands });
      this.#unrepeatable = new UnrepeatableAgentError(
        `Cannot repeat the agent: it called ${now} where it called ${describe(before)} before; does it keep state outside?`,
      );
      throw SUSPENDED;
    }
    this.#next += 1;
    this.#reads = 0;
    this.#afterPause = false;
    return recorded.result;
  }
}

/** The operation in words: `store(3, 1)`. */
export function describe(operation: Operation, nameOf: (word: number) => string = String): string {
  const [word, ...rest] = operation.operands;
  return `${operation.method}(${[nameOf(word), ...rest].join(", ")})`;
}

/** What came of an operation that the agent has made. */
export interface Recorded {
  readonly parent: { readonly operation: Operation | undefined } | undefined;
  readonly result: unknown;
}

const WIDE: ReadonlySet<Operation["method"]> = new Set(["load64", "store64", "exchange64", "compareExchange64"]);

/** More reads than any agent makes that does not wait for something. */
const MOST_READS = 5_000;

/**
 * Thrown to unwind an agent that has to wait for its turn. One object: making an error for each step would cost more
 * than the step.
 */
const SUSPENDED = new Error("This run of the agent is suspended; let the error pass");

function endOf(program: AgentProgram, memory: Substrate): AgentEnd {
  try {
    return { state: "returned", value: program(memory) };
  } catch (error) {
    return { state: "threw", error };
  }
}

export function sameOperation(
  recorded: Operation,
  method: Operation["method"],
  operands: Operation["operands"],
): boolean {
  if (recorded.method !== method || recorded.operands.length !== operands.length) return false;
  for (let index = 0; index < operands.length; index++) {
    if (!Object.is(operands[index], recorded.operands[index])) return false;
  }
  return true;
}

/**
 * Whether the operation leaves its word as it is, if that holds `value`. An agent that parks or wakes meets others
 * there.
 */
function leaves(method: Operation["method"], operands: Operation["operands"], value: number | bigint): boolean {
  const [, first, second] = operands as readonly (number | bigint)[];
  switch (method) {
    case "load":
    case "load64":
      return true;
    case "store":
    case "exchange":
      return (Number(first) | 0) === value;
    case "add":
      return (Number(first) | 0) === 0;
    case "or":
      return (Number(value) | Number(first)) === value;
    case "and":
      return (Number(value) & Number(first)) === value;
    case "compareExchange":
      return (Number(first) | 0) !== value || (Number(second) | 0) === value;
    case "store64":
    case "exchange64":
      return BigInt.asUintN(64, first as bigint) === value;
    case "compareExchange64":
      return BigInt.asUintN(64, first as bigint) !== value || BigInt.asUintN(64, second as bigint) === value;
    case "park":
    case "parkAsync":
    case "wake":
      return false;
  }
}
