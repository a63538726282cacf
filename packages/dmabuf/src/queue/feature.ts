import { isObject } from "../arguments.js";
import type { Feature } from "../domain/feature.js";
import { createUserFence, type UserFence } from "../fence/user-fence.js";
import { USER_FENCE_TABLE } from "../fence/user-fence-feature.js";
import { makeExecutor, type Executor, type ExecutorOptions } from "./executor.js";
import type { LongRunningQueue } from "./long-running-queue.js";
import {
  makeLongRunningScheduler,
  type LongRunningScheduler,
  type LongRunningSchedulerOptions,
} from "./long-running-scheduler.js";
import type { Queue } from "./queue.js";
import { makeScheduler, type Scheduler, type SchedulerOptions } from "./scheduler.js";

/**
 * What a domain does with jobs.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using scheduler = domain.createScheduler<string>({ credits: 2, run: (job) => console.log(job.data) });
 * using urgent = scheduler.createQueue({ priority: "high" });
 * using queue = scheduler.createQueue();
 * const jobs = [await queue.submit({ data: "encode" }), await urgent.submit({ data: "show" })];
 * for (const finished of jobs) await finished.wait();
 * ```
 */
export interface QueueMembers {
  /**
   * Runs jobs on one executor, from several queues.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createScheduler<Data = undefined>(options: SchedulerOptions<Data>): Scheduler<Data>;
  /**
   * Runs jobs without a time limit, from several queues.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createScheduler<Data = undefined>(options: LongRunningSchedulerOptions<Data>): LongRunningScheduler<Data>;
  /**
   * A queue of jobs with a scheduler of its own.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if all timelines are in use; `EBADF` if this thread has left the domain.
   */
  createQueue<Data = undefined>(options: SchedulerOptions<Data>): Queue<Data>;
  /**
   * A queue of jobs without a time limit, with a scheduler of its own.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createQueue<Data = undefined>(options: LongRunningSchedulerOptions<Data>): LongRunningQueue<Data>;
  /**
   * What queues of both kinds of this thread run their jobs on: their option `executor`.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createExecutor(options: ExecutorOptions): Executor;
}

export const QUEUES: Feature<QueueMembers> = {
  name: "queues",
  shares: [],
  steps: [],
  install(core) {
    const createEnd = (name: string): UserFence => createUserFence(core.get(USER_FENCE_TABLE), { name });
    const createScheduler = <Data = undefined>(options: SchedulerOptions<Data> | LongRunningSchedulerOptions<Data>) => {
      core.checkJoined();
      return isLongRunning(options)
        ? makeLongRunningScheduler(core.agent, options, createEnd)
        : makeScheduler(core.agent, options);
    };
    const createQueue = <Data = undefined>(options: SchedulerOptions<Data> | LongRunningSchedulerOptions<Data>) =>
      createScheduler(options).createQueue();
    const createExecutor = (options: ExecutorOptions): Executor => {
      core.checkJoined();
      return makeExecutor(core.agent, options);
    };
    // The compiler does not see which kind of options gives which kind of queue.
    return { createScheduler, createQueue, createExecutor } as object as QueueMembers;
  },
};

/** Whether long-running jobs are wanted; whether the option is a right one is looked at later. */
function isLongRunning<Data>(
  options: SchedulerOptions<Data> | LongRunningSchedulerOptions<Data>,
): options is LongRunningSchedulerOptions<Data> {
  return isObject(options) && options.longRunning === true;
}
