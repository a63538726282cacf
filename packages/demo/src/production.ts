import { type FrameStream, imageFormat, type JoinedDomain } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { film } from "./camera.js";
import { decode } from "./decoder.js";
import { moduleMemory } from "./memory.js";
import type { PipelineOptions } from "./pipeline.js";
import { Publisher } from "./publisher.js";

/** By what consumers in other processes find the stream. */
export const STREAM = "video";

/** How the frames come into the stream. */
export interface Production extends AsyncDisposable {
  /**
   * Publishes the whole video, once all consumers have joined.
   *
   * @param consumers How many; default: as many as there are jobs.
   * @returns How many frames that were.
   */
  run(consumers?: number): Promise<number>;
  /** Says that no further frame comes. */
  end(): void;
  /** Gives the stream's memory back. @returns Bytes that were copied in another process for it. */
  close(): Promise<number>;
  /** Processes of its own. */
  readonly processes: readonly number[];
}

/** This thread produces. */
export class OwnProduction implements Production {
  readonly processes = [];
  readonly stream: FrameStream;
  /** Of the modules of threads: frames are made in it. */
  readonly memory: WebAssembly.Memory | undefined;
  readonly #options: PipelineOptions;
  readonly #publisher: Publisher;

  /** @param onPublished Is told how many frames have been published. */
  constructor(domain: JoinedDomain, options: PipelineOptions, onPublished: (frames: number) => void) {
    const { buffers, signal, kill, withData = kill } = options;
    const isOfThreads = !(domain instanceof ProcessDomain);
    const { width, height, frameRate } = options.video;
    this.#options = options;
    this.memory = isOfThreads ? moduleMemory() : undefined;
    const heap = this.memory ? domain.heaps.addModuleMemory("module", this.memory).name : "system";
    this.stream = domain.createStream({ name: STREAM, buffers, heap, format: imageFormat("NV12", width, height) });
    const common = { first: 0, frameRate, paced: false, withData };
    this.#publisher = new Publisher(this.stream, { ...common, signal, onPublished });
  }

  async run(consumers = this.#options.consumers.length): Promise<number> {
    const { camera, signal } = this.#options;
    await this.stream.waitForConsumers(consumers, { signal });
    const { take, publish } = this.#publisher;
    if (camera !== undefined) return film(camera, this.stream, { ...this.#options, publish });
    return decode(this.#options, take);
  }

  end(): void {
    this.stream.end();
  }

  async close(): Promise<number> {
    this.stream.close();
    return 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.close();
  }
}
