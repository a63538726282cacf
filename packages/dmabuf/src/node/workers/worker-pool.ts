import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { check, checkOptions, integer, NAME, oneOf, type Kind, type Kinds } from "../../arguments.js";
import type { BufferHandle } from "../../buffer/handle.js";
import { agentOf } from "../../domain-base.js";
import { DmaBufError } from "../../errors.js";
import { TIME_LIMIT } from "../../fence/timeline.js";
import type { Job } from "../../queue/job.js";
import type { Queue, QueueOptions } from "../../queue/queue.js";
import type { Scheduler } from "../../queue/scheduler.js";
import type { AccessMode } from "../../reservation/usage.js";
import { Domain } from "../../threads.js";
import { PROGRAM_FILE } from "../joining/program-file.js";
import { ProcessDomain } from "../process-domain.js";
import { PoolWorker, START_LIMIT, type WorkerSettings } from "./pool-worker.js";

/** How a pool of workers runs jobs. */
export interface WorkerPoolOptions {
  /** For people, and the workers' name in the domain; at most 31 bytes of UTF-8. Default "pool". */
  readonly name?: string;
  /** How many workers there are at most, and so how many jobs run at once. Default: one for each processor. */
  readonly size?: number;
  /** Worker threads of this process, or processes of their own. Default "threads". */
  readonly kind?: "threads" | "processes";
  /** Milliseconds that a job may take. Default 10,000. */
  readonly timeLimit?: number;
}

const OPTIONS: Kinds<WorkerPoolOptions> = {
  name: NAME,
  size: integer(1, 1_022),
  kind: oneOf(["threads", "processes"]),
  timeLimit: TIME_LIMIT,
};

const DOMAIN: Kind = {
  wanted: "a domain of dmabuf or of dmabuf/node",
  isKind: (value) => value instanceof Domain || value instanceof ProcessDomain,
};
const THREADS: Kind = { ...oneOf(["threads"]), wanted: '"threads" in a domain of threads' };

const DEFAULT_TIME_LIMIT = 10_000;
const LONGEST_LIMIT = 0x7fff_ffff;

/**
 * Runs the jobs of some queues in worker threads or processes, with the jobs' buffers mapped there. A module has the function
 * that runs a job as its default export; what it returns or throws ends the job, as with the option `run` of a queue.
 *
 * A worker that dies, or in which a job takes too long, is replaced: that job's fence fails, with `ESRCH` or `ETIMEDOUT`, when
 * the worker has really ended, and the next job runs. Workers are started when they are needed, and do not keep the
 * process alive when they have nothing to do. For half a second after a job a worker holds its buffers for the next one.
 *
 * @example
 * ```ts
 * // The module jobs.js: export default (job) => job.writes.forEach((buffer) => job.access(buffer).bytes.fill(job.data));
 * import { ProcessDomain, WorkerPool } from "dmabuf/node";
 *
 * const jobs = new URL("data:text/javascript,export default (job) => job.writes.forEach((b) => job.access(b).bytes.fill(job.data))");
 * using domain = ProcessDomain.create();
 * using pool = WorkerPool.create<number>(domain, jobs, { size: 2, timeLimit: 1000 });
 * using queue = pool.createQueue();
 * using buffer = domain.allocate(4096);
 * const finished = await queue.submit({ writes: [buffer], data: 7 });
 * await finished.result();
 * ```
 */
export class WorkerPool<Data = undefined> implements Disposable {
  /** The pool's name, and that of queues without one. */
  readonly name: string;
  readonly #settings: WorkerSettings;
  readonly #scheduler: Scheduler<Data>;
  readonly #queues = new Set<Queue<Data>>();
  readonly #workers = new Set<PoolWorker>();
  /** Those that have no job. */
  readonly #idle: PoolWorker[] = [];
  readonly #forgetLeaving: () => void;
  #isClosed = false;

  private constructor(domain: Domain | ProcessDomain, module: string, options: WorkerPoolOptions) {
    const { name = "pool", kind = "threads", size = availableParallelism(), timeLimit = DEFAULT_TIME_LIMIT } = options;
    const { host, gone } = agentOf(domain);
    this.name = name;
    this.#settings = { domain, module, name, kind, timeLimit, host, ended: (worker) => this.#ended(worker) };
    this.#scheduler = domain.createScheduler<Data>({
      name,
      credits: size,
      run: (job) => this.#run(job),
      // The workers have the limits (pool-worker.1): this one tells others that this thread hangs.
      timeLimit: Math.min(START_LIMIT + timeLimit, LONGEST_LIMIT),
      onTimeout: () => "no-hang",
    });
    this.#forgetLeaving = gone.onEnd(() => this.#endWorkers("its thread leaves the domain"));
  }

  /**
   * Makes a pool, and starts no worker yet.
   *
   * @param domain Each of the workers joins it.
   * @param module The path or URL of the module whose default export runs a job: `(job: Job<Data>) => unknown`.
   * @throws {TypeError | RangeError} Naming the argument that is wrong; a domain of threads has no processes.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  static create<Data = undefined>(
    domain: Domain | ProcessDomain,
    module: string | URL,
    options: WorkerPoolOptions = {},
  ): WorkerPool<Data> {
    check("WorkerPool.create()", "domain", domain, DOMAIN);
    check("WorkerPool.create()", "module", module, PROGRAM_FILE);
    checkOptions("WorkerPool.create()", options, OPTIONS);
    if (domain instanceof Domain && options.kind !== undefined) {
      check("WorkerPool.create()", 'option "kind"', options.kind, THREADS);
    }
    return new WorkerPool<Data>(domain, typeof module === "string" ? pathToFileURL(module).href : module.href, options);
  }

  /**
   * A queue of jobs for the pool's workers. Its jobs are begun in the order in which they were submitted; as many as there are
   * workers run at once.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if the domain has no timeline left; `ECANCELED` if the pool was closed.
   */
  createQueue(options: QueueOptions = {}): Queue<Data> {
    if (this.#isClosed) throw new DmaBufError("ECANCELED", `Cannot make a queue: pool "${this.name}" was closed`);
    const queue = this.#scheduler.createQueue(options);
    this.#queues.add(queue);
    return queue;
  }

  /**
   * Closes the pool's queues and ends its workers. What these run fails with `ECANCELED` when they have ended, and jobs that
   * wait never run.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forgetLeaving();
    for (const queue of this.#queues) queue.close();
    this.#endWorkers("its pool was closed");
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #run(job: Job<Data>): Promise<void> {
    const buffers: { readonly mode: AccessMode; readonly handle: BufferHandle }[] = [];
    let worker: PoolWorker | undefined;
    try {
      for (const holder of job.reads) buffers.push({ mode: "read", handle: holder.handle() });
      for (const holder of job.writes) buffers.push({ mode: "write", handle: holder.handle() });
      const { data, credits } = job;
      const sent = { data, credits, buffers, finished: job.finished.handle() };
      do worker = this.#idle.pop() ?? this.#start();
      while (!(await worker.run(sent)));
    } finally {
      for (const { handle } of buffers) handle.close();
      if (worker?.isEnding === false) this.#idle.push(worker);
    }
  }

  #start(): PoolWorker {
    const worker = new PoolWorker(this.#settings);
    this.#workers.add(worker);
    return worker;
  }

  #ended(worker: PoolWorker): void {
    this.#workers.delete(worker);
    const place = this.#idle.indexOf(worker);
    if (place >= 0) this.#idle.splice(place, 1);
  }

  #endWorkers(why: string): void {
    for (const worker of this.#workers) worker.end(new DmaBufError("ECANCELED", `The job is stopped: ${why}`));
  }
}
