import type { FrameFormat } from "dmabuf";
import { elementsOf } from "./elements.js";
import { pictureSize, type Picture } from "./picture.js";

/** A tensor as colours, from the least of its numbers to the greatest. */
export interface HeatMap {
  readonly picture: Picture;
  /** Of its finite numbers; nothing if it has none. */
  readonly range?: { readonly least: number; readonly greatest: number; readonly mean: number };
  /** How many elements are NaN or infinite: they are drawn in {@link NOT_FINITE}. */
  readonly notFinite: number;
}

/** From the least to the greatest: dark to bright, and so for those who see no colours, too. */
const COLOURS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
] as const;

/** What is no number has a colour that is not among the others. */
export const NOT_FINITE = [214, 39, 40] as const;

/** A row of a tensor that is longer, and its only one, goes on in the next line. */
const LONGEST_ROW = 256;

/** The last dimension goes from left to right, all others from above to below. */
export function heatMap({ shape = [], type = "uint8" }: FrameFormat, bytes: Uint8Array, most: number): HeatMap {
  const elements = elementsOf(type, bytes);
  const { across, down } = rowsOf(shape);
  const { notFinite, ...found } = rangeOf(elements, Math.min(elements.length, across * down));
  const { least = 0, greatest = 0 } = found.range ?? {};
  const { width, height } = pictureSize(across, down, most);
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * down) / height) * across;
    for (let x = 0; x < width; x++, at += 4) {
      const index = row + Math.floor(((x + 0.5) * across) / width);
      // The rest of the last line is no element.
      if (index >= elements.length) continue;
      pixels.set(colourOf(elements.at(index), least, greatest), at);
      pixels[at + 3] = 255;
    }
  }
  return { picture: { width, height, pixels }, notFinite, ...found };
}

function rowsOf(shape: readonly number[]): { across: number; down: number } {
  const across = shape.at(-1) ?? 1;
  const down = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  if (down > 1 || across <= LONGEST_ROW) return { across, down };
  const side = Math.ceil(Math.sqrt(across));
  return { across: side, down: Math.ceil(across / side) };
}

function rangeOf(elements: ReturnType<typeof elementsOf>, length: number): Omit<HeatMap, "picture"> {
  let [least, greatest, sum, notFinite] = [Infinity, -Infinity, 0, 0];
  for (let i = 0; i < length; i++) {
    const value = elements.at(i);
    if (Number.isFinite(value)) {
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
      sum += value;
    } else notFinite++;
  }
  const finite = length - notFinite;
  return { notFinite, ...(finite > 0 && { range: { least, greatest, mean: sum / finite } }) };
}

function colourOf(value: number, least: number, greatest: number): readonly number[] {
  if (!Number.isFinite(value)) return NOT_FINITE;
  const part = greatest > least ? (value - least) / (greatest - least) : 0;
  const place = part * (COLOURS.length - 1);
  const index = Math.min(COLOURS.length - 2, Math.floor(place));
  const [from, to] = [COLOURS[index]!, COLOURS[index + 1]!];
  return from.map((start, i) => Math.round(start + (to[i]! - start) * (place - index)));
}
