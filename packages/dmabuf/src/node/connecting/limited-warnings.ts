import type { Host } from "../../host/host.js";

/** Milliseconds. */
const PERIOD = 10_000;
const MOST_AT_ONCE = 3;

/**
 * Warns of what strangers cause: of the first few in a time each, of all others together with their number. So none fills
 * the log.
 */
export class LimitedWarnings {
  readonly #host: Pick<Host, "warn" | "after">;
  #left = MOST_AT_ONCE;
  #more = 0;
  #last = "";
  #endPeriod: (() => void) | undefined;

  constructor(host: Pick<Host, "warn" | "after">) {
    this.#host = host;
  }

  warn(message: string): void {
    this.#endPeriod ??= this.#host.after(PERIOD, () => this.flush());
    if (this.#left > 0) {
      this.#left -= 1;
      this.#host.warn(message);
    } else {
      this.#more += 1;
      this.#last = message;
    }
  }

  /** Says what has not been said; the next few are warned of at once again. */
  flush(): void {
    this.#endPeriod?.();
    this.#endPeriod = undefined;
    this.#left = MOST_AT_ONCE;
    if (this.#more > 0) this.#host.warn(`${this.#more} more of this kind, the last one: ${this.#last}`);
    this.#more = 0;
  }
}
