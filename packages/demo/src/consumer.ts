import { failed, type Failed } from "./failure.js";
import { createJob } from "./jobs/create-job.js";
import type { Findings, Job, JobSettings, Note, Started } from "./jobs/job.js";
import { nowMicroseconds } from "./latency.js";
import type { Picture } from "./picture.js";

/** What a consumer tells the program that started it. */
export type FromConsumer =
  | ({ readonly kind: "ready" } & Started)
  /** Over messages only: it wants the next frame. */
  | { readonly kind: "wanting" }
  /** It has compared a frame with the checksum that came with it: they are the same. */
  | { readonly kind: "checked" }
  | { readonly kind: "note"; readonly note: Note }
  | { readonly kind: "report"; readonly report: ConsumerReport }
  | Failed;

/** What a consumer is told while it runs. */
export type ToConsumer =
  | { readonly kind: "note"; readonly note: Note }
  /** Over messages only. */
  | { readonly kind: "frame"; readonly sequence: number; readonly published: number; readonly bytes: Uint8Array }
  | { readonly kind: "end" };

export interface ConsumerReport {
  /** Frames it took. */
  readonly frames: number;
  /**
   * For each frame, how long the hand-off took: from when the frame was published and this consumer free for it, until
   * the consumer had it. Time in which the consumer was busy with the frame before is its own, not the hand-off's.
   */
  readonly handoffMicroseconds: readonly number[];
  /** For each frame, how long the job held it. */
  readonly workMicroseconds: readonly number[];
  /** What the library copied where this consumer runs. */
  readonly bytesCopied: number;
  readonly findings: Findings;
}

/** Milliseconds between two notes: what a person can follow. */
const NOTE_INTERVAL = 100;

/** One consumer: its job, and the measurements around it. How the frames come is its caller's business. */
export class Consumer {
  readonly #tell: (message: FromConsumer) => void;
  readonly #job: Job;
  readonly #handoffs: number[] = [];
  readonly #work: number[] = [];
  #started: Started = {};
  #free = 0;
  #nextNote = 0;

  /** @param memory For the job's module, if it has one and frames are in it. */
  constructor(settings: JobSettings, tell: (message: FromConsumer) => void, memory?: WebAssembly.Memory) {
    this.#tell = tell;
    this.#job = createJob(settings, memory);
  }

  /** That of the job's module. */
  get memory(): WebAssembly.Memory | undefined {
    return this.#job.memory;
  }

  /** Gets the job ready, which may take a while: join what holds others up only afterwards. */
  async start(): Promise<void> {
    this.#started = (await this.#job.start?.()) ?? {};
  }

  /** Says that frames may come. */
  ready(): void {
    this.#free = nowMicroseconds();
    this.#tell({ kind: "ready", ...this.#started });
  }

  /**
   * @param published When the producer published it, on this clock.
   * @param taken When this consumer got it.
   * @returns When the consumer wants the next; the picture itself is not used any more once this returns.
   */
  look(picture: Picture, published: number, taken: number): Promise<void> | undefined {
    this.#handoffs.push(taken - Math.max(published, this.#free));
    const begun = nowMicroseconds();
    const busy = this.#job.look(picture);
    this.#work.push(nowMicroseconds() - begun);
    if (taken < this.#nextNote) return busy;
    this.#nextNote = taken + NOTE_INTERVAL * 1000;
    const note = this.#job.note?.();
    if (note !== undefined) this.#tell({ kind: "note", note });
    return busy;
  }

  /** Says that it is done with a frame, and free for the next. */
  wantNext(): void {
    this.#free = nowMicroseconds();
  }

  hear(note: Note): void {
    this.#job.hear?.(note);
  }

  async finish(bytesCopied: number): Promise<void> {
    const findings = await this.#job.finish();
    const [handoffMicroseconds, workMicroseconds] = [this.#handoffs, this.#work];
    this.#tell({
      kind: "report",
      report: { frames: workMicroseconds.length, handoffMicroseconds, workMicroseconds, bytesCopied, findings },
    });
  }

  fail(error: unknown): void {
    this.#tell(failed(error));
  }
}
