import type { DomainObserver } from "dmabuf/node";
import { measuredWaits } from "../latency/measured.js";
import type { TracedWaits } from "../shared/messages.js";
import type { Watch } from "./watch.js";

/** Milliseconds for which a look at the traces is good: it reads all of their events. */
const FRESH = 1000;

/** What the traces of the watched domain's agents tell of waits, looked at once for all pages that ask. */
export class LatencyLook {
  readonly #watch: Watch;
  #observed: DomainObserver | undefined;
  #found: TracedWaits = { waits: [] };
  #lookedAt = 0;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  /** @throws {DmaBufError} As `observer.trace()`. */
  waits(): TracedWaits {
    const { observed } = this.#watch;
    if (observed === this.#observed && performance.now() - this.#lookedAt < FRESH) return this.#found;
    this.#found = { waits: measuredWaits(observed.trace()) };
    this.#observed = observed;
    this.#lookedAt = performance.now();
    return this.#found;
  }
}
