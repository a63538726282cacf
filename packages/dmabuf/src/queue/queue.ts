import { checkOptions, NAME, oneOf, type Kinds } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import {
  checkWait,
  checkWaitSync,
  Ending,
  limitsOf,
  waitUntil,
  type WaitOptions,
  type WaitTerms,
} from "../domain/wait.js";
import { DmaBufError, type ErrorCode } from "../errors.js";
import { Fence, makeFence, type WaitResult } from "../fence/fence.js";
import { OpsBacking } from "../fence/local-fence.js";
import { publish } from "../fence/published-fence.js";
import { allocateContexts, createTimeline, type Timeline } from "../fence/timeline.js";
import { lockAll, lockAllSync } from "../reservation/lock-all.js";
import { Submission, type JobRequest, type Obstacle } from "./submission.js";
import { Job, type Dependency } from "./job.js";
import { FifoQueue } from "./fifo-queue.js";

/** How urgent the jobs of a queue are. "kernel" is the highest. */
export type Priority = "kernel" | "high" | "normal" | "low";

/** Highest first. */
export const PRIORITIES: readonly Priority[] = ["kernel", "high", "normal", "low"];

export interface QueueOptions {
  /** For people; at most 31 bytes of UTF-8. Default: the scheduler's. */
  readonly name?: string;
  /** Which queue's jobs run first. Default "normal". */
  readonly priority?: Priority;
}

const OPTIONS: Kinds<QueueOptions> = { name: NAME, priority: oneOf(...PRIORITIES) };

/** What a queue needs of its scheduler. */
export interface QueueOwner<Data> {
  readonly agent: Agent;
  readonly name: string;
  readonly credits: number;
  /** Milliseconds without a finished job after which whoever waits for the queue ends it. */
  readonly stallLimit: number;
  /** Why no job is taken any more. */
  readonly refusal: ErrorCode | undefined;
  /** A number that grows with every job. */
  nextOrder(): number;
  /** What a job of `queue` waits for in the place of these fences. */
  resolve(fences: readonly Fence[], queue: Queue<Data>): Dependency<Data>[];
  /** A job has come. */
  entered(): void;
  /** A job has finished. */
  left(): void;
  /** Has the scheduler look for what can run. */
  wake(): void;
  /** The queue is closed, and its last job has finished. */
  remove(queue: Queue<Data>): void;
}

/**
 * A line of jobs that run in the order in which they were submitted. Its scheduler may have several of them.
 *
 * @see linux/drivers/gpu/drm/scheduler/sched_entity.c
 */
export class Queue<Data = undefined> implements Disposable {
  readonly name: string;
  readonly priority: Priority;
  readonly #owner: QueueOwner<Data>;
  readonly #timeline: Timeline;
  readonly #scheduledContext: number;
  readonly #scheduledBacking: OpsBacking;
  readonly #turns = new FifoQueue();
  /** Jobs that have not been given to the executor. */
  readonly #waiting: Job<Data>[] = [];
  /** Jobs whose finished fence is pending, in the order of their numbers. */
  readonly #unfinished = new Map<number, Job<Data>>();
  #last: Job<Data> | undefined;
  /** That of submissions. */
  readonly #ending = new Ending();
  #refusal: ErrorCode | undefined;
  #closed = false;
  #deadlineNs = 0;

