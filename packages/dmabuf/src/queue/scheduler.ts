import { checkOptions, FLAG, FUNCTION, integer, NAME, required, type Kinds } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { isLater, promised } from "../domain/promised.js";
import { apart } from "../domain/validation.js";
import { DmaBufError, errnoOf, textOf, type ErrorCode } from "../errors.js";
import { Fence } from "../fence/fence.js";
import { TIME_LIMIT } from "../fence/timeline.js";
import { UserFence } from "../fence/user-fence.js";
import type { AbortSignalLike } from "../host/abort.js";
import { EXECUTOR, ownSlots, type Executor } from "./executor.js";
import { makeJob, type Job, type JobResult } from "./job.js";
import { PRIORITIES, type JobLine, type LineOwner } from "./job-line.js";
import type { Dependency, PendingJob } from "./pending-job.js";
import { lineOf, makeQueue, type Queue, type QueueOptions } from "./queue.js";
import type { Slots, SlotWish } from "./slots.js";
import { POINT, traces } from "../domain/tracing.js";
import { traceFence } from "../fence/fence-trace.js";

/**
 * Runs the jobs of some queues on one executor.
 *
 * scheduler.1. A job waits for accesses that are in progress, and for work that is overdue, before its fence exists,
 *      and holding nothing; never after.
 * scheduler.2. A job's fence is added to all its buffers at once, under all their locks and behind a hold on each:
 *      an agent that looks sees it on all of them or on none, and one that takes a hold later sees it.
 * scheduler.3. Making the fence is the point of no return: what can fail has been done, and the fence will signal.
 * scheduler.4. The jobs of a queue are given to the executor in the order of their numbers, and their finished fences
 *      signal in it.
 * scheduler.5. A job is given to the executor when all it depends on has signaled, failed or not, and its credits are
 *      free. Of several queues, the highest priority goes first, and then the oldest job. None overtakes one that only
 *      lacks credits.
 * scheduler.6. A job that makes no progress is ended: the oldest that runs is handed over when the time limit passes.
 *      Its fence then fails, its signal aborts, and the executor counts as reset: what the job still does to its
 *      buffers is a mistake of its own.
 * scheduler.7. Jobs run from the event loop: never inside the call that submits them, and never in a fence's callback.
 * scheduler.8. If a time limit has ended what a job depends on, and the agent whose work that is may still be at it
 *      when the job's turn comes, the job fails with `ETIMEDOUT` and never runs: its fence must not wait without bound.
 * scheduler.9. When hang recovery ends a queue that still runs a job, the job's end says that its work has finished;
 *      then others get its buffers.
 * scheduler.10. With `pipeline`, a job follows another of its scheduler as soon as the executor has that one, unless
 *       that one has failed or was dropped, or the job itself is never to run: then it waits until the other's finished
 *       fence signals.
 *
 * @see linux/drivers/gpu/drm/scheduler/sched_main.c
 */

/**
 * What became of a job whose time was over: `"reset"`, the executor can go on, and the job has failed with `ETIMEDOUT`;
 * `"no-hang"`, it was a false alarm, and the job gets as much time again; `"lost"`, the executor can do nothing any more.
 */
export type Verdict = "reset" | "no-hang" | "lost";

/** How a scheduler, or a queue with one of its own, runs its jobs. */
export interface SchedulerOptions<Data> {
  /** Jobs end in bounded time. True: see {@link LongRunningSchedulerOptions}. */
  readonly longRunning?: false;
  /** For people; at most 31 bytes of UTF-8. Default "queue". */
  readonly name?: string;
  /**
   * Does the work of one job. It has finished when this returns, when the promise that it returns settles, or when the
   * fence signals that it returns or promises. It fails with what this throws or rejects with, or with the fence's error; with
   * `EINVAL` for a user fence, which may never end.
   *
   * @param signal Aborts when the job is to stop.
   */
  readonly run: (job: Job<Data>, signal: AbortSignalLike) => JobResult;
  /** How much may run at once, in the credits of the jobs. Default 1: one job after the other. */
  readonly credits?: number;
  /**
   * Whether the executor itself works in the order in which it is given jobs, as the ring of a device does. A job then needs
   * not wait until those of this scheduler have finished that it depends on: it is enough that the executor has them,
   * and that they have not failed. Default false.
   */
  readonly pipeline?: boolean;
  /** What the jobs run on, if others run there too. Default: nothing else. */
  readonly executor?: Executor;
  /** Milliseconds for which the oldest running job may make no progress. Default 10,000. */
  readonly timeLimit?: number;
  /** Asked what became of a job whose time is over. Default: `"reset"`. */
  readonly onTimeout?: (job: Job<Data>) => Verdict;
  /**
   * Whether `run` is a signalling section, which a validated domain looks at: see `Domain.beginSignalling()`. Default false.
   */
  readonly signalling?: boolean;
}

