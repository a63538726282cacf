import { checkOptions, integer, oneOf, required, type Kinds } from "../arguments.js";
import { ELEMENTS, type AudioLayout, type FrameFormat, type PlaneFormat } from "./format.js";

/** The type of a sample. */
export type SampleType = "uint8" | "int16" | "int32" | "float32" | "float64";

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
const SAMPLE_TYPES: readonly string[] = ["uint8", "int16", "int32", "float32", "float64"];
const LAYOUTS: readonly string[] = ["interleaved", "planar"];

const OPTIONS: Kinds<AudioFormatOptions> = {
  channels: /* @__PURE__ */ required(/* @__PURE__ */ integer(1, MOST_CHANNELS)),
  rate: /* @__PURE__ */ required(/* @__PURE__ */ integer(1)),
  samples: /* @__PURE__ */ required(/* @__PURE__ */ integer(1, 2 ** 32)),
  type: /* @__PURE__ */ oneOf(SAMPLE_TYPES),
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
  const bytesPerSample = ELEMENTS[type].BYTES_PER_ELEMENT * (isPlanar ? 1 : channels);
  const stride = samples * bytesPerSample;
  const plane: PlaneFormat = { offset: 0, stride, width: samples, height: 1, bytesPerSample };
  const others = Array.from({ length: isPlanar ? channels - 1 : 0 }, (_, i) => ({
    ...plane,
    offset: (i + 1) * stride,
  }));
  return [plane, ...others];
}
