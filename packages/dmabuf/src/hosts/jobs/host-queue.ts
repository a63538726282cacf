import {
  checkList,
  checkObject,
  instance,
  integer,
  type Kinds,
  milliseconds,
  required,
  type Kind,
} from "../../arguments.js";
import { DMA_BUF, type DmaBuf } from "../../buffer/buffer.js";
import type { WaitOptions } from "../../domain/wait.js";
import { codeOf, DmaBufError } from "../../errors.js";
import type { Fence } from "../../fence/fence.js";
import type { AbortSignalLike } from "../../host/abort.js";
import type { ProcessDomain } from "../../node/process-domain.js";
import type { Job } from "../../queue/job.js";
import type { Queue } from "../../queue/queue.js";
import type { JobNeeds } from "../../queue/submission.js";
import type { JsonValue } from "../../stream/metadata.js";

/** A queue of jobs for workers on other hosts. */
export interface HostQueueOptions {
  /** Which workers get the jobs: those of `hosts.work()` with that name. Letters, digits, `-` and `_`, at most 31. */
  readonly name: string;
  /** Milliseconds that a job may take from when its buffers are ready, until its fence fails with `ETIMEDOUT`. Default 30,000. */
  readonly limit?: number;
  /** How many jobs may be with workers at once; the next ones wait here. Default 256. */
  readonly inFlight?: number;
  /**
   * On how many NATS servers of a cluster each job is kept: 1, 3 or 5. With 1, the default, jobs are lost with their server. Where
   * the queue is there already, the larger number counts.
   */
  readonly replicas?: number;
  /**
   * Milliseconds of silence after which a worker has lost its job, and another one gets it. Default 2,000. Where the queue is there
   * already, its own counts.
   */
  readonly workerLimit?: number;
}

/** What a job for another host is to do. */
export interface HostJobRequest extends JobNeeds {
  /** What the worker gets with it: what JSON can carry, at most 64 KiB together with the list of the buffers. Default `null`. */
  readonly data?: JsonValue;
  /** Cancels the job, also while a worker has it: its fence fails with the reason, or with `ECANCELED`. */
  readonly signal?: AbortSignal;
}

export const QUEUE_NAME: Kind = {
  wanted: 'a name of letters, digits, "-" and "_", at most 31',
  isKind: (value) => typeof value === "string",
  isTaken: (name: string) => /^[\w-]{1,31}$/.test(name),
  code: "EINVAL",
};

const LONGEST = 24 * 60 * 60 * 1_000;
export const WORKER_LIMIT: Kind = milliseconds(500, 600_000);

export const HOST_QUEUE: Kinds<HostQueueOptions> = {
  name: required(QUEUE_NAME),
  limit: milliseconds(1, LONGEST),
  inFlight: integer(1, 10_000),
  replicas: integer(1, 5),
  workerLimit: WORKER_LIMIT,
};

const REQUEST: Kinds<Pick<HostJobRequest, "signal">> = { signal: instance(AbortSignal) };

/** What the queue's own jobs have: the buffers as they were named, one for each. */
export interface HostWork {
  readonly reads: readonly DmaBuf[];
  readonly writes: readonly DmaBuf[];
  /** Their inodes: who has submitted them may have closed them. */
  readonly numbers: ReadonlyMap<DmaBuf, number>;
  /** The writes that are also read. */
  readonly alsoRead: ReadonlySet<DmaBuf>;
  readonly data: JsonValue;
  readonly signal: AbortSignal | undefined;
}

/** The queue's limit is the job's own; the library's comes after it, if that should fail. */
const GRACE = 10_000;

export let makeHostQueue: (
  domain: ProcessDomain,
  options: HostQueueOptions,
  run: (job: Job<HostWork>, signal: AbortSignalLike, limit: number) => Promise<void>,
) => HostQueue;

