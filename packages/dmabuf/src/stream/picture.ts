import { check, checkObject, integer, oneOf, required, type Kind } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { FrameFormat } from "./format.js";

/** How an image is to be shown, in the words of WebCodecs. What is left out, the image does not say. */
export interface Picture {
  /** How long it is shown, in the unit of the frame's timestamp. */
  readonly duration?: number;
  /** The pixels that are to be seen. Default: all. */
  readonly visibleRect?: VisibleRect;
  /** How wide it is shown, in pixels, before it is turned; not without `displayHeight`. */
  readonly displayWidth?: number;
  /** How high it is shown, in pixels, before it is turned; not without `displayWidth`. */
  readonly displayHeight?: number;
  /** By how many degrees it is turned clockwise. */
  readonly rotation?: 0 | 90 | 180 | 270;
  /** Whether left and right are exchanged. */
  readonly flip?: boolean;
  /** What its numbers mean. */
  readonly colorSpace?: ColorSpace;
}

/** A part of an image, in pixels. */
export interface VisibleRect {
  /** Pixels from the left. */
  readonly x: number;
  /** Rows from the top. */
  readonly y: number;
  /** Pixels. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** What the numbers of an image mean, by the names of WebCodecs' `VideoColorSpace`; `null` is unknown, as there. */
export interface ColorSpace {
  /** Which red, green and blue they are of. */
  readonly primaries?: "bt709" | "bt470bg" | "smpte170m" | "bt2020" | "smpte432" | null;
  /** How they grow with the light. */
  readonly transfer?: "bt709" | "smpte170m" | "iec61966-2-1" | "linear" | "pq" | "hlg" | null;
  /** How they are mixed of red, green and blue. */
  readonly matrix?: "rgb" | "bt709" | "bt470bg" | "smpte170m" | "bt2020-ncl" | null;
  /** Whether they use all values of their bits. */
  readonly fullRange?: boolean | null;
}

/** A field that has one of some values: its number is the place of its value, from 1. New values come last. */
interface Choice extends Kind {
  readonly values?: readonly unknown[];
}

/** What each field of a part may have. A new one without does not compile. */
type Choices<Part> = { readonly [Name in keyof Required<Part>]: Choice };

const FROM_0 = /* @__PURE__ */ required(/* @__PURE__ */ integer(0));
const FROM_1 = /* @__PURE__ */ integer(1);
const SIZE = /* @__PURE__ */ required(FROM_1);

const PICTURE: Choices<Omit<Picture, "visibleRect" | "colorSpace">> = {
  duration: {
    wanted: "a finite number, 0 or more",
    isKind: (value) => typeof value === "number",
    isTaken: (value: number) => value >= 0 && value < Infinity,
  },
  displayWidth: FROM_1,
  displayHeight: FROM_1,
  rotation: /* @__PURE__ */ choice<Picture["rotation"]>(0, 90, 180, 270),
  flip: /* @__PURE__ */ choice<Picture["flip"]>(false, true),
};
const RECT: Choices<VisibleRect> = { x: FROM_0, y: FROM_0, width: SIZE, height: SIZE };
const COLOR_SPACE: Choices<ColorSpace> = {
  primaries: /* @__PURE__ */ choice<ColorSpace["primaries"]>(
    null,
    "bt709",
    "bt470bg",
    "smpte170m",
    "bt2020",
    "smpte432",
  ),
  transfer: /* @__PURE__ */ choice<ColorSpace["transfer"]>(
    null,
    "bt709",
    "smpte170m",
    "iec61966-2-1",
    "linear",
    "pq",
    "hlg",
  ),
  matrix: /* @__PURE__ */ choice<ColorSpace["matrix"]>(null, "rgb", "bt709", "bt470bg", "smpte170m", "bt2020-ncl"),
  fullRange: /* @__PURE__ */ choice<ColorSpace["fullRange"]>(null, false, true),
};

/** How many numbers a picture is. */
export const PICTURE_NUMBERS = 13;

/**
 * A picture as numbers. It runs the code of its author (getters): call it before anything is looked at.
 *
 * @throws {TypeError | RangeError} Naming the field that is wrong; `TypeError` if the format is no image's.
 */
export function encodePicture(picture: Picture, format: FrameFormat): Float64Array {
  checkPicture(picture, format);
  // An array of numbers makes them numbers, here and not where they are written.
  return Float64Array.from(
    partsOf(picture).flatMap(([, part, choices]) =>
      Object.entries(choices).map(([name, { values }]) => {
        const value = part?.[name];
        return values === undefined ? (value as number) : values.indexOf(value) + 1;
      }),
    ),
  );
}

/** @throws {DmaBufError} `EPROTO` if they are damaged. */
export function decodePicture(numbers: readonly number[], format: FrameFormat): Picture {
  let at = 0;
  const [own, visibleRect, colorSpace] = partsOf({}).map(([, , choices]) => {
    const part: Record<string, unknown> = {};
    for (const name in choices) {
      const number = numbers[at++]!;
      const { values } = choices[name]!;
      const value = values === undefined ? number : values[number - 1];
      // What was not given is not a number, or the place of no value.
      if (value !== undefined && !Number.isNaN(value)) part[name] = value;
    }
    return Object.keys(part).length > 0 && part;
  });
  const found: object = { ...own, ...(visibleRect && { visibleRect }), ...(colorSpace && { colorSpace }) };
  const picture = found as Picture;
  try {
    checkPicture(picture, format);
  } catch (cause) {
    throw new DmaBufError("EPROTO", "Cannot read the frame: its picture is damaged", { cause });
  }
  return picture;
}

type Part = [argument: string, fields: Readonly<Record<string, unknown>> | undefined, Readonly<Record<string, Choice>>];

/** In the order of their numbers. */
function partsOf(picture: Picture): Part[] {
  const { visibleRect, colorSpace } = picture;
  return [
    ["picture", picture, PICTURE],
    ["picture.visibleRect", visibleRect, RECT],
    ["picture.colorSpace", colorSpace, COLOR_SPACE],
  ] as Part[];
}

function checkPicture(picture: Picture, { kind, width, height }: FrameFormat): void {
  const call = "Loan.publish()";
  if (kind !== "image")
    throw new TypeError(`${call}: option "picture" must be left out: frames of kind "${kind}" are no images`);
  for (const [argument, part, choices] of partsOf(picture))
    if (part !== undefined) checkObject(call, argument, part, choices);
  const { visibleRect: rect, displayWidth, displayHeight } = picture;
  // WebCodecs takes both or none.
  if (displayWidth !== undefined) check(call, "picture.displayHeight", displayHeight, SIZE);
  if (displayHeight !== undefined) check(call, "picture.displayWidth", displayWidth, SIZE);
  if (rect === undefined) return;
  check(call, "the end of picture.visibleRect", rect.x + rect.width, integer(1, width));
  check(call, "the end of picture.visibleRect", rect.y + rect.height, integer(1, height));
}

function choice<T>(...values: readonly Exclude<T, undefined>[]): Choice {
  return { ...oneOf(values), values };
}
