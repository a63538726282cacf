import { checkOptions, NAME, oneOf, type Kinds } from "../arguments.js";
import { take, takeSync, until, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError, type ErrorCode } from "../errors.js";
import { Fence } from "../fence/fence.js";
import type { WaitResult } from "../fence/read-fence.js";
import { FifoQueue } from "./fifo-queue.js";
import { JobLine, PRIORITIES, type LineOwner, type Priority } from "./job-line.js";
import { Submission, type JobRequest, type Obstacle } from "./submission.js";

/** How a queue is made. */
export interface QueueOptions {
  /** For people; at most 31 bytes of UTF-8. Default: the scheduler's. */
  readonly name?: string;
  /** Which queue's jobs run first. Default "normal". */
  readonly priority?: Priority;
}

const OPTIONS: Kinds<QueueOptions> = { name: NAME, priority: oneOf(PRIORITIES) };

export let makeQueue: <Data>(owner: LineOwner<Data>, options: QueueOptions) => Queue<Data>;
/** The jobs of a queue, for its scheduler. */
export let lineOf: <Data>(queue: Queue<Data>) => JobLine<Data>;

/**
 * A queue of jobs that run in the order in which they were submitted. Its scheduler may have several of them.
 *
 * @see linux/drivers/gpu/drm/scheduler/sched_entity.c
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using queue = domain.createQueue({
 *   run(job) {
 *     for (const buffer of job.writes) job.access(buffer).bytes.fill(1);
 *   },
 * });
 * using buffer = domain.allocate(4096);
 * const finished = await queue.submit({ writes: [buffer] });
 * await finished.wait();
 * ```
 */
export class Queue<Data = undefined> implements Disposable {
  /** The queue's name. */
  readonly name: string;
  /** Which queue's jobs run first. */
  readonly priority: Priority;
  readonly #line: JobLine<Data>;
  /** Submissions that wait. */
  readonly #submissions = new FifoQueue();

  private constructor(line: JobLine<Data>) {
    this.name = line.name;
    this.priority = line.priority;
    this.#line = line;
  }

  static {
    makeQueue = (owner, options) => {
      checkOptions("Scheduler.createQueue()", options, OPTIONS);
      const { name = owner.name, priority = "normal" } = options;
      return new Queue(new JobLine(owner, name, priority));
    };
    lineOf = (queue) => queue.#line;
  }

  /** The fence context of the jobs' finished fences. */
  get context(): number {
    return this.#line.context;
  }

  /** How many jobs have not been given to the executor. */
  get length(): number {
    return this.#line.length;
  }

  /** What the last job that was given to the executor has failed with, for those that will not go on then. */
  get error(): ErrorCode | undefined {
    return this.#line.error;
  }

