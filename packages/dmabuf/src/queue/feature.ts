import type { Feature } from "../domain/feature.js";
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
   * A queue of jobs with a scheduler of its own.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if all timelines are in use; `EBADF` if this thread has left the domain.
   */
  createQueue<Data = undefined>(options: SchedulerOptions<Data>): Queue<Data>;
}

export const QUEUES: Feature<QueueMembers> = {
  name: "queues",
  shares: [],
  steps: [],
  install(core) {
    const createScheduler = <Data = undefined>(options: SchedulerOptions<Data>): Scheduler<Data> => {
      core.checkJoined();
      return makeScheduler(core.agent, options);
    };
    return {
      createScheduler,
      createQueue: <Data = undefined>(options: SchedulerOptions<Data>) => createScheduler(options).createQueue(),
    };
  },
};
