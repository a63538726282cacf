import type { Wait } from "../domain/steps.js";
import { waitUntil, type Waiter } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";

/** Calls that wait, and go on one after the other in the order in which they came. */
export class FifoQueue {
  readonly #line = new Set<FifoPlace>();

  get isEmpty(): boolean {
    return this.#line.size === 0;
  }

  /** A place at the end of the queue; dispose it to leave. */
  enter(): FifoPlace {
    const place = new FifoPlace(this.#line);
    this.#line.add(place);
    return place;
  }
}

export class FifoPlace implements Disposable {
  readonly #line: Set<FifoPlace>;
  #go: (() => void) | undefined;

  constructor(line: Set<FifoPlace>) {
    this.#line = line;
  }

  get isFirst(): boolean {
    return firstOf(this.#line) === this;
  }

  /** The wait until this is the first. A blocked thread would never wake: what is before it goes on in this thread. */
  first(waiter: Waiter, name: string): Wait {
    return {
      heldUp: () => [`submit to queue "${name}"`, "an earlier submission of this thread still waits"],
      wait: (terms) =>
        waitUntil(
          waiter,
          terms,
          () => this.isFirst,
          (go) => this.#onFirst(go),
        ),
      waitSync() {
        throw new DmaBufError("EAGAIN", `Cannot submit to queue "${name}" now: an earlier submission still waits`);
      },
    };
  }

  [Symbol.dispose](): void {
    const wasFirst = this.isFirst;
    const isNextDue = this.#line.delete(this) && wasFirst;
    const next = isNextDue ? firstOf(this.#line) : undefined;
    if (next !== undefined) next.#go?.();
  }

  /** Calls back when this is the first; returns what ends that. */
  #onFirst(go: () => void): () => void {
    if (this.isFirst) go();
    else this.#go = go;
    return () => (this.#go = undefined);
  }
}

function firstOf(line: ReadonlySet<FifoPlace>): FifoPlace | undefined {
  return line.values().next().value;
}
