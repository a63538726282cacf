import { check, checkGiven, isObject, type Kind } from "../arguments.js";
import { DMA_BUF, type DmaBuf } from "../buffer/buffer.js";
import type { CpuAccess } from "../buffer/cpu-access.js";

/** What a long-running job is to its executor. */
export interface LongRunningState<Data> {
  readonly data: Data;
  readonly holders: DmaBuf[];
  readonly isAsked: boolean;
  access(buffer: DmaBuf): CpuAccess;
  safePoint<T>(until: PromiseLike<T> | undefined): Promise<T | undefined>;
}

const PROMISE: Kind = { wanted: "a promise", isKind: (value) => isObject(value) && "then" in value };

export let makeLongRunningJob: <Data>(state: LongRunningState<Data>) => LongRunningJob<Data>;

/**
 * A piece of work without a time limit, as the `run` of its queue gets it. Others may ask for its buffers at any time: it
 * gives them up at its next safe point, and gets them back there.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using queue = domain.createQueue({
 *   longRunning: true,
 *   async run(job) {
 *     for (let round = 0; round < 1000; round++) {
 *       for (const buffer of job.buffers) job.access(buffer).bytes[0] = round;
 *       await job.safePoint();
 *     }
 *   },
 * });
 * using buffer = domain.allocate(4096);
 * using finished = queue.submit({ buffers: [buffer] });
 * await finished.wait();
 * ```
 */
export class LongRunningJob<Data = unknown> {
  readonly #state: LongRunningState<Data>;

  private constructor(state: LongRunningState<Data>) {
    this.#state = state;
  }

  static {
    makeLongRunningJob = (state) => new LongRunningJob(state);
  }

  /** What was submitted as `data`. */
  get data(): Data {
    return this.#state.data;
  }

  /** The job's buffers, by holders of its own: they are closed when it has ended. */
  get buffers(): DmaBuf[] {
    return this.#state.holders;
  }

  /** Whether the job is asked for its buffers, or its turn: then it should come to a safe point soon. Looks actively. */
  get preempted(): boolean {
    return this.#state.isAsked;
  }

  /**
   * The bytes of one of the job's buffers, until its next safe point at which it is suspended: ask for them again there. It
   * waits for nothing.
   *
   * @param buffer As it was named when the job was submitted, or one of {@link buffers}.
   * @throws {DmaBufError} `EBADF` if the job has ended, or is at a safe point; what has stopped the job, if it was stopped.
   * @throws {RangeError} If the job does not use the buffer.
   */
  access(buffer: DmaBuf): CpuAccess {
    check("LongRunningJob.access()", "buffer", buffer, DMA_BUF);
    return this.#state.access(buffer);
  }

  /**
   * A point at which the job does not look at the bytes of its buffers. If it is asked for them, it gives them up here, waits
   * until those who have asked are done, and has them again when this resolves, also where they were moved.
   *
   * Where nothing is asked this does not return to the event loop: other code of this thread may need a turn of it.
   *
   * @throws {DmaBufError} What has stopped the job: `ECANCELED`, its queue was closed, or `ETIMEDOUT`, it came here too late;
   *   `EBUSY` if it is at a safe point already; `EBADF` if it has ended; what it fails with to get its buffers back.
   */
  async safePoint(): Promise<void>;
  /**
   * A safe point at which the job waits for something: it can be suspended for as long as this is pending, and needs its
   * buffers again only then.
   *
   * @param until What the job waits for here, such as a user fence.
   * @returns What `until` gives.
   * @throws {DmaBufError} As without `until`; and what `until` rejects with.
   */
  async safePoint<T>(until: PromiseLike<T>): Promise<T>;
  async safePoint<T>(until?: PromiseLike<T>): Promise<T | undefined> {
    checkGiven("LongRunningJob.safePoint()", "until", until, PROMISE);
    return this.#state.safePoint(until);
  }
}
