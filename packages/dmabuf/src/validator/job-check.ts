import type { Passage, Thing } from "../domain/validation.js";
import type { Fence } from "../fence/fence.js";
import { unwrap } from "../fence/unwrap.js";
import { createScope } from "../host/scope.js";
import type { Check, Checker } from "./check.js";

/**
 * Jobs that wait for their own queue.
 *
 * job-check.1. Code of a job waits neither for that job nor for a later one of its queue: they cannot end before it does.
 */
export class JobCheck implements Check {
  readonly #validator: Checker;
  readonly #running = createScope<Fence>();

  constructor(validator: Checker) {
    this.#validator = validator;
  }

  /** @param finished The job's. */
  run<T>(finished: Fence, run: () => T): T {
    return this.#running.run(finished, run);
  }

  waits(thing: Thing): Passage | undefined {
    const finished = this.#running.getStore();
    if (finished === undefined || thing.kind !== "fence" || finished.isSignaled()) return undefined;
    const leaves = [...unwrap(thing.fence as Fence)];
    if (leaves.some((leaf) => leaf.context === finished.context && !finished.isLater(leaf))) this.#report(finished);
    return undefined;
  }

  #report({ seqno, timelineName }: Fence): void {
    const why = "waits for itself, or for a job behind it, which cannot end before it does";
    this.#validator.report("own-fence", `Job ${seqno} of queue "${timelineName}" ${why}`);
  }
}
