import { damagedField, isWhole } from "../arguments.js";
import { audioFormat, type AudioFormatOptions } from "./audio-format.js";
import {
  ELEMENTS,
  PIXEL_FORMATS,
  type ElementType,
  type FrameFormat,
  type PixelFormat,
  type PlaneFormat,
} from "./format.js";

/** As many as audio can have channels. */
const MOST_PLANES = 64;

/**
 * What is wrong with a format that came from elsewhere; `undefined` if nothing is: code that believes it then reads and
 * writes nothing outside the frame.
 */
export function formatDamage(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "it is no object";
  const { kind, size, planes, pixelFormat, width, height, shape, type, layout } = value as Unsure<FrameFormat>;
  const isImage = kind === "image";
  const isTensor = kind === "tensor";
  const isAudio = kind === "audio";
  const damaged = damagedField({
    kind: isImage || isTensor || isAudio || kind === "raw",
    size: isPositive(size),
    planes: isPositive(size) && isList(planes, MOST_PLANES) && planes.every((plane) => isPlane(plane, size)),
    pixelFormat: !isImage || PIXEL_FORMATS.includes(pixelFormat as PixelFormat),
    width: !isImage || isPositive(width),
    height: !isImage || isPositive(height),
    type: isTensor ? typeof type === "string" && Object.hasOwn(ELEMENTS, type) : isAudio || type === undefined,
    layout: isAudio || layout === undefined,
    shape: !isTensor || (isList(shape, Infinity) && shape.every(isPositive) && bytesOf(shape, type) === size),
  });
  if (damaged !== undefined) return `"${damaged}" of it is wrong`;
  return isAudio ? audioDamage(value) : undefined;
}

/** Everything in such a format follows from what it is made of. */
function audioDamage(value: object): string | undefined {
  try {
    return has(value, audioFormat(value as AudioFormatOptions)) ? undefined : "it does not fit its own samples";
  } catch (error) {
    return (error as Error).message;
  }
}

/** Whether a value has all that another has. */
function has(value: unknown, other: unknown): boolean {
  if (typeof value !== "object" || typeof other !== "object") return value === other;
  return Object.entries(other!).every(([name, part]) => has((value as Record<string, unknown>)[name], part));
}

function isList(value: unknown, most: number): value is unknown[] {
  return Array.isArray(value) && value.length >= 1 && value.length <= most && isWhole(value);
}

/** Not a number for an unknown type. */
function bytesOf(shape: readonly number[], type: unknown): number {
  const bytes = ELEMENTS[type as ElementType]?.BYTES_PER_ELEMENT;
  return shape.reduce((product, length) => product * length, bytes);
}

type Unsure<T> = { readonly [Key in keyof T]?: unknown };

function isPlane(value: unknown, size: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { offset, stride, width, height, bytesPerSample } = value as Unsure<PlaneFormat>;
  if (!isPositive(stride) || !isPositive(width) || !isPositive(height) || !isPositive(bytesPerSample)) return false;
  if (offset !== 0 && !isPositive(offset)) return false;
  return width * bytesPerSample <= stride && offset + stride * height <= size;
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}