  /** @internal Made by `Scheduler`. */
  constructor(owner: QueueOwner<Data>, options: QueueOptions) {
    checkOptions("Scheduler.createQueue()", options, OPTIONS);
    const { name = owner.name, priority = "normal" } = options;
    this.name = name;
    this.priority = priority;
    this.#owner = owner;
    this.#timeline = createTimeline(owner.agent, {
      name,
      driverName: owner.name,
      timeLimit: owner.stallLimit,
      onDeadline: (deadlineNs) => this.#hint(deadlineNs),
    });
    this.#scheduledContext = allocateContexts(owner.agent, 1);
    this.#scheduledBacking = new OpsBacking({ driverName: owner.name, timelineName: name });
  }

  /** The fence context of the jobs' finished fences. */
  get context(): number {
    return this.#timeline.context;
  }

  /** How many jobs have not been given to the executor. */
  get length(): number {
    return this.#waiting.length;
  }

  /** What the last job that was given to the executor has failed with, for those who will not go on then. */
  get error(): ErrorCode | undefined {
    return this.#last?.finished.error?.code;
  }

  /**
   * Submits a job. If nobody is in the way it stands in the queue when this call returns; otherwise it waits for the
   * accesses that are in progress, for work that is overdue and for the locks of its buffers, and later submissions to this
   * queue wait behind it.
   *
   * @param options For these waits. An abort or a timeout takes back what has not been submitted, and nothing else.
   * @returns The job's finished fence, which fails with the job's error.
   * @throws {DmaBufError} `EACCES`, `EBADF` or `EINVAL` for a request that cannot be carried out; `ENOMEM` if a reservation has
   *   no room; `ESRCH` if the queue was killed, `ENODEV` if the executor is gone, `ECANCELED` if it was closed, also while
   *   the call waits; `ETIMEDOUT`.
   */
  async submit(request: JobRequest<Data>, options: WaitOptions = {}): Promise<Fence> {
    checkWait("Queue.submit()", options);
    const draft = this.#draft("Queue.submit()", request);
    const { agent } = this.#owner;
    try {
      if (this.#turns.isEmpty) {
        const finished = this.#tryArm(draft);
        if (finished !== undefined) return finished;
      }
      const limits = limitsOf(agent.host, options, this.#ending);
      using turn = this.#turns.enter();
      const isFirst = (): boolean => turn.isFirst;
      if (!(await waitUntil(agent, limits(), isFirst, (go) => turn.onFirst(go)))) this.#timedOut(options.timeout);
      for (;;) {
        const armed = await this.#lockAndArm(draft, limits());
        if (armed instanceof Fence) return armed;
        let isReady = false;
        try {
          isReady = await agent.wait(armed.awaited, limits());
        } finally {
          armed.end(isReady);
        }
        if (!isReady) this.#timedOut(options.timeout, armed);
      }
    } catch (error) {
      draft[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * As {@link submit}, blocking this thread. The job runs later, from the event loop.
   *
   * @throws {DmaBufError} Besides, `EAGAIN` if an earlier submission of this thread still waits; `EDEADLK` without
   *   a limit if this thread itself uses a buffer.
   */
  submitSync(request: JobRequest<Data>, options: { readonly timeout?: number } = {}): Fence {
    checkWaitSync("Queue.submitSync()", options);
    const draft = this.#draft("Queue.submitSync()", request);
    const { agent } = this.#owner;
    try {
      if (!this.#turns.isEmpty) {
        throw new DmaBufError("EAGAIN", `Cannot submit to queue "${this.name}" now: an earlier submission still waits`);
      }
      const limits = limitsOf(agent.host, options);
      for (;;) {
        let obstacle: Obstacle;
        {
          using _locks = lockAllSync(agent, draft.reservations, limits());
          const armed = this.#holdAndArm(draft);
          if (armed instanceof Fence) return armed;
          obstacle = armed;
        }
        let isReady = false;
        try {
          isReady = agent.waitSync(obstacle.awaited, limits().timeout);
        } finally {
          obstacle.end(isReady);
        }
        if (!isReady) this.#timedOut(options.timeout, obstacle);
      }
    } catch (error) {
      draft[Symbol.dispose]();
      throw error;
    }
  }

  /** As {@link submit}, if nobody is in the way; `undefined`, and nothing submitted, if somebody is. */
  trySubmit(request: JobRequest<Data>): Fence | undefined {
    const draft = this.#draft("Queue.trySubmit()", request);
    let finished: Fence | undefined;
    try {
      if (this.#turns.isEmpty) finished = this.#tryArm(draft);
    } finally {
      if (finished === undefined) draft[Symbol.dispose]();
    }
    return finished;
  }

  /** Waits until every job submitted so far has been given to the executor, or never will be. */
  async flush(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("Queue.flush()", options);
    return (await this.#waiting.at(-1)?.scheduled.wait(options)) ?? "signaled";
  }

  /**
   * Gives up the jobs that have not been given to the executor: they never run. Each waits for what it depends on and for
   * those before it, and then fails with `ESRCH`. Later submissions do so at once.
   */
  kill(): void {
    this.#refuse(this.#refusal ?? "ESRCH");
    this.#owner.wake();
  }

  /** Kills the queue, and lets go of it when its running jobs have finished. */
  close(): void {
    this.#closed = true;
    this.#refuse(this.#refusal ?? this.#owner.refusal ?? "ECANCELED");
    this.#settleClosed();
    this.#owner.wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal The job that is to run next, if it can; `look` is called when it is time to ask again. */
  ready(look: () => void): Job<Data> | undefined {
    const head = this.#waiting[0];
    if (head?.finished.isSignaled()) {
      // Hang recovery has ended the timeline: these fences are decided.
      this.fail("ETIMEDOUT");
      return undefined;
    }
    return head?.isReady(look, this.isKilled) ? head : undefined;
  }

  /** @internal Whether the jobs that wait are never to run. */
  get isKilled(): boolean {
    return this.#refusal !== undefined;
  }

  /** @internal The executor gets the next job. */
  shift(): void {
    this.#last = this.#waiting.shift();
  }

  /** @internal The next job never runs. */
  drop(error: ErrorCode): void {
    const job = this.#waiting.shift()!;
    job.scheduled.signal();
    job.end(error);
    this.settle();
  }

  /** @internal No job of the queue runs any more. */
  fail(error: ErrorCode): void {
    this.#refuse(error);
    while (this.#waiting.length > 0) this.drop(error);
  }

  /** @internal Forgets everything: the agent has left, and with it all its fences have ended. */
  abandon(): void {
    this.#refuse("ECANCELED");
    for (const job of this.#unfinished.values()) job.end("ECANCELED");
    this.#waiting.length = 0;
    this.#unfinished.clear();
  }

  /** @internal Signals what has ended, in the order of the numbers. */
  settle(): void {
    for (const [seqno, job] of this.#unfinished) {
      if (!job.isOver) break;
      this.#unfinished.delete(seqno);
      if (job.error !== undefined && !job.finished.isSignaled()) job.finished.setError(job.error);
      // If hang recovery has ended the timeline, this says that the job no longer touches its buffers.
      job.finished.signal();
      this.#owner.left();
    }
    this.#settleClosed();
  }

  /** @internal The job with a finished fence of this queue, if it is pending. */
  jobAt(seqno: number): Job<Data> | undefined {
    return this.#unfinished.get(seqno);
  }

  /** @internal The executor's own fence for a job hears the deadline that was asked of the job's. */
  follow(job: Job<Data>, parent: Fence): void {
    job.parent = parent;
    if (this.#deadlineNs > this.#owner.agent.host.nowNs()) parent.setDeadline(this.#deadlineNs);
  }

  #draft(call: string, request: JobRequest<Data>): Submission<Data> {
    this.#checkOpen();
    return new Submission<Data>(call, this.#owner.agent, request, this.#owner.credits);
  }

  async #lockAndArm(draft: Submission<Data>, limits: WaitTerms): Promise<Fence | Obstacle> {
    using _locks = await lockAll(this.#owner.agent, draft.reservations, limits);
    return this.#holdAndArm(draft);
  }

  #tryArm(draft: Submission<Data>): Fence | undefined {
    using locks = draft.tryLockAll();
    if (locks === undefined) return undefined;
    const armed = this.#holdAndArm(draft);
    return armed instanceof Fence ? armed : undefined;
  }

  /** Makes the job's fences and adds them to its buffers, if nothing is in the way. The caller holds the locks. */
  #holdAndArm(draft: Submission<Data>): Fence | Obstacle {
    const obstacle = draft.tryHoldAll();
    if (obstacle !== undefined) return obstacle;
    try {
      return this.#arm(draft);
    } finally {
      draft.releaseHolds();
    }
  }

  #arm(draft: Submission<Data>): Fence {
    this.#checkOpen();
    const needed = draft.dependencies();
    const guards = needed.map((fence) => publish(fence));
    const dependencies = this.#owner.resolve(needed, this);
    for (const reservation of draft.reservations) reservation.reserveFences(1);
    const finished = this.#timeline.createFence();
    // The point of no return: nothing below fails.
    for (const { reservation, mode } of draft.uses) reservation.addFence(finished, mode);
    const { agent } = this.#owner;
    const scheduled = makeFence(agent, this.#scheduledBacking, this.#scheduledContext, finished.seqno);
    const job = new Job(this, draft, this.#owner.nextOrder(), dependencies, guards, { scheduled, finished });
    this.#waiting.push(job);
    this.#unfinished.set(finished.seqno, job);
    this.#owner.entered();
    this.#owner.wake();
    return finished;
  }

  #hint(deadlineNs: number): void {
    this.#deadlineNs = deadlineNs;
    for (const { parent } of this.#unfinished.values()) parent?.setDeadline(deadlineNs);
  }

  #settleClosed(): void {
    if (!this.#closed || this.#unfinished.size > 0) return;
    this.#timeline.close();
    this.#owner.remove(this);
  }

  /** Takes no more jobs; the submissions that wait end. */
  #refuse(reason: ErrorCode): void {
    this.#refusal = reason;
    this.#ending.end(() => this.#refused(reason));
  }

  #checkOpen(): void {
    const refusal = this.#refusal ?? this.#owner.refusal;
    if (refusal !== undefined) throw this.#refused(refusal);
  }

  #refused(refusal: ErrorCode): DmaBufError {
    const why = { ESRCH: "it was killed", ENODEV: "its executor is gone", ETIMEDOUT: "hang recovery has ended it" };
    const reason = refusal in why ? why[refusal as keyof typeof why] : "it is closed";
    return new DmaBufError(refusal, `Cannot submit to queue "${this.name}": ${reason}`);
  }

  #timedOut(timeout: number | undefined, obstacle?: Obstacle): never {
    const why = obstacle?.describe() ?? "a buffer is in use";
    throw new DmaBufError("ETIMEDOUT", `Cannot submit to queue "${this.name}" in ${timeout} ms: ${why}`);
  }
}
