import { ELEMENTS, PIXEL_FORMATS, type FrameFormat, type PlaneFormat } from "./format.js";

/** More than any format of this library's has. */
const MOST_PLANES = 8;

/**
 * What is wrong with a format that came from elsewhere; `undefined` if nothing is: code that believes it then reads and
 * writes nothing outside the frame.
 */
export function formatDamage(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "it is no object";
  const { kind, size, planes, pixelFormat, width, height, shape, type } = value as Unsure<FrameFormat>;
  if (kind !== "image" && kind !== "tensor" && kind !== "raw") return '"kind" is unknown';
  if (!isPositive(size)) return '"size" is no positive integer';
  if (!Array.isArray(planes) || planes.length === 0 || planes.length > MOST_PLANES) return '"planes" is no such list';
  if (!planes.every((plane) => isPlane(plane, size))) return "a plane does not lie inside the frame";
  if (kind === "image") {
    if (typeof pixelFormat !== "string" || !PIXEL_FORMATS.includes(pixelFormat)) return '"pixelFormat" is unknown';
    if (!isPositive(width) || !isPositive(height)) return "an image needs a width and a height";
  }
  if (kind === "tensor") {
    if (typeof type !== "string" || !Object.hasOwn(ELEMENTS, type)) return '"type" is unknown';
    if (!Array.isArray(shape) || shape.length === 0 || !shape.every(isPositive)) return '"shape" is damaged';
    const bytes = shape.reduce<number>((product, length) => product * length, 1);
    if (bytes * ELEMENTS[type as keyof typeof ELEMENTS].BYTES_PER_ELEMENT !== size) return '"shape" is not the size\'s';
  } else if (type !== undefined) {
    return `a frame of kind "${kind}" has no "type"`;
  }
  return undefined;
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
