import type { Pace } from "../../shared/messages.js";

/** When the next picture is due, and whether there is a next one now. */
export class Tempo {
  #isRunning = false;
  #pace: Pace = "recorded";
  #due = 0;
  #changed = (): void => {};

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get pace(): Pace {
    return this.#pace;
  }

  set(isRunning: boolean, pace: Pace): void {
    this.#isRunning = isRunning;
    this.#pace = pace;
    this.#due = performance.now();
    this.#changed();
  }

  /** Waits until a picture of so many milliseconds is due. @returns Whether there is to be one: not once the source is stopped. */
  async turn(duration: number, signal: AbortSignal): Promise<boolean> {
    if (this.#pace === "recorded") this.#due += duration;
    while (!signal.aborted) {
      const late = performance.now() - this.#due;
      if (this.#isRunning && this.#pace === "fast") {
        // Messages have their turn, too.
        await this.#wait(0, signal);
        return !signal.aborted;
      }
      if (this.#isRunning && late >= 0) {
        // What could not be kept up with is not made up for.
        if (late > 3 * duration) this.#due = performance.now();
        return true;
      }
      await this.#wait(this.#isRunning ? -late : undefined, signal);
    }
    return false;
  }

  /** Without a time, until something changes. */
  async #wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#changed = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (ms === 0) {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          resolve();
        };
        port2.postMessage(undefined);
      } else if (ms !== undefined) setTimeout(resolve, ms);
    });
  }
}