const OPTIONS: Kinds<SchedulerOptions<never>> = {
  longRunning: FLAG,
  name: NAME,
  run: required(FUNCTION),
  credits: integer(1),
  pipeline: FLAG,
  executor: EXECUTOR,
  timeLimit: TIME_LIMIT,
  onTimeout: FUNCTION,
  signalling: FLAG,
};

const DEFAULT_TIME_LIMIT = 10_000;
/** After so many microtasks it is known that a promise was settled already when it was made another's. */
const TURNS_OF_A_PROMISE = 3;
/**
 * A queue whose own thread hangs is ended by any agent that waits for it, after so many time limits without a finished job. It is
 * not 1: the job may first have to wait for what others do in their own time.
 */
const STALL_FACTOR = 6;
const LONGEST_LIMIT = 0x7fff_ffff;

export let makeScheduler: <Data>(agent: Agent, options: SchedulerOptions<Data>) => Scheduler<Data>;

/** A job that the executor has. */
interface Running<Data> {
  readonly line: JobLine<Data>;
  readonly job: PendingJob<Data>;
  /** The job as the executor knows it. */
  readonly face: Job<Data>;
  /** Tells other agents no longer that it runs. */
  forget?: (() => void) | undefined;
}

/**
 * Runs the jobs of some queues on one executor.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using scheduler = domain.createScheduler<string>({ run: (job) => console.log(job.data), credits: 2 });
 * const urgent = scheduler.createQueue({ priority: "high" });
 * const finished = await urgent.submit({ data: "first" });
 * await finished.wait();
 * ```
 */
export class Scheduler<Data = undefined> implements Disposable {
  /** The scheduler's name, and that of queues without one. */
  readonly name: string;
  readonly #agent: Agent;
  readonly #run: SchedulerOptions<Data>["run"];
  readonly #pipeline: boolean;
  readonly #slots: Slots | undefined;
  readonly #wish: SlotWish;
  readonly #timeLimit: number;
  readonly #onTimeout: (job: Job<Data>) => Verdict;
  readonly #isSignalling: boolean;
  readonly #owner: LineOwner<Data>;
  readonly #lines = new Set<JobLine<Data>>();
  /** The oldest first. */
  readonly #running = new Set<Running<Data>>();
  #free: number;
  #orders = 0;
  #pending = 0;
  #release: (() => void) | undefined;
  #isAwake = false;
  #cancelTimer: (() => void) | undefined;
  #refusal: ErrorCode | undefined;

  private constructor(agent: Agent, options: SchedulerOptions<Data>) {
    checkOptions("Domain.createScheduler()", options, OPTIONS);
    const { name = "queue", run, credits = 1, pipeline = false, timeLimit = DEFAULT_TIME_LIMIT } = options;
    this.name = name;
    this.#agent = agent;
    this.#run = run;
    this.#pipeline = pipeline;
    this.#slots = options.executor && ownSlots("Domain.createScheduler()", options.executor, agent);
    this.#wish = { name, wake: () => this.#wake() };
    this.#timeLimit = timeLimit;
    this.#onTimeout = options.onTimeout ?? (() => "reset");
    this.#isSignalling = options.signalling ?? false;
    this.#free = credits;
    this.#owner = this.#asOwner(credits);
  }

  static {
    makeScheduler = (agent, options) => new Scheduler(agent, options);
  }

