import { execArgv, pid } from "node:process";
import { Worker } from "node:worker_threads";
import { allOrNothing } from "../../all-or-nothing.js";
import { DmaBufError, textOf } from "../../errors.js";
import type { Host } from "../../host/host.js";
import type { Domain } from "../../threads.js";
import type { ProcessDomain } from "../process-domain.js";
import type { SentJob, WorkerReport, WorkerStart } from "./messages.js";

/**
 * A worker of a pool, as the pool knows it.
 *
 * pool-worker.1. A job that a worker has fails when the worker has ended, and not before: from then on nothing of it
 *     writes to the job's buffers. So it is with a job whose time is over, too: its worker is ended first.
 * pool-worker.2. The time limit of a job begins when its worker is ready for it. How long a worker may take to start
 *     has a limit of its own.
 * pool-worker.3. A job that a worker has not begun, since it died while it was idle, has not failed: it goes to another one.
 * pool-worker.4. A worker does not outlive the thread that has its pool, also if a job in it never comes back.
 */
export class PoolWorker {
  readonly #settings: WorkerSettings;
  readonly #channel: Channel;
  #job: { readonly settle: (isDone: boolean) => void; readonly reject: (error: Error) => void } | undefined;
  #hasBegun = false;
  #isReady = false;
  /** Why it was ended. */
  #why: DmaBufError | undefined;
  #cancelTimer: () => void;

  /** @throws {DmaBufError} If no worker can be started, or the domain is full. */
  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#cancelTimer = settings.host.after(START_LIMIT, () => this.#timeOut(`not been ready in ${START_LIMIT} ms`));
    const events = {
      heard: (report: WorkerReport) => this.#heard(report),
      ended: (how: string) => this.#ended(how),
    };
    this.#channel = settings.kind === "threads" ? startThread(settings, events) : startProcess(settings, events);
  }

  /**
   * Has it run a job. It rejects with a `DmaBufError`, or with what tells that the job cannot be sent.
   *
   * @returns False if it ended before it began.
   */
  run(job: SentJob): Promise<boolean> {
    return new Promise((settle, reject) => {
      this.#channel.send(job);
      this.#job = { settle, reject };
      this.#hasBegun = false;
      if (this.#isReady) this.#limitJob();
    });
  }

  /** Ends it, in whatever it is. @param why What its job fails with. */
  end(why: DmaBufError): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#channel.kill();
  }

  /** Whether it will run no more jobs. */
  get isEnding(): boolean {
    return this.#why !== undefined;
  }

  #limitJob(): void {
    const { host, timeLimit } = this.#settings;
    this.#cancelTimer = host.after(timeLimit, () => this.#timeOut(`not finished in ${timeLimit} ms`));
  }

  #timeOut(what: string): void {
    this.end(new DmaBufError("ETIMEDOUT", `The job's worker has ${what}, and was ended`));
  }

  #heard(report: WorkerReport): void {
    if (this.#why !== undefined) return;
    if (report.said === "begun") {
      this.#hasBegun = true;
      return;
    }
    this.#cancelTimer();
    if (report.said === "ready") {
      this.#isReady = true;
      if (this.#job !== undefined) this.#limitJob();
      return;
    }
    const failure = report.said === "failed" ? this.#failureOf(report) : undefined;
    if (!this.#isReady) return this.end(failure!);
    const job = this.#job;
    this.#job = undefined;
    if (failure === undefined) job?.settle(true);
    else job?.reject(failure);
  }

  /** What has no errno is a mistake of the program, whose text a fence could not carry. */
  #failureOf({ code, text }: WorkerReport & { readonly said: "failed" }): DmaBufError {
    if (code === undefined) this.#warn(text);
    return new DmaBufError(code ?? "EIO", `The job's worker says: ${text}`);
  }

  #ended(how: string): void {
    this.#cancelTimer();
    if (this.#why === undefined) {
      this.#warn(`it has ended ${how}`);
      if (this.#isReady && !this.#hasBegun) this.#job?.settle(false);
    }
    this.#why ??= new DmaBufError("ESRCH", `The job's worker has ended ${how}`);
    this.#settings.ended(this);
    this.#job?.reject(this.#why);
  }

  #warn(text: string): void {
    this.#settings.host.warn(`A worker of pool "${this.#settings.name}" failed: ${text}`);
  }
}

export interface WorkerSettings {
  readonly domain: Domain | ProcessDomain;
  readonly kind: "threads" | "processes";
  /** The address of the user's module. */
  readonly module: string;
  /** The pool's, and the worker's in the domain. */
  readonly name: string;
  /** Of a job, in milliseconds. */
  readonly timeLimit: number;
  readonly host: Host;
  /** The worker has ended. */
  ended(worker: PoolWorker): void;
}

/** Milliseconds: modules that are large, on a machine that is busy. */
export const START_LIMIT = 30_000;

/** A worker, as what it runs in. */
interface Channel {
  send(job: SentJob): void;
  kill(): void;
}

interface Events {
  readonly heard: (report: WorkerReport) => void;
  /** @param how "with status 1". */
  readonly ended: (how: string) => void;
}

const PROGRAM = new URL("worker-program.js", import.meta.url);

/** Options of Node.js that a program without a file has are not for one with a file. */
const WITHOUT_FILE = execArgv.some((option) => option.startsWith("--input-type"));
const EXEC_ARGV = WITHOUT_FILE ? { execArgv: [] } : {};

/** It does not keep the process alive: a queue with jobs does. */
function startThread({ domain, module, name }: WorkerSettings, events: Events): Channel {
  return allOrNothing((orUndo) => {
    const invitation = domain.invite({ name });
    orUndo(() => invitation.port.close());
    const start: WorkerStart = { module, name, invitation, starter: pid };
    const worker = new Worker(PROGRAM, { workerData: start, transferList: [invitation.port], name, ...EXEC_ARGV });
    let error: unknown;
    worker.on("message", events.heard);
    worker.on("error", (thrown: unknown) => (error = thrown));
    worker.on("exit", (status) => events.ended(error === undefined ? `with status ${status}` : `by ${textOf(error)}`));
    worker.unref();
    return { send: (job) => worker.postMessage(job), kill: () => void worker.terminate() };
  });
}

function startProcess({ domain, module, name }: WorkerSettings, events: Events): Channel {
  const start: WorkerStart = { module, name, starter: pid };
  const child = (domain as ProcessDomain).fork(PROGRAM, [JSON.stringify(start)], {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    ...EXEC_ARGV,
  });
  child.on("message", events.heard);
  // What cannot be sent to it, since it is ending, is of no interest; one that was never started does not exit.
  child.on("error", (error) => {
    if (child.pid === undefined) events.ended(`before it began: ${error.message}`);
  });
  child.on("exit", (status, signal) => events.ended(signal === null ? `with status ${status}` : `by ${signal}`));
  child.unref();
  child.channel?.unref();
  return { send: (job) => void child.send(job), kill: () => void child.kill("SIGKILL") };
}
