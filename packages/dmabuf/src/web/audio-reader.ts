import { checkObject, check, FUNCTION, OBJECT, required, type Kinds } from "../arguments.js";
import type { PublishedFrame } from "../stream/frame.js";
import { CHANNELS, Quanta } from "./audio-quanta.js";

/** What gives frames at once or not at all: a `Consumer`. */
export interface AudioSource {
  /** The next frame, if it is there. */
  tryNext(): PublishedFrame | undefined;
  /** Whether no further one comes. */
  readonly hasEnded: boolean;
}

const METHODS: Kinds<Pick<AudioSource, "tryNext">> = { tryNext: /* @__PURE__ */ required(FUNCTION) };

/**
 * Reads a stream of audio in an AudioWorklet, a quantum at each call: frames may have any number of samples, and more than one
 * quantum each is better, since a ring has at most 32 buffers. Samples are copied from the shared memory to the outputs, once;
 * 16-bit ones become floats. It makes no garbage but the frames, waits for nothing, and what happens to the stream is no
 * exception.
 *
 * @example
 * ```ts
 * import { audioFormat, Domain } from "dmabuf";
 * import { AudioReader } from "dmabuf/web/worklet";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: audioFormat({ channels: 1, rate: 48_000, samples: 512 }) });
 * const reader = new AudioReader(stream.frames());
 * using loan = stream.tryLoan();
 * loan?.samples[0].fill(0.5);
 * loan?.publish();
 * // As in process(inputs, outputs):
 * const output = [new Float32Array(128), new Float32Array(128)];
 * console.log(reader.read(output), output[1]?.[127], reader.underruns); // true 0.5 0
 * ```
 */
export class AudioReader {
  readonly #source: AudioSource;
  readonly #quanta = new Quanta("AudioReader.read()");
  #frame: PublishedFrame | undefined;
  #underruns = 0;

  /** @param consumer Of a stream of audio whose samples are of type "float32" or "int16". @throws {TypeError} If it is none. */
  constructor(consumer: AudioSource) {
    check("new AudioReader()", "consumer", consumer, OBJECT);
    checkObject("new AudioReader()", "consumer", consumer, METHODS);
    this.#source = consumer;
  }

  /** Whether the stream has ended, and all of it was read. */
  get ended(): boolean {
    return this.#frame === undefined && this.#source.hasEnded;
  }

  /** How often there was too little to fill a quantum, without the end. */
  get underruns(): number {
    return this.#underruns;
  }

  /**
   * Fills the channels of an output. A single channel of the stream goes to all of them; a channel that the stream does not
   * have is silent, and so is what it has no samples for.
   *
   * @param channels All of one length: `outputs[0]` of `process()`.
   * @returns Whether there were samples for all of it.
   * @throws {TypeError} At the first frame, if the stream is not of such audio.
   */
  read(channels: readonly Float32Array[]): boolean {
    check("AudioReader.read()", "channels", channels, CHANNELS);
    const wanted = channels[0]?.length ?? 0;
    let done = 0;
    while (done < wanted) {
      const { left } = this.#quanta;
      if (left > 0) {
        const end = Math.min(wanted, done + left);
        this.#quanta.read(channels, done, end);
        done = end;
      } else if (!this.#next()) break;
    }
    // The buffer is free as soon as its last sample was read.
    if (this.#quanta.left === 0) this.#giveBack();
    if (done === wanted) return true;
    for (const channel of channels) channel.fill(0, done);
    if (!this.#source.hasEnded) this.#underruns++;
    return false;
  }

  #next(): boolean {
    this.#giveBack();
    const frame = this.#source.tryNext();
    if (frame === undefined) return false;
    try {
      this.#quanta.begin(frame);
    } catch (error) {
      frame.close();
      throw error;
    }
    this.#frame = frame;
    return true;
  }

  #giveBack(): void {
    this.#quanta.end();
    this.#frame?.close();
    this.#frame = undefined;
  }
}
