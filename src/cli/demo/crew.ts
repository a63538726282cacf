import { Worker, type Transferable } from "node:worker_threads";
import { DmaBufError } from "../../errors.js";
import type { ConsumerReport, FromConsumer, ToConsumer } from "./consumer.js";
import type { JobName, JobSettings, Note } from "./jobs/job.js";

/** What one consumer's thread is started with, besides its settings. */
export interface Lent {
  readonly data: object;
  readonly transfer: readonly Transferable[];
}

export interface CrewEvents {
  readonly onNote?: (note: Note) => void;
  readonly onUrl?: (url: string) => void;
  /** Over `postMessage`: this consumer is done with a frame. */
  readonly onWanting?: (name: JobName) => void;
  /** A consumer failed or ended without a report. Called at most once. */
  readonly onFailure: (error: Error) => void;
}

/** The consumers of one run, each a worker of its own. Disposing it ends those that still run. */
export class Crew implements AsyncDisposable {
  readonly #workers = new Map<JobName, Worker>();
  readonly #reports = new Map<JobName, Promise<ConsumerReport>>();
  readonly #ready: Promise<void>[] = [];
  readonly #events: CrewEvents;
  #failed = false;

  /**
   * @param entry The module that each worker runs.
   * @param lend What each worker is started with.
   */
  constructor(entry: URL, settings: readonly JobSettings[], lend: () => Lent, events: CrewEvents) {
    this.#events = events;
    for (const one of settings) {
      const { data, transfer } = lend();
      const worker = new Worker(entry, {
        name: one.name,
        workerData: { settings: one, ...data },
        transferList: [...transfer],
      });
      this.#workers.set(one.name, worker);
      this.#follow(one.name, worker);
    }
  }

  /** Resolves when every consumer can take frames. */
  async ready(): Promise<void> {
    await Promise.all(this.#ready);
  }

  /** The reports in the order of the settings; each consumer sends its own after its last frame. */
  async reports(): Promise<ReadonlyMap<JobName, ConsumerReport>> {
    const reports = new Map<JobName, ConsumerReport>();
    for (const [name, report] of this.#reports) reports.set(name, await report);
    return reports;
  }

  tell(name: JobName, message: ToConsumer): void {
    this.#workers.get(name)?.postMessage(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed = true;
    await Promise.all([...this.#workers.values()].map((worker) => worker.terminate()));
  }

  #follow(name: JobName, worker: Worker): void {
    const ready = settleable<void>();
    const reported = settleable<ConsumerReport>();
    this.#ready.push(ready.promise);
    this.#reports.set(name, reported.promise);
    let done = false;
    const fail = (error: Error): void => {
      ready.reject(error);
      reported.reject(error);
      if (this.#failed || done) return;
      this.#failed = true;
      this.#events.onFailure(error);
    };
    worker.on("message", (message: FromConsumer) => {
      switch (message.kind) {
        case "ready":
          if (message.url !== undefined) this.#events.onUrl?.(message.url);
          ready.resolve();
          break;
        case "wanting":
          this.#events.onWanting?.(name);
          break;
        case "note":
          this.#events.onNote?.(message.note);
          this.tell("preview", { kind: "note", note: message.note });
          break;
        case "report":
          done = true;
          reported.resolve(message.report);
          break;
        case "failed":
          fail(DmaBufError.from(message.error));
      }
    });
    worker.once("error", (error: Error) => fail(error));
    worker.once("exit", (code) =>
      fail(new DmaBufError("ESRCH", `The ${name} worker ended with ${code} and no report`)),
    );
  }
}

interface Settleable<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function settleable<T>(): Settleable<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  // Whoever waits for it learns of a rejection; nobody need wait.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
