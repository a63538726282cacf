import type { ElementType, FrameFormat } from "dmabuf";
import { elementsOf } from "./elements.js";

/** One channel of audio: the lowest and the highest sample of each column, from -1 to 1 where it is not too loud. */
export interface Wave {
  readonly lows: readonly number[];
  readonly highs: readonly number[];
  /** How far it goes from silence. */
  readonly peak: number;
}

/** What is silence, and how far the loudest is from it. */
const SCALES: Partial<Readonly<Record<ElementType, readonly [silence: number, loudest: number]>>> = {
  uint8: [128, 128],
  int16: [0, 2 ** 15],
  int32: [0, 2 ** 31],
};

/** The channels of a piece of audio, each in at most so many columns. */
export function wavesOf(format: FrameFormat, bytes: Uint8Array, most: number): Wave[] {
  const { channels = 1, samples = 0, layout, type = "float32", planes } = format;
  const [silence, loudest] = SCALES[type] ?? [0, 1];
  return Array.from({ length: channels }, (_, channel) => {
    const isPlanar = layout === "planar";
    const plane = planes[isPlanar ? channel : 0] ?? planes[0];
    const elements = elementsOf(type, bytes.subarray(plane.offset, plane.offset + plane.stride * plane.height));
    const [step, first] = isPlanar ? [1, 0] : [channels, channel];
    const count = Math.min(samples, Math.ceil((elements.length - first) / step));
    return waveOf((i) => (elements.at(first + i * step) - silence) / loudest, count, most);
  });
}

function waveOf(sample: (index: number) => number, count: number, most: number): Wave {
  const columns = Math.min(count, most);
  const lows: number[] = [];
  const highs: number[] = [];
  for (let column = 0; column < columns; column++) {
    let [low, high] = [Infinity, -Infinity];
    const end = Math.floor(((column + 1) * count) / columns);
    for (let i = Math.floor((column * count) / columns); i < end; i++) {
      const value = sample(i);
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    lows.push(low);
    highs.push(high);
  }
  return { lows, highs, peak: highs.reduce((peak, high, i) => Math.max(peak, high, -lows[i]!), 0) };
}
