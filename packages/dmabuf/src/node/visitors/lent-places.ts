import type { Loan } from "../../stream/frame.js";
import type { LentMemory } from "./lent-memory.js";

/** A loan whose memory a contributor has, or may still have. */
export interface LentBlank {
  readonly loan: Loan;
  readonly memory: LentMemory;
  /** Of the contributor, for people. */
  readonly name: string;
}

interface Surroundings {
  /** Whether the stream's memory is gone from here, and with it all that was lent. */
  isOver(): boolean;
  warn(message: string): void;
}

/** Milliseconds between two looks at what is withheld: twice as many each time. */
const FIRST_LOOK = 1;
const LAST_LOOK = 50;
/** Milliseconds. What is withheld for longer is warned of. */
const LONG = 1_000;

/**
 * How many blanks of a stream are with contributors (contributor-server.3), and those that are withheld from the ring
 * because a process can still write to them (contributor-server.2).
 */
export class LentPlaces {
  readonly #most: number;
  readonly #surroundings: Surroundings;
  readonly #withheld = new Map<LentBlank, { readonly sinceMs: number; isWarnedOf: boolean }>();
  readonly #waiting: (() => void)[] = [];
  #lent = 0;
  #pause = FIRST_LOOK;
  #timer: NodeJS.Timeout | undefined;

  constructor(most: number, surroundings: Surroundings) {
    this.#most = most;
    this.#surroundings = surroundings;
  }

  get withheld(): number {
    this.#look();
    return this.#withheld.size;
  }

  /** Calls back, in this call or later, when one more blank may be taken. @returns What ends the wait. */
  take(taken: () => void): () => void {
    this.#waiting.push(taken);
    this.#look();
    return () => {
      const at = this.#waiting.indexOf(taken);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
  }

  /** What was taken is not out any more. */
  giveBack(): void {
    this.#lent -= 1;
    this.#look();
  }

  /** What was taken comes back unpublished, as soon as no process can write to it. */
  returnUnpublished(blank: LentBlank): void {
    this.#lent -= 1;
    this.#withheld.set(blank, { sinceMs: performance.now(), isWarnedOf: false });
    this.#pause = FIRST_LOOK;
    this.#look();
  }

  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const blank of this.#withheld.keys()) if (this.#isBack(blank)) this.#withheld.delete(blank);
    while (this.#waiting.length > 0 && this.#lent + this.#withheld.size < this.#most) {
      this.#lent += 1;
      this.#waiting.shift()!();
    }
    if (this.#withheld.size === 0) return;
    this.#timer = setTimeout(() => this.#look(), this.#pause).unref();
    this.#pause = Math.min(2 * this.#pause, LAST_LOOK);
  }

  #isBack(blank: LentBlank): boolean {
    if (this.#surroundings.isOver()) return true;
    const { loan, memory, name } = blank;
    try {
      if (memory.isBack()) {
        loan.close();
        return true;
      }
    } catch (error) {
      // Nothing is known then: it stays out.
      this.#warnOf(blank, String(error));
      return false;
    }
    const isLong = performance.now() - this.#withheld.get(blank)!.sinceMs > LONG;
    if (isLong) this.#warnOf(blank, `a process can still write to what contributor "${name}" was lent`);
    return false;
  }

  #warnOf(blank: LentBlank, why: string): void {
    const state = this.#withheld.get(blank)!;
    if (state.isWarnedOf) return;
    state.isWarnedOf = true;
    this.#surroundings.warn(`A frame's memory does not come back into its stream: ${why}`);
  }
}
