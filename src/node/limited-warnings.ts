/** Milliseconds. */
const PERIOD = 10_000;
const MOST_AT_ONCE = 3;

/**
 * Warns of what strangers cause: of the first few in a time each, of all others together with their number. So nobody fills
 * the log.
 */
export class LimitedWarnings {
  readonly #warn: (message: string) => void;
  #left = MOST_AT_ONCE;
  #more = 0;
  #last = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  warn(message: string): void {
    this.#timer ??= setTimeout(() => this.flush(), PERIOD).unref();
    if (this.#left > 0) {
      this.#left -= 1;
      this.#warn(message);
    } else {
      this.#more += 1;
      this.#last = message;
    }
  }

  /** Says what has not been said; the next few are warned of at once again. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#left = MOST_AT_ONCE;
    if (this.#more > 0) this.#warn(`${this.#more} more of this kind, the last one: ${this.#last}`);
    this.#more = 0;
  }
}
