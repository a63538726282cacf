import type { Tick } from "../shared/messages.js";

/** Milliseconds between two ticks. */
const EVERY = 125;

/** Counts what a lane does, and tells it a few times a second. */
export class Meter {
  readonly #now: () => number;
  readonly #report: (tick: Tick) => void;
  #frames = 0;
  #told = 0;
  #age = 0;
  #work = 0;
  #next = 0;

  /** @param now The domain's clock, in nanoseconds. */
  constructor(now: () => number, report: (tick: Tick) => void) {
    this.#now = now;
    this.#report = report;
  }

  /** A lane is done with a frame on which it worked for so many milliseconds. @param values What there is to draw. */
  done(publishedAt: number, work: number, missed: number, values: () => readonly number[] | undefined): void {
    this.#frames++;
    this.#age += (this.#now() - publishedAt) / 1e6;
    this.#work += work;
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + EVERY;
    const since = this.#frames - this.#told;
    const drawn = values();
    const tick = { frames: this.#frames, missed, age: this.#age / since, work: this.#work / since };
    this.#report({ kind: "tick", ...tick, ...(drawn !== undefined && { values: drawn }) });
    this.#told = this.#frames;
    this.#age = 0;
    this.#work = 0;
  }
}
