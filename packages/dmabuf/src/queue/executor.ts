import { checkOptions, instance, integer, oneOf, required, type Kinds } from "../arguments.js";
import { checkOwn, type Agent } from "../domain/agent.js";
import { Slots, type Sharing } from "./slots.js";

/**
 * An executor that runs jobs whose fences others wait for, and long-running ones, which may wait without bound, for a page or
 * for a program. Both want its slots; the first kind must get one in bounded time.
 *
 * executor.1. A slot has one job. An ordinary job takes one when all that it depends on has signaled, and gives it back when it
 *     has ended, in whichever way; a long-running one has one while it has its buffers.
 * executor.2. `preempt`: an ordinary job that is ready gets a slot before all long-running ones. If none is free, one of these is
 *     asked to give way, and does at a safe point: also in the middle of a fault that it waits for there.
 * executor.3. `reserve`: so many slots are never given to long-running jobs.
 * executor.4. `reserve-in-flight`: the fence of a job becomes visible only while so many slots are not a long-running job's, and
 *     from then on these are kept from them, until the last fence in flight has signaled. Before, they may have all.
 * executor.5. `flush`: the fence of a job becomes visible only when no long-running job has a slot; and none gets one before the
 *     last fence in flight has signaled.
 * executor.6. Who has waited longest is next, be it a job, a long-running job or a submission. So neither kind starves, but with
 *     `preempt`: there ordinary jobs go first, and if there are always some for all slots, no long-running one runs.
 * executor.7. A long-running job that waits has another one asked to give way, at its next safe point: each that waits gets its
 *     turn, if the others come to safe points.
 * executor.8. A submission waits for its admission before its fence exists, and holding nothing; never after.
 *
 * @see linux/Documentation/driver-api/dma-buf.rst, "Recoverable Hardware Page Faults Implications"
 */

/** How an executor's slots are shared between jobs with fences and long-running ones. */
export type SlotSharing = "preempt" | "reserve" | "reserve-in-flight" | "flush";

/** How {@link Domain.createExecutor} makes an executor. */
export interface ExecutorOptions {
  /** How many jobs run at once. */
  readonly slots: number;
  /**
   * What lets jobs with fences go on, although long-running ones may hold their slots without bound. `"preempt"`: these give
   * them up, also in the middle of a fault that they wait for at a safe point. `"reserve"`: some slots are never theirs.
   * `"reserve-in-flight"`: some are not while a fence is in flight, and a submission waits for them first. `"flush"`: the two
   * kinds take turns.
   */
  readonly sharing: SlotSharing;
  /** How many slots are kept by `"reserve"` and `"reserve-in-flight"`. Default 1. */
  readonly reserved?: number;
}

const SHARINGS: readonly SlotSharing[] = ["preempt", "reserve", "reserve-in-flight", "flush"];

const OPTIONS: Kinds<ExecutorOptions> = {
  slots: required(integer(1)),
  sharing: required(oneOf(SHARINGS)),
  reserved: integer(1),
};

let slotsOf: (executor: Executor) => Slots;
export let makeExecutor: (agent: Agent, options: ExecutorOptions, sharing?: Sharing) => Executor;

/**
 * What several schedulers and long-running queues of one thread run their jobs on, so many at once.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * const executor = domain.createExecutor({ slots: 2, sharing: "reserve" });
 * using frames = domain.createQueue({ executor, run() {} });
 * using training = domain.createQueue({ executor, longRunning: true, run: (job) => job.safePoint() });
 * using trained = training.submit({});
 * const shown = await frames.submit({});
 * await shown.wait();
 * await trained.wait();
 * ```
 */
export class Executor {
  /** How many jobs run at once. */
  readonly slots: number;
  /** How the slots are shared. */
  readonly sharing: SlotSharing;
  readonly #slots: Slots;

  static {
    makeExecutor = (agent, options, sharing) => {
      checkOptions("Domain.createExecutor()", options, OPTIONS);
      return new Executor(agent, options, sharing ?? sharingOf(options));
    };
    slotsOf = (executor) => executor.#slots;
  }

  private constructor(agent: Agent, { slots, sharing }: ExecutorOptions, rules: Sharing) {
    this.slots = slots;
    this.sharing = sharing;
    this.#slots = new Slots(agent, slots, rules);
  }

  /** Lines for people: which jobs have slots, and which wait. */
  describe(): string {
    return this.#slots.describe();
  }
}

/** What an option `executor` must be. */
export const EXECUTOR = instance(Executor);

/** Its slots, for a scheduler of the same agent. */
export function ownSlots(call: string, executor: Executor, agent: Agent): Slots {
  const slots = slotsOf(executor);
  checkOwn(call, 'option "executor"', slots.agent, agent);
  return slots;
}

/** The numbers of a choice: see executor.2 to executor.5. */
function sharingOf({ slots, sharing, reserved = 1 }: ExecutorOptions): Sharing {
  const kept = sharing === "reserve" || sharing === "reserve-in-flight" ? reserved : 0;
  const most = sharing === "reserve" ? slots - 1 : slots;
  if (kept > most) {
    throw new RangeError(
      `Domain.createExecutor(): option "reserved" must be an integer from 1 to ${most}, not ${reserved}`,
    );
  }
  const all: Sharing = { kept: 0, takesBack: false, admitsAt: slots, inFlight: slots };
  switch (sharing) {
    case "preempt":
      return { ...all, takesBack: true };
    case "reserve":
      return { ...all, kept };
    case "reserve-in-flight":
      return { ...all, admitsAt: slots - kept, inFlight: slots - kept };
    case "flush":
      return { ...all, admitsAt: 0, inFlight: 0 };
  }
}
