import { setTimeout as sleep } from "node:timers/promises";
import type { FrameStream, Loan as StreamLoan } from "dmabuf";
import { checksumOf } from "./checksum.js";
import type { Loan } from "./frame-reader.js";
import { nowMicroseconds } from "./latency.js";

/**
 * What travels with each frame where some are killed, and to another host. Each consumer that looks at a frame compares its bytes with the checksum then;
 * and a stream's own numbers begin anew with each decoder.
 */
export type FrameData = {
  /** Of the frame in the video, from 0. */
  readonly number: number;
  readonly checksum: string;
  /** When it was published, in microseconds on the machine's clock. */
  readonly at: number;
};

export interface PublisherOptions {
  /** The number of the first frame in the video. */
  readonly first: number;
  /** Frames a second. */
  readonly frameRate: number;
  /** Publishes no faster than that. */
  readonly paced: boolean;
  /** Sends {@link FrameData} with each frame. */
  readonly withData: boolean;
  readonly signal?: AbortSignal;
  /** @param frames How many have been published here. */
  readonly onPublished: (frames: number) => void;
}

/** Where a decoder gets its loans from; it gives each frame its number, its time and its checksum. */
export class Publisher {
  readonly #stream: FrameStream;
  readonly #options: PublisherOptions;
  #begun = 0;
  #taken = 0;
  #published = 0;

  constructor(stream: FrameStream, options: PublisherOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  readonly publish = (loan: StreamLoan): void => {
    const { first, frameRate, withData, onPublished } = this.#options;
    const number = first + this.#published;
    const data: FrameData | undefined = withData
      ? { number, checksum: checksumOf(loan.bytes), at: nowMicroseconds() }
      : undefined;
    loan.publish({ timestamp: Math.round((number * 1e9) / frameRate), ...(data && { data }) });
    onPublished(++this.#published);
  };

  readonly take = async (): Promise<Loan> => {
    await this.#pace();
    const { signal } = this.#options;
    const loan = await this.#stream.loan({ signal });
    if (loan === undefined) throw new Error("The stream ended under its producer");
    return {
      bytes: loan.bytes,
      publish: () => this.publish(loan),
      [Symbol.dispose]: () => loan[Symbol.dispose](),
    };
  };

  /** A frame is complete only when there is a loan for the next one: so that one is held back. */
  async #pace(): Promise<void> {
    if (!this.#options.paced) return;
    if (this.#taken === 0) this.#begun = performance.now();
    const due = this.#begun + (1000 * Math.max(0, this.#taken++ - 1)) / this.#options.frameRate;
    const early = due - performance.now();
    if (early > 0) await sleep(early, undefined, { ref: false });
  }
}
