import { TIMELINE_KIND } from "../domain/layout.js";
import type { Agent } from "../domain/agent.js";
import { Ending } from "../domain/wait.js";
import { DmaBufError, type ErrorCode } from "../errors.js";
import { makeFence, type Fence } from "../fence/fence.js";
import { OpsBacking } from "../fence/local-fence.js";
import { publish } from "../fence/published-fence.js";
import { allocateContexts, createTimeline, type Timeline } from "../fence/timeline.js";
import { PendingJob, type Dependency } from "./pending-job.js";
import type { Slots } from "./slots.js";
import type { Submission } from "./submission.js";
import { POINT, traces } from "../domain/tracing.js";
import { traceFence } from "../fence/fence-trace.js";

/** How urgent the jobs of a queue are. "kernel" is the highest. */
export type Priority = "kernel" | "high" | "normal" | "low";

/** Highest first. */
export const PRIORITIES: readonly Priority[] = ["kernel", "high", "normal", "low"];

/** What a queue needs of its scheduler. */
export interface LineOwner<Data> {
  readonly agent: Agent;
  readonly name: string;
  readonly credits: number;
  /** Those of the executor that it shares with others. */
  readonly slots: Pick<Slots, "admit" | "takeBack"> | undefined;
  /** Milliseconds without a finished job after which any agent that waits for the queue ends it. */
  readonly stallLimit: number;
  /** Why no job is taken any more. */
  readonly refusal: ErrorCode | undefined;
  /** A number that grows with every job. */
  nextOrder(): number;
  /** What a job of `line` waits for in the place of these fences. */
  resolve(fences: readonly Fence[], line: JobLine<Data>): Dependency[];
  /** A job has come. */
  entered(): void;
  /** A job has finished. */
  left(): void;
  /** Has the scheduler look for what can run. */
  wake(): void;
  /** The queue is closed, and its last job has finished. */
  remove(line: JobLine<Data>): void;
}

/** The jobs of one queue, as its scheduler knows them. */
export class JobLine<Data> {
  readonly owner: LineOwner<Data>;
  readonly name: string;
  readonly priority: Priority;
  /** That of submissions. */
  readonly ending = new Ending();
  readonly #timeline: Timeline;
  readonly #scheduledContext: number;
  readonly #scheduledBacking: OpsBacking;
  /** Jobs that have not been given to the executor. */
  readonly #waiting: PendingJob<Data>[] = [];
  /** Jobs whose finished fence is pending, in the order of their numbers. */
  readonly #unfinished = new Map<number, PendingJob<Data>>();
  #last: PendingJob<Data> | undefined;
  #refusal: ErrorCode | undefined;
  #closed = false;
  #deadlineNs = 0;

  constructor(owner: LineOwner<Data>, name: string, priority: Priority) {
    this.owner = owner;
    this.name = name;
    this.priority = priority;
    const options = {
      name,
      driverName: owner.name,
      timeLimit: owner.stallLimit,
      onDeadline: (deadlineNs: number) => this.#hint(deadlineNs),
    };
    this.#timeline = createTimeline(owner.agent, options, { kind: TIMELINE_KIND.QUEUE });
    this.#scheduledContext = allocateContexts(owner.agent, 1);
    this.#scheduledBacking = new OpsBacking({ driverName: owner.name, timelineName: name });
  }

  get context(): number {
    return this.#timeline.context;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get error(): ErrorCode | undefined {
    return this.#last?.finished.error?.code;
  }

  /** The last job that has not been given to the executor. */
  get newest(): PendingJob<Data> | undefined {
    return this.#waiting.at(-1);
  }

  /** The first of those that have not finished. */
  get oldest(): PendingJob<Data> | undefined {
    return this.#unfinished.values().next().value;
  }

  /** Whether the jobs that wait are never to run. */
  get isKilled(): boolean {
    return this.#refusal !== undefined;
  }

  /** @throws {DmaBufError} Why no job is taken any more. */
  checkOpen(): void {
    const refusal = this.#refusal ?? this.owner.refusal;
    if (refusal !== undefined) throw this.#refused(refusal);
  }

