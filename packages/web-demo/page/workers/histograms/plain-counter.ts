import type { Frame, FrameFormat } from "dmabuf";
import type { PostedFrame } from "../../shared/messages.js";
import { packedOrder } from "../pixels.js";
import { BINS, type Counter } from "./counter.js";

/** Counts in JavaScript, in place. @param missing Why WebGPU does not. */
export function plainCounter(missing: string): Counter {
  let format!: FrameFormat;
  const count = (bytes: Uint8Array): readonly number[] => {
    const order = packedOrder(format);
    return order === undefined ? binsOfLuma(bytes, format) : binsOfColours(bytes, order);
  };
  return {
    how: "JavaScript",
    missing,
    begin: (begun) => (format = begun),
    async shared(frame: Frame) {
      const bins = count(frame.bytes);
      frame.close();
      return bins;
    },
    posted: async ({ bytes }: PostedFrame) => count(bytes),
  };
}

function binsOfLuma(bytes: Uint8Array, { planes: [luma] }: FrameFormat): number[] {
  const bins = new Array<number>(BINS).fill(0);
  const end = luma.offset + luma.stride * luma.height;
  for (let i = luma.offset; i < end; i++) bins[bytes[i]! >> 2]!++;
  return bins;
}

function binsOfColours(bytes: Uint8Array, order: "RGB" | "BGR"): number[] {
  const bins = new Array<number>(BINS).fill(0);
  const [red, blue] = order === "RGB" ? [0, 2] : [2, 0];
  for (let i = 0; i + 3 < bytes.length; i += 4) {
    const luma = (54 * bytes[i + red]! + 183 * bytes[i + 1]! + 19 * bytes[i + blue]!) >> 8;
    bins[luma >> 2]!++;
  }
  return bins;
}
