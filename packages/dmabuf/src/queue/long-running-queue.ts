import { check, checkList, checkOptions, NAME, OBJECT, type Kind, type Kinds } from "../arguments.js";
import { DMA_BUF, type DmaBuf } from "../buffer/buffer.js";
import { checkOwn } from "../domain/agent.js";
import { DmaBufError, ERRNO, errnoOf, textOf, type ErrorCode } from "../errors.js";
import { Fence, fenceAgent } from "../fence/fence.js";
import { UserFence, userBackingOf } from "../fence/user-fence.js";
import type { AbortSignalLike } from "../host/abort.js";
import { LongRunning, type LongRunningOwner } from "./long-running.js";
import { makeLongRunningJob, type LongRunningJob } from "./long-running-job.js";
import { Submission, type Obeyed } from "./submission.js";
import { allocateContexts } from "../domain/timeline-slot.js";
import { POINT, trace, traces } from "../domain/tracing.js";

/** How a queue of a {@link LongRunningScheduler} is made. */
export interface LongRunningQueueOptions {
  /** For people; at most 31 bytes of UTF-8. Default: the scheduler's. */
  readonly name?: string;
}

const OPTIONS: Kinds<LongRunningQueueOptions> = { name: NAME };

/** What a long-running job is to do. */
export type LongRunningRequest<Data = undefined> = LongRunningNeeds &
  (undefined extends Data
    ? {
        /** What `run` gets with the job. */
        readonly data?: Data;
      }
    : {
        /** What `run` gets with the job. */
        readonly data: Data;
      });

/** What a long-running job needs. */
export interface LongRunningNeeds {
  /** The buffers that the job uses, as far as their holders may: it writes those that it does not only read. */
  readonly buffers?: Iterable<DmaBuf>;
  /** What the job waits for before it runs, for as long as that takes. */
  readonly waits?: Iterable<Fence | UserFence>;
}

const WAITED: Kind = {
  wanted: "a Fence or a UserFence",
  isKind: (value) => value instanceof Fence || value instanceof UserFence,
};

/** What a queue needs of its scheduler. */
export interface LongRunningQueueOwner<Data> extends Omit<LongRunningOwner, "name"> {
  readonly run: (job: LongRunningJob<Data>, signal: AbortSignalLike) => unknown;
  createEnd(name: string): UserFence;
  /** The queue is closed, and its last job has ended. */
  remove(queue: LongRunningQueue<Data>): void;
}

export let makeLongRunningQueue: <Data>(
  owner: LongRunningQueueOwner<Data>,
  options: LongRunningQueueOptions,
) => LongRunningQueue<Data>;

/** A job, and what there is to do when it has ended. */
interface Queued<Data> {
  readonly job: LongRunning<Data>;
  readonly number: number;
  readonly ended: () => void;
}

/**
 * A queue of jobs without a time limit, which run one after the other. The end of a job is a user fence, which no other work
 * obeys implicitly; who needs a job's buffer asks for it: see {@link LongRunningJob}.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using queue = domain.createQueue<number>({
 *   longRunning: true,
 *   run(job) {
 *     for (const buffer of job.buffers) job.access(buffer).bytes.fill(job.data);
 *   },
 * });
 * using buffer = domain.allocate(4096);
 * using finished = queue.submit({ buffers: [buffer], data: 7 });
 * await finished.wait();
 * using access = await buffer.access("read", { evict: true });
 * console.log(access.bytes[0]); // 7
 * ```
 */
export class LongRunningQueue<Data = undefined> implements Disposable {
  /** The queue's name. */
  readonly name: string;
  readonly #owner: LongRunningQueueOwner<Data>;
  /** The first one runs. */
  readonly #queued: Queued<Data>[] = [];
  #error: ErrorCode | undefined;
  #refusal: ErrorCode | undefined;
  #letGo: (() => void) | undefined;
  /** In what is traced, its jobs are numbers of a context of their own. */
  #context: number | undefined;
  #submitted = 0;

  private constructor(owner: LongRunningQueueOwner<Data>, name: string) {
    this.name = name;
    this.#owner = owner;
  }

  static {
    makeLongRunningQueue = (owner, options) => {
      checkOptions("LongRunningScheduler.createQueue()", options, OPTIONS);
      return new LongRunningQueue(owner, options.name ?? owner.driverName);
    };
  }

  /** How many jobs have not ended. */
  get length(): number {
    return this.#queued.length;
  }

  /** What the last job that has ended has failed with. */
  get error(): ErrorCode | undefined {
    return this.#error;
  }

