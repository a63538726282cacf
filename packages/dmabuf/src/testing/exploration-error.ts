/**
 * What went wrong: agents sleep without end, one of them spins, an agent or a judge threw, or there is more to try than was
 * allowed.
 */
export type ExplorationFailure = "deadlock" | "livelock" | "threw" | "check" | "invariant" | "limit";

/** What `explore()` throws of a schedule in which something goes wrong. */
export class ExplorationError extends Error {
  override readonly name = "ExplorationError";
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

  /** Every move, one a line, and how things stood at the end. */
  get trace(): string {
    return this.#trace;
  }
}