/**
 * A queue whose jobs are run by workers of other hosts, or of this one: see {@link Hosts.work}.
 *
 * A job runs at least once: if a worker is lost, another one gets it. Its result is there once, as a whole. The jobs of one queue
 * run on several workers in any order; their fences signal in the order of the queue.
 *
 * @example
 * ```ts device
 * import { Hosts } from "dmabuf/hosts";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * await using hosts = await Hosts.join(domain, { bind: "127.0.0.1", servers: ["nats://127.0.0.1:4222"] });
 * await using queue = hosts.createQueue({ name: "thumbnails" });
 * using picture = domain.allocate(4096);
 * using small = domain.allocate(4096);
 * const finished = await queue.submit({ reads: [picture], writes: [small], data: { width: 64 } });
 * await finished.result();
 * ```
 */
export class HostQueue implements AsyncDisposable {
  static {
    makeHostQueue = (domain, options, run) => new HostQueue(domain, options, run);
  }

  /** Which workers get the jobs. */
  readonly name: string;
  readonly #queue: Queue<HostWork>;
  readonly #running = new Set<Promise<void>>();
  readonly #end = new AbortController();

  private constructor(
    domain: ProcessDomain,
    { name, limit = 30_000, inFlight = 256 }: HostQueueOptions,
    run: (job: Job<HostWork>, signal: AbortSignalLike, limit: number) => Promise<void>,
  ) {
    this.name = name;
    this.#queue = domain.createQueue<HostWork>({
      name,
      credits: inFlight,
      timeLimit: limit + GRACE,
      run: (job, signal) => {
        const running = run(job, AbortSignal.any([signal, this.#end.signal]), limit);
        this.#running.add(running);
        const done = (): void => void this.#running.delete(running);
        running.then(done, done);
        return running;
      },
    });
  }

  /** How many jobs wait here, and are not with the workers yet. */
  get length(): number {
    return this.#queue.length;
  }

  /**
   * Submits a job: a worker gets it when the fences of its buffers, and those that it depends on, have signaled.
   *
   * The worker has the bytes of `reads` as they are then. What `writes` has comes back from it: there a buffer begins with zeros,
   * but for one that is also in `reads`. If the job fails, what is in `writes` is not defined.
   *
   * @param options For the waits of the submission itself: see `Queue.submit()`.
   * @returns The job's fence, of this host. It fails with the error of the work; with `ETIMEDOUT` after the queue's limit; with
   *   `ESRCH` if three workers were lost with it; with `ENOSPC` if the queue's server takes no more; with `ENOENT` if the client of
   *   JetStream is not installed.
   * @throws {DmaBufError} As `Queue.submit()`; `EMSGSIZE` if the job is too large for a message.
   */
  async submit(request: HostJobRequest, options: WaitOptions = {}): Promise<Fence> {
    checkObject<Pick<HostJobRequest, "signal">>("HostQueue.submit()", "request", request, REQUEST);
    const { reads = [], writes = [], data = null, signal, ...needs } = request;
    const written = byNumber(checkList("HostQueue.submit()", "request.writes", writes, DMA_BUF));
    const read = byNumber(checkList("HostQueue.submit()", "request.reads", reads, DMA_BUF));
    const alsoRead = new Set([...written].filter(([number]) => read.has(number)).map(([, buffer]) => buffer));
    for (const number of written.keys()) read.delete(number);
    const numbers = new Map([...written, ...read].map(([number, buffer]) => [buffer, number]));
    const lists = { reads: [...read.values()], writes: [...written.values()] };
    const work: HostWork = { ...lists, numbers, alsoRead, data, signal };
    return this.#queue.submit({ ...needs, ...lists, data: work }, options);
  }

  /** Cancels all jobs that have not finished: their fences fail with `ECANCELED`, and their workers are told. */
  async close(): Promise<void> {
    this.#end.abort(new DmaBufError("ECANCELED", `Queue "${this.name}" was closed`));
    this.#queue.close();
    await Promise.allSettled(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Each buffer once. */
function byNumber(buffers: Iterable<DmaBuf>): Map<number, DmaBuf> {
  return new Map(
    [...buffers]
      .reverse()
      .map((buffer) => [buffer.inode, buffer] as const)
      .reverse(),
  );
}

/** The error of what was cancelled. */
export function cancelled(reason: unknown): DmaBufError {
  if (reason instanceof DmaBufError) return reason;
  const code = codeOf(reason);
  return new DmaBufError(code === "EIO" ? "ECANCELED" : code, "The job was cancelled", { cause: reason });
}
