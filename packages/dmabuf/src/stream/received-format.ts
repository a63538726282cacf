import { damagedField } from "../arguments.js";
import {
  ELEMENTS,
  PIXEL_FORMATS,
  type ElementType,
  type FrameFormat,
  type PixelFormat,
  type PlaneFormat,
} from "./format.js";

/** More than any format of this library's has. */
const MOST_PLANES = 8;

/**
 * What is wrong with a format that came from elsewhere; `undefined` if nothing is: code that believes it then reads and
 * writes nothing outside the frame.
 */
export function formatDamage(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "it is no object";
  const { kind, size, planes, pixelFormat, width, height, shape, type } = value as Unsure<FrameFormat>;
  const isImage = kind === "image";
  const isTensor = kind === "tensor";
  const damaged = damagedField({
    kind: isImage || isTensor || kind === "raw",
    size: isPositive(size),
    planes: isPositive(size) && isList(planes, MOST_PLANES) && planes.every((plane) => isPlane(plane, size)),
    pixelFormat: !isImage || PIXEL_FORMATS.includes(pixelFormat as PixelFormat),
    width: !isImage || isPositive(width),
    height: !isImage || isPositive(height),
    type: isTensor ? typeof type === "string" && Object.hasOwn(ELEMENTS, type) : type === undefined,
    shape: !isTensor || (isList(shape, Infinity) && shape.every(isPositive) && bytesOf(shape, type) === size),
  });
  return damaged && `"${damaged}" of it is wrong`;
}

function isList(value: unknown, most: number): value is unknown[] {
  return Array.isArray(value) && value.length >= 1 && value.length <= most;
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
