import type { Trace } from "./trace.js";

/**
 * What went wrong: agents sleep for ever, one of them spins, an agent or a judge threw, or there is more to try than was
 * allowed.
 */
export type ExplorationFailure = "deadlock" | "livelock" | "threw" | "check" | "invariant" | "limit";

export class ExplorationError extends Error {
  override readonly name = "ExplorationError";
  readonly kind: ExplorationFailure;
  // The message has both already: as private fields they are not printed a second time.
  readonly #schedule: string;
  readonly #trace: string;

  constructor(kind: ExplorationFailure, headline: string, trace: Trace, options?: ErrorOptions) {
    super(`${headline}\n${trace.toString()}`, options);
    this.kind = kind;
    this.#schedule = trace.schedule();
    this.#trace = trace.toString();
  }

  /** For `replay`. */
  get schedule(): string {
    return this.#schedule;
  }

  /** Every move, one a line, and how things stood at the end. */
  get trace(): string {
    return this.#trace;
  }
}
