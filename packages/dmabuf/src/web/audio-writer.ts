import { check } from "../arguments.js";
import type { Loan } from "../stream/frame.js";
import { FRAME_STREAM, type FrameStream } from "../stream/frame-stream.js";
import { CHANNELS, Quanta } from "./audio-quanta.js";

/**
 * Publishes a stream of audio from an AudioWorklet, a quantum at each call: frames may have any number of samples, and each is
 * published when it is full. Samples are copied from the inputs to the shared memory, once, or become 16-bit ones there. It
 * makes no garbage but the loans, waits for nothing, and what happens to the stream is no exception.
 *
 * @example
 * ```ts
 * import { audioFormat, Domain } from "dmabuf";
 * import { AudioWriter } from "dmabuf/web/worklet";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: audioFormat({ channels: 1, rate: 48_000, samples: 256 }) });
 * using consumer = stream.frames();
 * const writer = new AudioWriter(stream);
 * // As in process(inputs):
 * const input = [new Float32Array(128).fill(0.5)];
 * console.log(writer.write(input), writer.write(input), writer.dropped); // true true 0
 * using frame = consumer.tryNext();
 * console.log(frame?.samples[0].length); // 256
 * ```
 */
export class AudioWriter {
  readonly #stream: FrameStream;
  readonly #quanta = new Quanta("AudioWriter.write()");
  #loan: Loan | undefined;
  #dropped = 0;

  /**
   * @param stream One of this thread's own, of audio whose samples are of type "float32" or "int16".
   * @throws {TypeError} If it is none.
   */
  constructor(stream: FrameStream) {
    check("new AudioWriter()", "stream", stream, FRAME_STREAM);
    this.#quanta.checkFormat(stream.format);
    this.#stream = stream;
  }

  /** Whether the stream has ended, so that nothing more is published. */
  get ended(): boolean {
    return this.#stream.hasEnded;
  }

  /** How many quanta were not published as a whole, since no buffer was free. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Adds the channels of an input. A single channel goes to all of the stream; a channel that is missing is silent.
   *
   * @param channels All of one length: `inputs[0]` of `process()`, which has none while nothing is connected.
   * @returns Whether all of it was taken.
   */
  write(channels: readonly Float32Array[]): boolean {
    check("AudioWriter.write()", "channels", channels, CHANNELS);
    const given = channels[0]?.length ?? 0;
    let done = 0;
    if (this.ended) this.#forget();
    while (done < given && this.#hasLoan()) {
      const end = Math.min(given, done + this.#quanta.left);
      this.#quanta.write(channels, done, end);
      done = end;
      if (this.#quanta.left === 0) this.#publish();
    }
    if (done === given) return true;
    if (!this.ended) this.#dropped++;
    return false;
  }

  /** Publishes what there is of a frame, filled up with silence if its format is planar, and ends the stream. */
  end(): void {
    if (this.ended) return;
    if (this.#quanta.left > 0) this.#publish(this.#quanta.finish());
    this.#stream.end();
  }

  #hasLoan(): boolean {
    // A loan that was taken away has nothing left.
    if (this.#quanta.left > 0) return true;
    this.#loan = this.#stream.tryLoan();
    if (this.#loan === undefined) return false;
    this.#quanta.begin(this.#loan);
    return true;
  }

  #publish(length?: number): void {
    try {
      this.#loan?.publish(length === undefined ? undefined : { length });
    } catch {
      // The stream has ended.
    }
    this.#forget();
  }

  #forget(): void {
    this.#loan?.close();
    this.#loan = undefined;
    this.#quanta.end();
  }
}
