import { DmaBufError } from "dmabuf";
import type { WorkerHandle, WorkerEvents } from "./worker-handle.js";
import type { ConsumerReport, FromConsumer, ToConsumer } from "./consumer.js";
import type { JobName, JobSettings, Note } from "./jobs/job.js";
import { settleable, type Settleable } from "./settleable.js";

/** Starts one consumer. */
export type Start = (settings: JobSettings, events: WorkerEvents) => WorkerHandle;

export interface ConsumersEvents {
  readonly onNote?: (note: Note) => void;
  readonly onUrl?: (url: string) => void;
  /** Over messages: this consumer is done with a frame. */
  readonly onWanting?: (name: JobName) => void;
  /** This consumer has compared a frame with its checksum. */
  readonly onChecked?: (name: JobName) => void;
  /** A consumer failed or ended without a report. Called at most once. */
  readonly onFailure: (error: Error) => void;
}

interface Member {
  settings: JobSettings;
  worker: WorkerHandle | undefined;
  /** Raised with each worker that has the job. */
  turn: number;
  isReady: boolean;
  readonly ready: Settleable<void>;
  readonly reported: Settleable<ConsumerReport>;
}

/** The consumers of one run, each a thread or a process of its own. Disposing it ends those that still run. */
export class Consumers implements AsyncDisposable {
  readonly #members = new Map<JobName, Member>();
  readonly #start: Start;
  readonly #events: ConsumersEvents;
  #failed = false;

  constructor(settings: readonly JobSettings[], start: Start, events: ConsumersEvents) {
    this.#start = start;
    this.#events = events;
    for (const one of settings) {
      const member: Member = {
        settings: one,
        worker: undefined,
        turn: 0,
        isReady: false,
        ready: settleable(),
        reported: settleable(),
      };
      this.#members.set(one.name, member);
      this.#startWorker(member);
    }
  }

  /** Resolves when every consumer can take frames. */
  async ready(): Promise<void> {
    for (const { ready } of this.#members.values()) await ready.promise;
  }

  /** The reports in the order of the settings; each consumer sends its own after its last frame. */
  async reports(): Promise<ReadonlyMap<JobName, ConsumerReport>> {
    const reports = new Map<JobName, ConsumerReport>();
    for (const [name, { reported }] of this.#members) reports.set(name, await reported.promise);
    return reports;
  }

  tell(name: JobName, message: ToConsumer): void {
    this.#members.get(name)?.worker?.tell(message);
  }

  /** The process that has a job now, once it can take frames. */
  processOf(name: JobName): number | undefined {
    const member = this.#members.get(name);
    return member?.isReady === true ? member.worker?.pid : undefined;
  }

  /** The processes that run now. */
  get processes(): number[] {
    return [...this.#members.values()].flatMap(({ worker }) => worker?.pid ?? []);
  }

  /** Kills the process that has a job, as `kill -9` does, and starts another one. It begins with what it finds then. */
  async replace(name: JobName): Promise<void> {
    const member = this.#members.get(name) as Member;
    member.turn++;
    member.isReady = false;
    await member.worker?.end();
    if (!this.#failed) this.#startWorker(member);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed = true;
    await Promise.all([...this.#members.values()].map(async ({ worker }) => worker?.end()));
  }

  #startWorker(member: Member): void {
    const { turn, settings } = member;
    const { name } = settings;
    let done = false;
    const fail = (error: Error): void => {
      if (member.turn !== turn) return;
      member.ready.reject(error);
      member.reported.reject(error);
      if (this.#failed || done) return;
      this.#failed = true;
      this.#events.onFailure(error);
    };
    const hear = (message: FromConsumer): void => {
      // Of one that was killed, something may come later.
      if (member.turn !== turn) return;
      if (message.kind === "ready") this.#isReady(member, message.url);
      else if (message.kind === "wanting") this.#events.onWanting?.(name);
      else if (message.kind === "checked") this.#events.onChecked?.(name);
      else if (message.kind === "failed") fail(DmaBufError.from(message.error));
      else if (message.kind === "note") {
        this.#events.onNote?.(message.note);
        this.tell("preview", { kind: "note", note: message.note });
      } else {
        done = true;
        member.reported.resolve(message.report);
      }
    };
    member.worker = this.#start(settings, {
      onMessage: hear,
      onError: fail,
      onExit: (how) => fail(new DmaBufError("ESRCH", `The ${name} worker ended with ${how} and no report`)),
    });
  }

  #isReady(member: Member, url: string | undefined): void {
    member.isReady = true;
    member.ready.resolve();
    if (url === undefined || member.turn > 0) return;
    this.#events.onUrl?.(url);
    // The next one is found at the same place.
    member.settings = { ...member.settings, port: Number(new URL(url).port) };
  }
}
