import { checkOptions, FLAG, FUNCTION, integer, NAME, required, type Kinds } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import { TIME_LIMIT } from "../fence/timeline.js";
import type { UserFence } from "../fence/user-fence.js";
import type { AbortSignalLike } from "../host/abort.js";
import { EXECUTOR, ownSlots, type Executor } from "./executor.js";
import type { LongRunningJob } from "./long-running-job.js";
import {
  makeLongRunningQueue,
  type LongRunningQueue,
  type LongRunningQueueOptions,
  type LongRunningQueueOwner,
} from "./long-running-queue.js";
import { CountedTurns } from "./turns.js";

/** How a scheduler, or a queue with one of its own, runs jobs that have no time limit. */
export interface LongRunningSchedulerOptions<Data> {
  /** Jobs without a time limit. */
  readonly longRunning: true;
  /** For people; at most 31 bytes of UTF-8. Default "queue". */
  readonly name?: string;
  /**
   * Does the work of one job. It has ended when this returns, or when the promise that it returns settles. It may wait for
   * whatever it likes, at safe points (see {@link LongRunningJob.safePoint}), and allocate.
   *
   * @param signal Aborts when the job is to stop.
   */
  readonly run: (job: LongRunningJob<Data>, signal: AbortSignalLike) => unknown;
  /** What the jobs run on, if others run there too. Default: nothing else. */
  readonly executor?: Executor;
  /** How many jobs of its queues may run at once; a suspended one does not count. Default 1. */
  readonly credits?: number;
  /** Milliseconds in which a job that is asked for its buffers must come to a safe point. Default 1,000. */
  readonly preemptLimit?: number;
}

const OPTIONS: Kinds<LongRunningSchedulerOptions<never>> = {
  longRunning: required(FLAG),
  name: NAME,
  run: required(FUNCTION),
  executor: EXECUTOR,
  credits: integer(1),
  preemptLimit: TIME_LIMIT,
};

const DEFAULT_PREEMPT_LIMIT = 1_000;

export let makeLongRunningScheduler: <Data>(
  agent: Agent,
  options: LongRunningSchedulerOptions<Data>,
  createEnd: (name: string) => UserFence,
) => LongRunningScheduler<Data>;

/**
 * Runs jobs without a time limit, from several queues: one of each queue at once.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using scheduler = domain.createScheduler<string>({ longRunning: true, credits: 2, run: (job) => console.log(job.data) });
 * const [one, other] = [scheduler.createQueue(), scheduler.createQueue()];
 * const ends = [one.submit({ data: "train" }), other.submit({ data: "render" })];
 * for (const end of ends) await end.wait();
 * ```
 */
export class LongRunningScheduler<Data = undefined> implements Disposable {
  /** The scheduler's name, and that of queues without one. */
  readonly name: string;
  readonly #owner: LongRunningQueueOwner<Data>;
  readonly #queues = new Set<LongRunningQueue<Data>>();
  #isClosed = false;

  private constructor(
    agent: Agent,
    options: LongRunningSchedulerOptions<Data>,
    createEnd: (name: string) => UserFence,
  ) {
    checkOptions("Domain.createScheduler()", options, OPTIONS);
    const { name = "queue", run, executor, credits = 1, preemptLimit = DEFAULT_PREEMPT_LIMIT } = options;
    const slots = executor && ownSlots("Domain.createScheduler()", executor, agent);
    this.name = name;
    this.#owner = {
      agent,
      driverName: name,
      preemptLimit,
      turns: new CountedTurns(credits, slots),
      run,
      createEnd,
      remove: (queue) => this.#queues.delete(queue),
    };
  }

  static {
    makeLongRunningScheduler = (agent, options, createEnd) => new LongRunningScheduler(agent, options, createEnd);
  }

  /**
   * Another queue of jobs.
   *
   * @throws {DmaBufError} `EINVAL` for a name that is too long; `ECANCELED` if the scheduler was closed.
   */
  createQueue(options: LongRunningQueueOptions = {}): LongRunningQueue<Data> {
    if (this.#isClosed) {
      throw new DmaBufError("ECANCELED", `Cannot make a queue: scheduler "${this.name}" has stopped`);
    }
    const queue = makeLongRunningQueue(this.#owner, options);
    this.#queues.add(queue);
    return queue;
  }

  /** Closes all queues. */
  close(): void {
    this.#isClosed = true;
    for (const queue of [...this.#queues]) queue.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
