import { setTimeout as sleep } from "node:timers/promises";
import { DmaBufError, type FrameStream } from "dmabuf";
import type { ProcessDomain } from "dmabuf/node";
import type { Failed } from "./failure.js";
import { startProcess, type WorkerEvents, type WorkerHandle } from "./worker-handle.js";
import type { PipelineOptions } from "./pipeline.js";
import { STREAM, type Production } from "./production.js";
import { settleable } from "./settleable.js";
import type { Video } from "./video.js";

/** Milliseconds for a decoder to end. */
const LONGEST_END = 2_000;

const ENTRY = new URL("./decoder.worker.js", import.meta.url);

/** What a decoder is started with. */
export interface DecoderGiven {
  /** The stream's name. */
  readonly stream: string;
  readonly ffmpeg: string;
  readonly video: Video;
  readonly buffers: number;
  /** The number of its first frame: so many have been published before. */
  readonly first: number;
  /** How many there are to be, with those. */
  readonly frames?: number | undefined;
  readonly loop: boolean;
  readonly realTime: boolean;
  /** How many consumers to wait for. */
  readonly consumers: number;
}

export type FromDecoder =
  | { readonly kind: "ready" }
  /** So many frames, by this one. */
  | { readonly kind: "published"; readonly frames: number }
  | { readonly kind: "decoded"; readonly frames: number }
  | { readonly kind: "left"; readonly bytesCopied: number }
  | Failed;

export interface ToDecoder {
  /** End the video here; end the stream; go; go at once. */
  readonly kind: "stop" | "end" | "leave" | "abort";
}

export interface DecoderEvents {
  /** @param frames By this decoder and those before it. */
  readonly onPublished: (frames: number) => void;
  readonly onFailure: (error: Error) => void;
}

/**
 * A process that decodes, and others that go on with its work when it is killed.
 *
 * decoder-process.1. How many frames a decoder has published is in shared memory, and is read when it is dead: so
 *      the next one repeats none and leaves none out.
 */
export class DecoderProcess implements Production {
  readonly #domain: ProcessDomain;
  readonly #options: PipelineOptions;
  readonly #events: DecoderEvents;
  readonly #decoded = settleable<number>();
  readonly #left = settleable<number>();
  #worker: WorkerHandle<ToDecoder>;
  #exited: Promise<void> | undefined;
  /** Raised with each decoder. */
  #turn = 0;
  /** Of the decoder that there is now, once it can be told what it has published. */
  #stream: FrameStream | undefined;
  /** Frames of decoders that are dead. */
  #before = 0;
  #ended = false;

  constructor(domain: ProcessDomain, options: PipelineOptions, events: DecoderEvents) {
    this.#domain = domain;
    this.#options = options;
    this.#events = events;
    const { signal } = options;
    signal.addEventListener("abort", () => this.#decoded.reject(signal.reason as Error), { once: true });
    options.stop.addEventListener("abort", () => this.#worker.tell({ kind: "stop" }), { once: true });
    this.#worker = this.#startWorker();
  }

  /** The process, once it can be replaced. */
  get pid(): number | undefined {
    return this.#stream === undefined ? undefined : this.#worker.pid;
  }

  get processes(): readonly number[] {
    return this.#worker.pid === undefined ? [] : [this.#worker.pid];
  }

  run(): Promise<number> {
    return this.#decoded.promise;
  }

  end(): void {
    this.#worker.tell({ kind: "end" });
  }

  async close(): Promise<number> {
    this.#worker.tell({ kind: "leave" });
    const bytesCopied = await this.#left.promise;
    this.#stream?.close();
    return bytesCopied;
  }

  /** Kills the decoder, as `kill -9` does, and starts another one. */
  async replace(): Promise<void> {
    this.#turn++;
    const stream = this.#stream as FrameStream;
    this.#stream = undefined;
    await this.#worker.end();
    // decoder-process.1
    this.#before += stream.published;
    stream.close();
    if (!this.#ended) this.#worker = this.#startWorker();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    // It ends its ffmpeg, and waits for that.
    this.#worker.tell({ kind: "abort" });
    await Promise.race([this.#exited, sleep(LONGEST_END, undefined, { ref: false })]);
    await this.#worker.end();
    this.#stream?.close();
  }

  #startWorker(): WorkerHandle<ToDecoder> {
    const turn = this.#turn;
    const { ffmpeg, video, buffers, frames, loop, realTime, consumers, stop } = this.#options;
    const given: DecoderGiven = {
      ...{ stream: STREAM, first: this.#before, consumers: consumers.length },
      ...{ ffmpeg, video, buffers, frames, loop, realTime },
    };
    const exited = settleable();
    this.#exited = exited.promise;
    const fail = (error: Error): void => {
      if (turn !== this.#turn || this.#ended) return;
      this.#ended = true;
      this.#decoded.reject(error);
      this.#left.reject(error);
      this.#events.onFailure(error);
    };
    const hear = (message: FromDecoder): void => {
      // Of one that was killed, something may come later.
      if (turn !== this.#turn) return;
      if (message.kind === "ready") this.#find(turn).catch(fail);
      else if (message.kind === "published") this.#events.onPublished(this.#before + message.frames);
      else if (message.kind === "decoded") this.#decoded.resolve(this.#before + message.frames);
      else if (message.kind === "left") {
        this.#ended = true;
        this.#left.resolve(message.bytesCopied);
      } else fail(DmaBufError.from(message.error));
    };
    const events: WorkerEvents<FromDecoder> = {
      onMessage: hear,
      onError: fail,
      onExit: (how) => {
        exited.resolve();
        fail(new DmaBufError("ESRCH", `The decoder ended with ${how} and no report`));
      },
    };
    const worker = startProcess<FromDecoder, ToDecoder>(ENTRY, given, events, { domain: this.#domain });
    if (stop.aborted) worker.tell({ kind: "stop" });
    return worker;
  }

  async #find(turn: number): Promise<void> {
    const stream = await this.#domain.findStream(STREAM);
    if (turn === this.#turn && !this.#ended) this.#stream = stream;
    else stream.close();
  }
}
