/**
 * What went wrong: agents sleep without end, one of them spins, an agent or a judge threw, or there is more to try than
 * was allowed.
 */
export type ExplorationFailure = "deadlock" | "livelock" | "threw" | "check" | "invariant" | "limit";

/**
 * What `explore()` throws of a schedule in which something goes wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { explore, ExplorationError, type AgentProgram } from "dmabuf/testing";
 *
 * const COUNT = 0;
 * const addOne: AgentProgram = (memory) => memory.store(COUNT, memory.load(COUNT) + 1);
 * try {
 *   explore({ words: 1, agents: [addOne, addOne], check: (memory) => assert.equal(memory.load(COUNT), 2) });
 * } catch (error) {
 *   if (!(error instanceof ExplorationError)) throw error;
 *   console.log(error.kind, error.schedule); // "check", and what `replay` takes
 * }
 * ```
 */
export class ExplorationError extends Error {
  /** Always `"ExplorationError"`. */
  override readonly name = "ExplorationError";
  /** What went wrong. */
  readonly kind: ExplorationFailure;
  // The message has both already: as private fields they are not printed a second time.
  readonly #schedule: string;
  readonly #trace: string;

  constructor(kind: ExplorationFailure, headline: string, schedule: string, trace: string, options?: ErrorOptions) {
    super(`${headline}\n${trace}`, options);
    this.kind = kind;
    this.#schedule = schedule;
    this.#trace = trace;
  }

  /** For `replay`. */
  get schedule(): string {
    return this.#schedule;
  }

  /** Every move, one a line, and the state at the end. */
  get trace(): string {
    return this.#trace;
  }
}
