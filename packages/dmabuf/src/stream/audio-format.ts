import { checkOptions, integer, oneOf, required, type Kinds } from "../arguments.js";
import type { AudioLayout, FrameFormat, PlaneFormat } from "./format.js";

/** The type of a sample. */
export type SampleType = "uint8" | "int16" | "int32" | "float32" | "float64";

/** Samples of audio: a view of their bytes. */
export type Samples = Uint8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** The typed arrays that samples are read through. */
const ARRAYS = {
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const satisfies Record<SampleType, unknown>;

/** How the audio of a stream is. */
export interface AudioFormatOptions {
  /** How many channels, from 1 to 64. */
  readonly channels: number;
  /** Samples a second, of each channel. */
  readonly rate: number;
  /** How many samples a frame has of each channel, at most. */
  readonly samples: number;
  /** The type of a sample. Default "float32". */
  readonly type?: SampleType;
  /**
   * `"interleaved"`, as files and most programs have it: a sample of each channel after the other; a frame may be shorter, see
   * {@link Loan.publish}. `"planar"`, as Web Audio has it: a plane for each channel. Default "interleaved".
   */
  readonly layout?: AudioLayout;
}

const MOST_CHANNELS = 64;
const LAYOUTS: readonly string[] = ["interleaved", "planar"];

const OPTIONS: Kinds<AudioFormatOptions> = {
  channels: /* @__PURE__ */ required(/* @__PURE__ */ integer(1, MOST_CHANNELS)),
  rate: /* @__PURE__ */ required(/* @__PURE__ */ integer(1)),
  samples: /* @__PURE__ */ required(/* @__PURE__ */ integer(1, 2 ** 32)),
  type: /* @__PURE__ */ oneOf(/* @__PURE__ */ Object.keys(ARRAYS)),
  layout: /* @__PURE__ */ oneOf(LAYOUTS),
};

/**
 * The format of a piece of audio.
 *
 * @throws {RangeError} Naming the option that is out of range.
 *
 * @example
 * ```ts
 * import { audioFormat, Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: audioFormat({ channels: 2, rate: 48_000, samples: 128, layout: "planar" }) });
 * using loan = stream.tryLoan();
 * console.log(loan?.samples.length, loan?.samples[0].length); // 2 128
 * ```
 */
export function audioFormat(options: AudioFormatOptions): FrameFormat {
  checkOptions("audioFormat()", options, OPTIONS);
  const { channels, rate, samples, type = "float32", layout = "interleaved" } = options;
  const planes = planesOf(channels, samples, type, layout);
  const size = planes.length * planes[0].stride;
  return { kind: "audio", size, planes, channels, rate, samples, type, layout };
}

function planesOf(channels: number, samples: number, type: SampleType, layout: AudioLayout): FrameFormat["planes"] {
  const isPlanar = layout === "planar";
  const bytesPerSample = ARRAYS[type].BYTES_PER_ELEMENT * (isPlanar ? 1 : channels);
  const stride = samples * bytesPerSample;
  const plane: PlaneFormat = { offset: 0, stride, width: samples, height: 1, bytesPerSample };
  const others = Array.from({ length: isPlanar ? channels - 1 : 0 }, (_, i) => ({
    ...plane,
    offset: (i + 1) * stride,
  }));
  return [plane, ...others];
}

/** The samples of audio in some bytes, without a copy. @throws {TypeError} If the format is no audio's. */
export function samplesIn({ kind, type }: FrameFormat, bytes: Uint8Array): Samples {
  if (kind !== "audio") throw new TypeError(`A frame of kind "${kind}" is no audio`);
  const elements = ARRAYS[type as SampleType];
  return new elements(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / elements.BYTES_PER_ELEMENT);
}
