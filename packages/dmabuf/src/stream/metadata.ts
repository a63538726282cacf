import { shown } from "../arguments.js";
import { decode, encodeInto } from "../domain/text.js";
import { DmaBufError } from "../errors.js";
import { isLengthOf, type FrameFormat } from "./format.js";
import { decodePicture, PICTURE_NUMBERS, type Picture } from "./picture.js";

/** A value that JSON can carry. It leaves out a field that is `undefined`. */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue | undefined };

/** What travels with a frame. `Data` is what the program says of its data: no code checks it. */
export interface FrameMetadata<Data = JsonValue> {
  /** Counts the stream's frames from 0; a gap means frames that this consumer has missed. */
  readonly sequence: number;
  /** The producer's own time of the frame, in whatever unit it uses. Default: `publishedAt`. */
  readonly timestamp: number;
  /** When the frame was published, in monotonic nanoseconds. */
  readonly publishedAt: number;
  /** What the producer has sent along; `undefined` if nothing. */
  readonly data: Data | undefined;
  /** How the image is to be shown; `undefined` if the producer has not said it. */
  readonly picture: Picture | undefined;
}

/**
 * The metadata of a frame are behind its bytes: three doubles; the length of the JSON text, whether the frame is shorter
 * than its format, and whether it has a picture; the length of a shorter one, as a double; the numbers of the picture, as doubles;
 * the text.
 */
const PICTURE_AT = 40;
const FIXED_BYTES = PICTURE_AT + PICTURE_NUMBERS * 8;
const SHORT = 0x8000_0000;
const PICTURED = 0x4000_0000;

/** JSON of more bytes has no place. */
export const MOST_DATA_BYTES = PICTURED - 1;

/** Bytes that a frame's buffer needs beyond the frame, for JSON of at most `dataBytes`. */
export function metadataSize(dataBytes: number): number {
  return FIXED_BYTES + dataBytes;
}

/** Where metadata begin: behind the frame, aligned for doubles. */
export function metadataOffset(frameSize: number): number {
  return Math.ceil(frameSize / 8) * 8;
}

/**
 * A frame's data as bytes of JSON. It runs the code of their author (`toJSON`, getters): call it before anything is looked at.
 *
 * @throws {DmaBufError} `EOVERFLOW` if they have more bytes than `limit`.
 * @throws {TypeError} For what JSON cannot carry; whatever their author's code throws.
 */
export function encodeData(data: JsonValue | undefined, limit: number): Uint8Array | undefined {
  // Most frames carry no data, and each array costs as much as all the rest here.
  if (data === undefined) return undefined;
  const text = asJson(data);
  if (text === undefined) throw new TypeError(`Cannot publish the frame: JSON carries no ${typeof data}`);
  const encoded = new Uint8Array(text.length * 3);
  const length = encodeInto(text, encoded);
  if (length > limit) {
    throw new DmaBufError(
      "EOVERFLOW",
      `Cannot publish the frame: its data have ${length} bytes as JSON, ${limit} are allowed (option "dataBytes")`,
    );
  }
  return encoded.subarray(0, length);
}

function asJson(data: JsonValue): string | undefined {
  try {
    return JSON.stringify(data);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const message = `Loan.publish(): option "data" must be what JSON can carry, not ${shown(data)}: ${cause.message}`;
    throw new TypeError(message, { cause });
  }
}

/**
 * Fails for nothing.
 *
 * @param area All that the frame has for metadata.
 * @param data What {@link encodeData} made of the frame's.
 * @param length That of a frame which is shorter than its format.
 * @param picture What `encodePicture` made of the frame's.
 */
export function writeMetadata(
  area: DataView,
  sequence: number,
  timestamp: number,
  publishedAt: number,
  data: Uint8Array | undefined,
  length?: number,
  picture?: Float64Array,
): void {
  if (data !== undefined) textIn(area, data.length).set(data);
  area.setFloat64(0, sequence, true);
  area.setFloat64(8, timestamp, true);
  area.setFloat64(16, publishedAt, true);
  let flags = data?.length ?? 0;
  if (length !== undefined) {
    flags += SHORT;
    area.setFloat64(32, length, true);
  }
  if (picture !== undefined) {
    flags += PICTURED;
    picture.forEach((number, i) => area.setFloat64(PICTURE_AT + 8 * i, number, true));
  }
  area.setUint32(24, flags, true);
}

// Read one by one: an object of all four would be made for each frame.

export function sequenceIn(area: DataView): number {
  return area.getFloat64(0, true);
}

export function timestampIn(area: DataView): number {
  return area.getFloat64(8, true);
}

export function publishedAtIn(area: DataView): number {
  return area.getFloat64(16, true);
}

/** Whether a frame has no data, no length of its own and no picture, as most: one look instead of three. */
export function isPlain(area: DataView): boolean {
  return area.getUint32(24, true) === 0;
}

/** @throws {DmaBufError} `EPROTO` if it is damaged. */
export function lengthIn(area: DataView, format: FrameFormat): number {
  if (area.getUint32(24, true) < SHORT) return format.size;
  const length = area.getFloat64(32, true);
  if (isLengthOf(format, length)) return length;
  throw new DmaBufError("EPROTO", "Cannot read the frame: its length is damaged");
}

/** @throws {DmaBufError} `EPROTO` if it is damaged. */
export function pictureIn(area: DataView, format: FrameFormat): Picture | undefined {
  if ((area.getUint32(24, true) & PICTURED) === 0) return undefined;
  const numbers = Array.from({ length: PICTURE_NUMBERS }, (_, i) => area.getFloat64(PICTURE_AT + 8 * i, true));
  return decodePicture(numbers, format);
}

/** @throws {DmaBufError} `EPROTO` if they are damaged. */
export function dataIn(area: DataView): JsonValue | undefined {
  const length = area.getUint32(24, true) & MOST_DATA_BYTES;
  return length === 0 ? undefined : readData(area, length);
}

function textIn({ buffer, byteOffset }: DataView, length: number): Uint8Array {
  return new Uint8Array(buffer, byteOffset + FIXED_BYTES, length);
}

function readData(area: DataView, length: number): JsonValue {
  // Cut short, they could still be JSON, and say something else.
  if (length > area.byteLength - FIXED_BYTES) throw damaged();
  try {
    // A text may also be longer than any string.
    return JSON.parse(decode(textIn(area, length).slice())) as JsonValue;
  } catch (cause) {
    throw damaged(cause);
  }
}

function damaged(cause?: unknown): DmaBufError {
  return new DmaBufError("EPROTO", "Cannot read the frame's data: they are damaged", { cause });
}