  /** Makes the job's fences and adds them to its buffers, which are locked and held; returns the finished fence. */
  add(submission: Submission<Data>): Fence {
    this.checkOpen();
    const { agent } = this.owner;
    const needed = submission.dependencies();
    const guards = needed.map((fence) => publish(fence));
    const dependencies = this.owner.resolve(needed, this);
    for (const reservation of submission.reservations) reservation.reserveFences(1);
    const finished = this.#timeline.createFence();
    // Who gets it may wait for it, whether or not it goes to any buffer.
    publish(finished);
    // The point of no return: nothing below fails.
    for (const { reservation, mode } of submission.uses) reservation.addFence(finished, mode);
    if (traces(agent, POINT["queue:push"])) traceFence(agent, POINT["queue:push"], finished);
    const scheduled = makeFence(agent, this.#scheduledBacking, this.#scheduledContext, finished.seqno);
    const job = new PendingJob(submission, this.owner.nextOrder(), dependencies, guards, { scheduled, finished });
    this.#waiting.push(job);
    this.#unfinished.set(finished.seqno, job);
    this.owner.entered();
    this.owner.wake();
    return finished;
  }

  /** The job that is to run next, if it can; `look` is called when it is time to ask again. */
  ready(look: () => void): PendingJob<Data> | undefined {
    const head = this.#waiting[0];
    if (head?.finished.isSignaled()) {
      // Hang recovery has ended the timeline: these fences are decided.
      this.fail("ETIMEDOUT");
      return undefined;
    }
    return head?.isReady(look, this.isKilled) ? head : undefined;
  }

  /** The executor gets the next job. */
  shift(): void {
    this.#last = this.#waiting.shift();
  }

  /** The next job never runs. */
  drop(error: ErrorCode): void {
    const job = this.#waiting.shift()!;
    job.scheduled.signal();
    job.end(error);
    this.settle();
  }

  /** Gives up the jobs that wait: see `Queue.kill()`. */
  kill(): void {
    this.#refuse(this.#refusal ?? "ESRCH");
    this.owner.wake();
  }

  close(): void {
    this.#closed = true;
    this.#refuse(this.#refusal ?? this.owner.refusal ?? "ECANCELED");
    this.#settleClosed();
    this.owner.wake();
  }

  /** No job of the queue runs any more. */
  fail(error: ErrorCode): void {
    this.#refuse(error);
    while (this.#waiting.length > 0) this.drop(error);
  }

  /** Forgets everything: the agent has left, and with it all its fences have ended. */
  abandon(): void {
    this.#refuse("ECANCELED");
    for (const job of this.#unfinished.values()) job.end("ECANCELED");
    this.#waiting.length = 0;
    this.#unfinished.clear();
  }

  /** Signals what has ended, in the order of the numbers. */
  settle(): void {
    for (const [seqno, job] of this.#unfinished) {
      if (!job.isOver) break;
      this.#unfinished.delete(seqno);
      if (job.error !== undefined && !job.finished.isSignaled()) job.finished.setError(job.error);
      // If hang recovery has ended the timeline, this says that the job no longer touches its buffers.
      job.finished.signal();
      this.owner.left();
    }
    this.#settleClosed();
  }

  /** The job with a finished fence of this queue, if it is pending. */
  jobAt(seqno: number): PendingJob<Data> | undefined {
    return this.#unfinished.get(seqno);
  }

  /** The deadline that was asked of a job's fence is told to the executor's own fence for it. */
  follow(job: PendingJob<Data>, parent: Fence): void {
    job.parent = parent;
    if (this.#deadlineNs > this.owner.agent.host.nowNs()) parent.setDeadline(this.#deadlineNs);
  }

  #hint(deadlineNs: number): void {
    this.#deadlineNs = deadlineNs;
    for (const { parent } of this.#unfinished.values()) parent?.setDeadline(deadlineNs);
  }

  #settleClosed(): void {
    if (!this.#closed || this.#unfinished.size > 0) return;
    this.#timeline.close();
    this.owner.remove(this);
  }

  /** Takes no more jobs; the submissions that wait end. */
  #refuse(reason: ErrorCode): void {
    this.#refusal = reason;
    this.ending.end(() => this.#refused(reason));
  }

  #refused(refusal: ErrorCode): DmaBufError {
    const why = { ESRCH: "it was killed", ENODEV: "its executor is gone", ETIMEDOUT: "hang recovery has ended it" };
    const reason = refusal in why ? why[refusal as keyof typeof why] : "it is closed";
    return new DmaBufError(refusal, `Cannot submit to queue "${this.name}": ${reason}`);
  }
}