  /**
   * Submits a job. It runs later, from the event loop: when those before it have ended, and what it waits for has signaled.
   *
   * @returns A user fence that signals when the job has ended, or never will run. It is the caller's, to be closed.
   * @throws {TypeError} For what is of another agent.
   * @throws {DmaBufError} `EBADF` for a closed buffer or user fence, or if this thread has left the domain; `ENOSPC` if all user
   *   fences are in use; `ESRCH` if the queue was killed, `ECANCELED` if it was closed.
   */
  submit(request: LongRunningRequest<Data>): UserFence {
    const call = "LongRunningQueue.submit()";
    check(call, "request", request, OBJECT);
    const { agent } = this.#owner;
    const { buffers: named = [], waits: waited = [], data }: LongRunningNeeds & { readonly data?: Data } = request;
    const buffers = checkList(call, "request.buffers", named, DMA_BUF);
    const waits = checkList<Fence | UserFence>(call, "request.waits", waited, WAITED);
    for (const fence of waits) checkOwn(call, "request.waits", agentOf(fence), agent);
    this.#checkOpen();
    const end = this.#owner.createEnd(this.name);
    try {
      this.#add(data as Data, buffers, waits, end);
    } catch (error) {
      end.close();
      throw error;
    }
    return end;
  }

  /** Gives up the jobs that have not begun: their user fences signal. Later submissions fail with `ESRCH`. */
  kill(): void {
    this.#refusal ??= "ESRCH";
    this.#stop("ESRCH", this.#queued.slice(1));
  }

  /** Kills the queue, and stops the job that runs: it fails with `ECANCELED`. Twice does nothing. */
  close(): void {
    this.#refusal ??= "ECANCELED";
    this.#stop("ECANCELED", this.#queued);
    this.#letGo?.();
    if (this.#queued.length === 0) this.#owner.remove(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #add(data: Data, buffers: readonly DmaBuf[], waits: (Fence | UserFence)[], end: UserFence): void {
    const { agent } = this.#owner;
    const needs = {
      writes: buffers.filter(({ mode }) => mode === "read-write"),
      reads: buffers.filter(({ mode }) => mode === "read"),
      data,
    };
    // Others' implicit fences and all bookkeeping, but no long-running work: that is asked for nothing (long-running.4).
    const obeyed: Obeyed = { usage: () => "bookkeep", onDemand: false };
    const submission = new Submission<Data>("LongRunningQueue.submit()", agent, needs, 1, obeyed);
    const own = waits.map((fence) => (fence instanceof UserFence ? fence.duplicate() : fence));
    const mine = end.duplicate();
    const ended = (): void => {
      for (const fence of own) if (fence instanceof UserFence) fence.close();
      if (!agent.closed) mine.signal();
      mine.close();
    };
    const number = ++this.#submitted;
    this.#queued.push({ job: new LongRunning({ ...this.#owner, name: this.name }, submission, own), number, ended });
    this.#trace(POINT["queue:push"], number);
    if (this.#queued.length === 1) void this.#serve();
  }

  async #serve(): Promise<void> {
    const end = this.#owner.agent.host.keepAlive();
    const forget = this.#owner.agent.gone.onEnd(() => this.close());
    this.#letGo = () => {
      end();
      forget();
    };
    // Never inside the call that submits.
    await Promise.resolve();
    for (let next = this.#queued[0]; next !== undefined; next = this.#queued[0]) {
      const { job, number, ended } = next;
      this.#error = undefined;
      try {
        await job.run(() => {
          this.#trace(POINT["queue:run"], number);
          return this.#owner.run(makeLongRunningJob(job), job.signal);
        });
      } catch (error) {
        this.#failed(error);
      }
      this.#queued.shift();
      this.#trace(POINT["queue:done"], number);
      ended();
    }
    this.#letGo();
    if (this.#refusal !== undefined) this.#owner.remove(this);
  }

  #trace(point: number, number: number): void {
    const { agent } = this.#owner;
    if (agent.closed || !traces(agent, point)) return;
    this.#context ??= allocateContexts(agent, 1);
    const errno = point === POINT["queue:done"] && this.#error !== undefined ? ERRNO[this.#error] : 0;
    trace(agent, point, this.#context, number, errno, this.name);
  }

  /** What is no errno is a mistake of the program. */
  #failed(error: unknown): void {
    const code = errnoOf(error);
    if (code === undefined) this.#owner.agent.host.warn(`A job of queue "${this.name}" threw: ${textOf(error)}`);
    this.#error = code ?? "EIO";
  }

  #stop(code: ErrorCode, queued: readonly Queued<Data>[]): void {
    const why = code === "ESRCH" ? "was killed" : "was closed";
    for (const { job } of queued) job.stop(new DmaBufError(code, `The job is stopped: queue "${this.name}" ${why}`));
  }

  #checkOpen(): void {
    this.#owner.agent.checkJoined();
    if (this.#refusal === undefined) return;
    const why = this.#refusal === "ESRCH" ? "it was killed" : "it is closed";
    throw new DmaBufError(this.#refusal, `Cannot submit to queue "${this.name}": ${why}`);
  }
}

function agentOf(fence: Fence | UserFence): LongRunningOwner["agent"] {
  return fence instanceof Fence ? fenceAgent(fence) : userBackingOf(fence).agent;
}
