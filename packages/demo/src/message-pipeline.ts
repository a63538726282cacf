import { startProcess, startThread } from "./worker-handle.js";
import { Consumers, type Start } from "./consumers.js";
import { decode } from "./decoder.js";
import type { Loan } from "./frame-reader.js";
import type { JobName } from "./jobs/job.js";
import { nowMicroseconds } from "./latency.js";
import { MemoryMeter } from "./memory.js";
import { policyOf, summarize, type PipelineOptions, type PipelineResult } from "./pipeline.js";

const ENTRY = new URL("./message.worker.js", import.meta.url);

/**
 * The same decoder and the same consumers, connected by plain messages, `postMessage` between threads or Node.js's own between
 * processes: each consumer gets a copy of each frame.
 *
 * message-pipeline.1. No more than `buffers` frames are under way to a consumer that must see all of them.
 * message-pipeline.2. A consumer that wants the newest one gets a frame only when it is free, and misses the others.
 */
export async function runOverMessages(options: PipelineOptions): Promise<PipelineResult> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const lanes = new Lanes(options, signal);
  const start: Start = (settings, events) =>
    options.processes ? startProcess(ENTRY, { settings }, events) : startThread(ENTRY, { settings }, [], events);
  await using workers = new Consumers(options.consumers, start, {
    onNote: options.onNote,
    onUrl: options.onUrl,
    onWanting: (name) => lanes.free(name),
    onFailure: (error) => failure.abort(error),
  });
  await workers.ready();

  const size = (options.video.width * options.video.height * 3) / 2;
  using memory = new MemoryMeter(options.processes ? () => workers.processes : undefined);
  let [sequence, bytesCopied] = [0, 0];
  let started = 0;
  // What was posted has been copied, so its memory is loan again: two suffice, and two is what the reader holds.
  const memories: Uint8Array[] = [new Uint8Array(size), new Uint8Array(size)];
  const take = async (): Promise<Loan> => {
    await lanes.room();
    const bytes = memories.shift() as Uint8Array;
    let published = false;
    return {
      bytes,
      publish: () => {
        published = true;
        if (sequence === 0) started = nowMicroseconds();
        memories.push(bytes);
        const message = { kind: "frame", sequence, published: nowMicroseconds(), bytes } as const;
        for (const name of lanes.takers()) {
          workers.tell(name, message);
          bytesCopied += size;
        }
        options.onFrame(++sequence);
      },
      [Symbol.dispose]: () => {
        if (!published) memories.push(bytes);
      },
    };
  };
  const frames = await decode({ ...options, signal }, take);
  await lanes.allFree();
  for (const { name } of options.consumers) workers.tell(name, { kind: "end" });
  const reports = await workers.reports();
  const microseconds = nowMicroseconds() - started;
  return summarize({
    frames,
    microseconds,
    bytesCopied,
    reports,
    memory: { growth: memory.growth, peak: memory.peak },
  });
}

/** Counts the frames under way to each consumer. */
class Lanes {
  readonly #underWay = new Map<JobName, number>();
  readonly #buffers: number;
  readonly #signal: AbortSignal;
  #wake = (): void => {};

  constructor({ consumers, buffers }: PipelineOptions, signal: AbortSignal) {
    this.#buffers = buffers;
    this.#signal = signal;
    for (const { name } of consumers) this.#underWay.set(name, 0);
    signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  /** The jobs that get the frame that is published now; each has one more under way from here on. */
  takers(): JobName[] {
    const takers = [...this.#underWay].filter(([name, count]) => policyOf(name) === "block" || count === 0);
    for (const [name, count] of takers) this.#underWay.set(name, count + 1);
    return takers.map(([name]) => name);
  }

  free(name: JobName): void {
    this.#underWay.set(name, (this.#underWay.get(name) ?? 1) - 1);
    this.#wake();
  }

  /** Resolves when one more frame may be under way; one is being read at that time. */
  async room(): Promise<void> {
    await this.#until((count, name) => policyOf(name) === "newest" || count < this.#buffers - 1);
  }

  async allFree(): Promise<void> {
    await this.#until((count) => count === 0);
  }

  async #until(holds: (underWay: number, name: JobName) => boolean): Promise<void> {
    while (![...this.#underWay].every(([name, count]) => holds(count, name))) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#signal.throwIfAborted();
    }
  }
}
