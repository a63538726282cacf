/** Work that gives its turn back when it is asked to. */
export interface Preemptible {
  /** Asks for the turn; it is given back at the work's next safe point. */
  preempt(): void;
  /** For people. */
  describe(): string;
}

/** What gives long-running jobs their turns on an executor. A job that is suspended has none. */
export interface Turns {
  /**
   * Asks for a turn.
   *
   * @param granted Called once the work may run, in this call or later.
   * @returns What takes the wish back, or gives the turn back; called once.
   */
  ask(work: Preemptible, granted: () => void): () => void;
}

/** So many turns at once, first come, first served; each then needs one of others besides. */
export class CountedTurns implements Turns {
  #free: number;
  readonly #others: Turns | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(count: number, others?: Turns) {
    this.#free = count;
    this.#others = others;
  }

  ask(work: Preemptible, granted: () => void): () => void {
    let hasTurn = false;
    let giveOtherBack: (() => void) | undefined;
    const grant = (): void => {
      hasTurn = true;
      this.#free--;
      if (this.#others === undefined) granted();
      else giveOtherBack = this.#others.ask(work, granted);
    };
    this.#waiting.add(grant);
    this.#serve();
    return () => {
      giveOtherBack?.();
      if (hasTurn) this.#free++;
      else this.#waiting.delete(grant);
      this.#serve();
    };
  }

  #serve(): void {
    for (const grant of this.#waiting) {
      if (this.#free === 0) return;
      this.#waiting.delete(grant);
      grant();
    }
  }
}