  /**
   * Another queue of jobs for this scheduler's executor.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if the domain has no timeline left; `ENODEV` if the executor is gone; `ECANCELED` if the
   *   scheduler was closed.
   */
  createQueue(options: QueueOptions = {}): Queue<Data> {
    if (this.#refusal !== undefined) {
      throw new DmaBufError(this.#refusal, `Cannot make a queue: scheduler "${this.name}" has stopped`);
    }
    const queue = makeQueue(this.#owner, options);
    this.#lines.add(lineOf(queue));
    return queue;
  }

  /** The jobs that the executor has, the oldest first. */
  get running(): readonly Job<Data>[] {
    return [...this.#running].map(({ face }) => face);
  }

  /** Closes all queues, and stops what runs: it fails with `ECANCELED`. */
  close(): void {
    this.#refusal ??= "ECANCELED";
    for (const line of [...this.#lines]) line.close();
    this.#stopRunning("ECANCELED", "its scheduler was closed");
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #asOwner(credits: number): LineOwner<Data> {
    const refusal = (): ErrorCode | undefined => this.#refusal;
    return {
      agent: this.#agent,
      name: this.name,
      credits,
      slots: this.#slots,
      stallLimit: Math.min(this.#timeLimit * STALL_FACTOR, LONGEST_LIMIT),
      get refusal() {
        return refusal();
      },
      nextOrder: () => this.#orders++,
      resolve: (fences, line) => fences.flatMap((fence) => this.#resolve(fence, line)),
      entered: () => this.#entered(),
      left: () => this.#left(),
      wake: () => this.#wake(),
      remove: (line) => this.#lines.delete(line),
    };
  }

  #resolve(fence: Fence, line: JobLine<Data>): Dependency[] {
    const other = [...this.#lines].find(({ context }) => context === fence.context);
    const job = other?.jobAt(fence.seqno);
    if (job === undefined) return [fence];
    if (!this.#pipeline) return [job.finished];
    return other === line ? [] : [job];
  }

  /** Work that is under way keeps the process alive, and ends when the agent leaves. */
  #entered(): void {
    this.#slots?.fenceMade();
    if (this.#pending++ > 0) return;
    const end = this.#agent.host.keepAlive();
    const forget = this.#agent.gone.onEnd(() => this.#abandon());
    this.#release = () => {
      end();
      forget();
    };
  }

  #left(): void {
    this.#slots?.fenceSignaled();
    if (--this.#pending === 0) this.#release?.();
  }

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    void Promise.resolve().then(() => {
      this.#isAwake = false;
      apart(this.#agent, () => this.#serve());
    });
  }

  #serve(): void {
    const look = (): void => this.#wake();
    for (const line of [...this.#lines]) {
      while (line.isKilled && line.ready(look) !== undefined) line.drop("ESRCH");
    }
    for (let next = this.#next(look); next !== undefined && next.job.credits <= this.#free; next = this.#next(look)) {
      const { line, job } = next;
      if (job.dependsOnOverdue) {
        line.drop("ETIMEDOUT");
      } else if (this.#slots?.tryTake(this.#wish) === false) {
        return;
      } else {
        line.shift();
        apart(this.#agent, () => this.#start({ line, job, face: makeJob(job) }));
      }
    }
    this.#slots?.unwish(this.#wish);
  }

  #next(look: () => void): Omit<Running<Data>, "face"> | undefined {
    const ready: Omit<Running<Data>, "face">[] = [];
    for (const line of [...this.#lines]) {
      const job = line.isKilled ? undefined : line.ready(look);
      if (job !== undefined) ready.push({ line, job });
    }
    return ready.sort((a, b) => rank(a.line) - rank(b.line) || a.job.order - b.job.order)[0];
  }

  #start(running: Running<Data>): void {
    const { job, face } = running;
    this.#free -= job.credits;
    this.#running.add(running);
    if (traces(this.#agent, POINT["queue:run"])) traceFence(this.#agent, POINT["queue:run"], job.finished);
    if (this.#running.size === 1) this.#restartTimer();
    let work: unknown;
    try {
      work = promised(this.#runJob(face, job.signal));
    } catch (error) {
      job.scheduled.signal();
      this.#fail(running, error);
      return;
    }
    if (isLater(work) || work instanceof Fence) running.forget = this.#agent.activities?.lasts(running.job);
    if (isLater(work)) return void this.#await(running, work);
    job.scheduled.signal();
    this.#goOn(running, work);
  }

  #runJob(face: Job<Data>, signal: AbortSignalLike): unknown {
    const { validation } = this.#agent;
    if (validation === undefined) return this.#run(face, signal);
    return validation.runsJob(face.finished, this.#isSignalling, () => this.#run(face, signal));
  }

  async #await(running: Running<Data>, work: Promise<unknown>): Promise<void> {
    work.then(
      (result) => this.#goOn(running, result),
      (error: unknown) => this.#fail(running, error),
    );
    // Before another job may follow it in the pipeline (scheduler.10), a promise that was rejected from the start has
    // said so.
    for (let turn = 0; turn < TURNS_OF_A_PROMISE; turn++) await Promise.resolve();
    running.job.scheduled.signal();
  }

  /** @param work What `run` gave, or promised. */
  #goOn(running: Running<Data>, work: unknown): void {
    if (work instanceof Fence) return this.#follow(running, work);
    if (!(work instanceof UserFence)) return this.#finish(running, undefined);
    const { line, job } = running;
    this.#agent.host.warn(`Job ${job.finished.seqno} of queue "${line.name}" gave a user fence, which may never end`);
    this.#finish(running, "EINVAL");
  }

  #follow(running: Running<Data>, parent: Fence): void {
    const { line, job } = running;
    if (job.isOver) return;
    const finish = (): void => this.#finish(running, parent.error?.code);
    try {
      // The code of the fence's maker runs here.
      if (parent.addCallback(finish).queued) line.follow(job, parent);
      else finish();
    } catch (error) {
      this.#fail(running, error);
    }
  }

  /** What is no errno is a mistake of the program, whose text a fence could not carry. */
  #fail(running: Running<Data>, error: unknown): void {
    const { line, job } = running;
    const code = errnoOf(error);
    if (code === undefined && !job.isOver) {
      this.#agent.host.warn(`Job ${job.finished.seqno} of queue "${line.name}" threw: ${textOf(error)}`);
    }
    this.#finish(running, code ?? "EIO");
  }

  #finish(running: Running<Data>, error: ErrorCode | undefined): void {
    const { line, job } = running;
    if (!job.end(error)) return;
    running.forget?.();
    const wasOldest = running === this.#oldest;
    this.#running.delete(running);
    this.#free += job.credits;
    if (wasOldest) this.#restartTimer();
    line.settle();
    const hasNext = this.#slots !== undefined && this.#next(() => this.#wake()) !== undefined;
    this.#slots?.giveBack(hasNext ? this.#wish : undefined);
    this.#wake();
  }

  get #oldest(): Running<Data> | undefined {
    return this.#running.values().next().value;
  }

  #restartTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#running.size > 0) this.#cancelTimer = this.#agent.host.after(this.#timeLimit, () => this.#timeOut());
  }

  #timeOut(): void {
    const oldest = this.#oldest!;
    const { job } = oldest;
    const verdict = this.#judge(oldest.face);
    if (job.isOver || verdict === "no-hang") {
      this.#restartTimer();
      return;
    }
    job.abort(new DmaBufError("ETIMEDOUT", `The job has made no progress in ${this.#timeLimit} ms`));
    this.#finish(oldest, "ETIMEDOUT");
    if (verdict === "lost") this.#executorGone();
  }

  #judge(job: Job<Data>): Verdict {
    try {
      return this.#onTimeout(job);
    } catch (error) {
      this.#agent.host.warn(`The handler of a hang of queue "${this.name}" threw: ${textOf(error)}`);
      return "reset";
    }
  }

  #executorGone(): void {
    this.#refusal = "ENODEV";
    this.#stopRunning("ENODEV", "its executor is gone");
    for (const line of [...this.#lines]) line.fail("ENODEV");
  }

  #stopRunning(error: ErrorCode, why: string): void {
    for (const running of [...this.#running]) {
      running.job.abort(new DmaBufError(error, `The job is stopped: ${why}`));
      this.#finish(running, error);
    }
  }

  /** The agent leaves: its fences have ended. */
  #abandon(): void {
    this.#refusal = "ECANCELED";
    this.#cancelTimer?.();
    const stopped = [...this.#running];
    this.#running.clear();
    for (const line of [...this.#lines]) line.abandon();
    for (const { job } of stopped) {
      job.abort(new DmaBufError("ECANCELED", "The job is stopped: its thread leaves the domain"));
    }
    this.#lines.clear();
    this.#release?.();
  }
}

function rank<Data>({ priority }: JobLine<Data>): number {
  return PRIORITIES.indexOf(priority);
}