  /**
   * Submits a job. If nothing is in the way it is in the queue when this call returns; otherwise it waits for the
   * accesses that are in progress, for work that is overdue and for the locks of its buffers, and later submissions to
   * this queue wait behind it.
   *
   * @param options For these waits. An abort or a timeout takes back what has not been submitted, and nothing else.
   * @returns The job's finished fence, which fails with the job's error.
   * @throws {DmaBufError} `EACCES`, `EBADF` or `EINVAL` for a request that cannot be carried out; `ENOMEM` if a
   *   reservation has no room; `ESRCH` if the queue was killed, `ENODEV` if the executor is gone, `ECANCELED` if it was
   *   closed, also while the call waits; `ETIMEDOUT`.
   */
  async submit(request: JobRequest<Data>, options: WaitOptions = {}): Promise<Fence> {
    checkWait("Queue.submit()", options);
    const submission = this.#prepare("Queue.submit()", request);
    return take(this.#line.owner.agent, this.#submit(submission, options.timeout), options, this.#line.ending);
  }

  /**
   * As {@link submit}, blocking this thread. The job runs later, from the event loop.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EAGAIN` if an earlier submission of this thread still waits; `EDEADLK` without
   *   a limit if this thread itself uses a buffer.
   */
  submitSync(request: JobRequest<Data>, options: { readonly timeout?: number } = {}): Fence {
    checkWaitSync("Queue.submitSync()", options);
    const submission = this.#prepare("Queue.submitSync()", request);
    return takeSync(this.#line.owner.agent, this.#submit(submission, options.timeout), options.timeout);
  }

  /** As {@link submit}, if nothing is in the way; otherwise nothing is submitted. @returns `undefined` then. */
  trySubmit(request: JobRequest<Data>): Fence | undefined {
    const submission = this.#prepare("Queue.trySubmit()", request);
    let finished: Fence | undefined;
    try {
      finished = this.#tryAdd(submission);
    } finally {
      if (finished === undefined) this.#giveUp(submission);
    }
    return finished;
  }

  /**
   * Waits until every job submitted so far has been given to the executor, or never will be.
   *
   * @returns `"timed-out"` if the time passed first.
   */
  async flush(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("Queue.flush()", options);
    return this.#line.newest?.scheduled.wait(options) ?? "signaled";
  }

  /**
   * Gives up the jobs that have not been given to the executor: they never run. Each waits for what it depends on and
   * for those before it, and then fails with `ESRCH`. Later submissions fail at once.
   */
  kill(): void {
    this.#line.kill();
  }

  /** Kills the queue, and disposes it when its running jobs have finished. */
  close(): void {
    this.#line.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(call: string, request: JobRequest<Data>): Submission<Data> {
    this.#line.checkOpen();
    const { agent, credits } = this.#line.owner;
    return new Submission<Data>(call, agent, request, credits);
  }

  *#submit(submission: Submission<Data>, timeout?: number): Steps<Fence> {
    const { agent } = this.#line.owner;
    try {
      const finished = this.#tryAdd(submission);
      if (finished !== undefined) return finished;
      using place = this.#submissions.enter();
      if (!place.isFirst && !(yield place.first(agent, this.name))) this.#timedOut(timeout);
      for (;;) {
        const added = yield* this.#lockAndAdd(submission, timeout);
        if (added instanceof Fence) return added;
        let isReady = false;
        try {
          isReady = yield until(agent, added.awaited, () => [`submit to queue "${this.name}"`, added.describe()]);
        } finally {
          added.end(isReady);
        }
        if (!isReady) this.#timedOut(timeout, added);
      }
    } catch (error) {
      this.#giveUp(submission);
      throw error;
    }
  }

  #giveUp(submission: Submission<Data>): void {
    this.#line.owner.slots?.takeBack(submission);
    submission.close();
  }

  *#lockAndAdd(submission: Submission<Data>, timeout?: number): Steps<Fence | Obstacle> {
    using _locks = yield* submission.lockAll(timeout);
    return this.#holdAndAdd(submission);
  }

  /** @returns Nothing if something is in the way, or an earlier submission waits. */
  #tryAdd(submission: Submission<Data>): Fence | undefined {
    if (!this.#submissions.isEmpty) return undefined;
    using locks = submission.tryLockAll();
    if (locks === undefined) return undefined;
    const added = this.#holdAndAdd(submission);
    return added instanceof Fence ? added : undefined;
  }

  /** Adds the job, if nothing is in the way. The caller holds the locks. */
  #holdAndAdd(submission: Submission<Data>): Fence | Obstacle {
    submission.checkPages();
    const { slots } = this.#line.owner;
    const obstacle = submission.tryHoldAll();
    if (obstacle !== undefined) {
      // It keeps no slot from others while it waits for something else (executor.8).
      slots?.takeBack(submission);
      return obstacle;
    }
    try {
      return slots?.admit(submission) ?? this.#line.add(submission);
    } finally {
      submission.releaseHolds();
    }
  }

  #timedOut(timeout: number | undefined, obstacle?: Obstacle): never {
    const why = obstacle?.describe() ?? "an earlier submission of this thread still waits";
    throw new DmaBufError("ETIMEDOUT", `Cannot submit to queue "${this.name}" in ${timeout} ms: ${why}`);
  }
}
