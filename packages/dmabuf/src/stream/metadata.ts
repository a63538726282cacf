import { shown } from "../arguments.js";
import { decode, encodeInto } from "../domain/text.js";
import { DmaBufError } from "../errors.js";
import { isLengthOf, type FrameFormat } from "./format.js";

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
}

/**
 * The metadata of a frame are behind its bytes: three doubles; the length of the JSON text, and whether the frame is shorter
 * than its format; the length of such a frame, as a double; the text.
 */
const FIXED_BYTES = 40;
const SHORT = 0x8000_0000;

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
 */
export function writeMetadata(
  area: DataView,
  sequence: number,
  timestamp: number,
  publishedAt: number,
  data: Uint8Array | undefined,
  length?: number,
): void {
  if (data !== undefined) textIn(area, data.length).set(data);
  area.setFloat64(0, sequence, true);
  area.setFloat64(8, timestamp, true);
  area.setFloat64(16, publishedAt, true);
  const dataLength = data?.length ?? 0;
  area.setUint32(24, length === undefined ? dataLength : dataLength + SHORT, true);
  if (length !== undefined) area.setFloat64(32, length, true);
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

/** Whether a frame has neither data nor a length of its own, as most: one look instead of two. */
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

/** @throws {DmaBufError} `EPROTO` if they are damaged. */
export function dataIn(area: DataView): JsonValue | undefined {
  const length = area.getUint32(24, true) & (SHORT - 1);
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
