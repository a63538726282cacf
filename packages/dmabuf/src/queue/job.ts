import { check } from "../arguments.js";
import { DMA_BUF, type DmaBuf } from "../buffer/buffer.js";
import type { CpuAccess } from "../buffer/cpu-access.js";
import type { Fence } from "../fence/fence.js";
import type { AccessMode } from "../reservation/usage.js";

/** What a job is to its executor: in the agent that has submitted it, or in one that runs it for that. */
export interface JobState<Data> {
  readonly data: Data;
  readonly credits: number;
  readonly scheduled: Fence;
  readonly finished: Fence;
  /** The job's own holders of the buffers that it uses so. */
  holders(mode: AccessMode): DmaBuf[];
  access(buffer: DmaBuf): CpuAccess;
}

/**
 * What a job's work may give: a fence that says when it has finished, anything else, or a promise; but no {@link UserFence},
 * which would have the two methods that are excluded here, since it may never end.
 */
export type JobResult =
  | void
  | null
  | boolean
  | number
  | bigint
  | string
  | symbol
  | (object & {
      /** A promise is one of the engine's kind. */
      readonly then?: never;
      /** A user fence has it. */
      readonly signalAfter?: never;
    })
  | PromiseLike<JobResult>;

export let makeJob: <Data>(state: JobState<Data>) => Job<Data>;

/**
 * A piece of work that was submitted to a queue, as its executor gets it.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using queue = domain.createQueue<number>({
 *   run: (job) => {
 *     for (const buffer of job.writes) job.access(buffer).bytes.fill(job.data);
 *   },
 * });
 * using buffer = domain.allocate(4096);
 * const finished = await queue.submit({ writes: [buffer], data: 7 });
 * await finished.wait();
 * ```
 */
export class Job<Data = unknown> {
  readonly #state: JobState<Data>;

  private constructor(state: JobState<Data>) {
    this.#state = state;
  }

  static {
    makeJob = (state) => new Job(state);
  }

  /** What was submitted as `data`. */
  get data(): Data {
    return this.#state.data;
  }

  /** How much of the scheduler's capacity the job takes while it runs. */
  get credits(): number {
    return this.#state.credits;
  }

  /** Signals when the job has been given to the executor, or never will be. Of this agent alone, until it is sent. */
  get scheduled(): Fence {
    return this.#state.scheduled;
  }

  /** Signals when the job's work has finished, with its error. Of all agents. */
  get finished(): Fence {
    return this.#state.finished;
  }

  /** The buffers that the job reads, by holders of its own: they are closed when it has finished. */
  get reads(): DmaBuf[] {
    return this.#state.holders("read");
  }

  /** The buffers that the job writes, likewise. */
  get writes(): DmaBuf[] {
    return this.#state.holders("write");
  }

  /**
   * The bytes of one of the job's buffers, until the job has finished. It waits for nothing: what had to be waited for
   * was, before the job ran.
   *
   * @param buffer As it was named when the job was submitted, or one of {@link reads} and {@link writes}.
   * @throws {DmaBufError} `EBADF` if the job has finished.
   * @throws {RangeError} If the job does not use the buffer.
   */
  access(buffer: DmaBuf): CpuAccess {
    check("Job.access()", "buffer", buffer, DMA_BUF);
    return this.#state.access(buffer);
  }
}
