import type { Kind } from "../arguments.js";
import { countCopy, type Copier } from "../buffer/copies.js";
import type { CopyReason } from "../domain/copying.js";
import type { FrameFormat } from "../stream/format.js";
import { bufferUnder, type FrameBytes } from "../stream/frame.js";

/**
 * Frames of audio as the quanta of an AudioWorklet: 128 samples of each channel at a time, of frames that have several times
 * as many.
 *
 * audio-quanta.1. A quantum makes no garbage: views are made once for each buffer, and samples are copied one by one, since a
 *     view of a part would be garbage.
 * audio-quanta.2. Nothing that happens to a stream is an exception: a frame that was taken away is as if it had come to its end.
 */

type SampleArray = Float32Array | Int16Array;

/** A quantum. */
export const CHANNELS: Kind = {
  wanted: "an array of Float32Array",
  isKind: (value) => Array.isArray(value) && value.every(isSamples),
};

function isSamples(value: unknown): boolean {
  return value instanceof Float32Array;
}

/** What 1.0 is in 16 bits. */
const FULL = 0x8000;

/** A frame or a loan, as far as it was read or filled. */
export class Quanta {
  readonly #why: CopyReason;
  readonly #views = new WeakMap<Uint8Array, SampleArray>();
  #format: FrameFormat | undefined;
  #channels = 0;
  /** From one sample of a channel to its next one, and from one channel to the next one. */
  #step = 0;
  #stride = 0;
  #frame: FrameBytes | undefined;
  #copier: Copier | undefined;
  #samples!: SampleArray;
  #isInteger = false;
  /** Samples of each channel. */
  #position = 0;

  constructor(why: CopyReason) {
    this.#why = why;
  }

  /** @throws {TypeError} If they are not samples that a worklet can have. */
  checkFormat(format: FrameFormat): void {
    const { kind, type, layout, channels = 0, samples = 0 } = format;
    if (kind !== "audio" || (type !== "float32" && type !== "int16")) {
      throw new TypeError(`${this.#why}: frames must be audio of type "float32" or "int16", not of ${type ?? kind}`);
    }
    this.#format = format;
    this.#channels = channels;
    this.#isInteger = type === "int16";
    this.#step = layout === "planar" ? 1 : channels;
    this.#stride = layout === "planar" ? samples : 1;
  }

  /** Begins with a frame. @throws {TypeError} As {@link checkFormat}. */
  begin(frame: FrameBytes): void {
    if (frame.format !== this.#format) this.checkFormat(frame.format);
    const { bytes } = frame;
    let samples = this.#views.get(bytes);
    if (samples === undefined) {
      const elements = this.#isInteger ? Int16Array : Float32Array;
      samples = new elements(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / elements.BYTES_PER_ELEMENT);
      this.#views.set(bytes, samples);
    }
    this.#samples = samples;
    this.#copier = bufferUnder(frame)?.holds.agent;
    this.#position = 0;
    this.#frame = frame;
  }

  /** Samples of each channel that are left (audio-quanta.2). */
  get left(): number {
    if (this.#frame === undefined) return 0;
    try {
      return this.#frame.length / (this.#samples.BYTES_PER_ELEMENT * this.#channels) - this.#position;
    } catch {
      this.end();
      return 0;
    }
  }

  /** Has nothing left of the frame. */
  end(): void {
    this.#frame = undefined;
  }

  /** Copies samples to channels, from a place of theirs on. A single channel goes to all; of those that are missing there is silence. */
  read(channels: readonly Float32Array[], start: number, end: number): void {
    const samples = this.#samples;
    const step = this.#step;
    const scale = this.#isInteger ? 1 / FULL : 1;
    let copied = 0;
    for (let channel = 0; channel < channels.length; channel++) {
      const target = channels[channel]!;
      const from = this.#channels === 1 ? 0 : channel;
      let at = this.#indexOf(from);
      if (from >= this.#channels) target.fill(0, start, end);
      else {
        for (let i = start; i < end; i++, at += step) target[i] = samples[at]! * scale;
        copied++;
      }
    }
    this.#advance(end - start, copied);
  }

  /** The other way round. */
  write(channels: readonly Float32Array[], start: number, end: number): void {
    const samples = this.#samples;
    const step = this.#step;
    for (let channel = 0; channel < this.#channels; channel++) {
      const source = channels[channels.length === 1 ? 0 : channel];
      let at = this.#indexOf(channel);
      for (let i = start; i < end; i++, at += step) {
        const sample = source === undefined ? 0 : source[i]!;
        samples[at] = this.#isInteger ? Math.max(-FULL, Math.min(FULL - 1, Math.round(sample * FULL))) : sample;
      }
    }
    this.#advance(end - start, this.#channels);
  }

  /** The bytes of what was filled. Frames of planes have one length: their rest is silence. */
  finish(): number {
    const { left } = this;
    const planes = this.#step === 1 ? this.#channels : 0;
    for (let channel = 0; channel < planes; channel++) {
      const at = this.#indexOf(channel);
      this.#samples.fill(0, at, at + left);
    }
    const filled = this.#position + (this.#format?.layout === "planar" ? left : 0);
    return filled * this.#channels * this.#samples.BYTES_PER_ELEMENT;
  }

  #indexOf(channel: number): number {
    return this.#position * this.#step + channel * this.#stride;
  }

  #advance(count: number, channels: number): void {
    this.#position += count;
    countCopy(this.#copier, this.#why, count * channels * this.#samples.BYTES_PER_ELEMENT);
  }
}
