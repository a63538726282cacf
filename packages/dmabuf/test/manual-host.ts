import assert from "node:assert/strict";
import type { Host } from "../src/host/host.js";

/** A host whose clock does not run, and whose timers do, until the test says otherwise. */
export class ManualHost implements Host {
  readonly mayBlock = true;
  readonly spinNs = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  #now = 0;
  #kept = 0;

  /** How many keep the process alive. */
  get kept(): number {
    return this.#kept;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Moves the clock on, and runs the timers that are due then. */
  pass(ms: number): void {
    this.#now += ms * 1e6;
    for (const timer of this.#timers) {
      if (timer.at <= this.#now && this.#timers.delete(timer)) timer.callback();
    }
  }

  // The core takes some of these out of the object.
  readonly nowNs = (): number => this.#now;

  readonly after = (ms: number, callback: () => void): (() => void) => {
    const timer = { at: this.#now + ms * 1e6, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  readonly keepAlive = (): (() => void) => {
    this.#kept++;
    return () => this.#kept--;
  };

  readonly warn = (message: string): void => {
    assert.fail(message);
  };
}
