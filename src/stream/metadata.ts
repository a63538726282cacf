import { decode, encodeInto } from "../domain/text.js";
import { DmaBufError } from "../errors.js";

/** A value that JSON can carry. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What travels with a frame. */
export interface FrameMetadata {
  /** Counts the stream's frames from 0; a gap means frames that this consumer has missed. */
  readonly sequence: number;
  /** The producer's own time of the frame, in whatever unit it uses. Default: `publishedAt`. */
  readonly timestamp: number;
  /** When the frame was published, in monotonic nanoseconds. */
  readonly publishedAt: number;
  readonly data: JsonValue | undefined;
}

/** The metadata of a frame stands behind its bytes: three doubles, the length of the JSON text, and the text. */
const FIXED_BYTES = 32;

/** Bytes that a frame's buffer needs beyond the frame, for JSON of at most `dataBytes`. */
export function metadataSize(dataBytes: number): number {
  return FIXED_BYTES + dataBytes;
}

/** Where metadata begin: behind the frame, aligned for doubles. */
export function metadataOffset(frameSize: number): number {
  return Math.ceil(frameSize / 8) * 8;
}

/**
 * @param area All that the frame has for metadata.
 * @throws {DmaBufError} `EOVERFLOW` if `data` has more bytes as JSON than the stream allows; nothing is written then.
 */
export function writeMetadata(area: DataView, metadata: FrameMetadata): void {
  // Most frames carry no data, and each array costs as much as all the rest here.
  const length = metadata.data === undefined ? 0 : writeText(area, JSON.stringify(metadata.data));
  area.setFloat64(0, metadata.sequence, true);
  area.setFloat64(8, metadata.timestamp, true);
  area.setFloat64(16, metadata.publishedAt, true);
  area.setUint32(24, length, true);
}

function writeText(area: DataView, text: string): number {
  const encoded = new Uint8Array(text.length * 3);
  const length = encodeInto(text, encoded);
  const limit = area.byteLength - FIXED_BYTES;
  if (length > limit) {
    throw new DmaBufError(
      "EOVERFLOW",
      `Cannot publish the frame: its data have ${length} bytes as JSON, ${limit} are allowed (option "dataBytes")`,
    );
  }
  textIn(area, length).set(encoded.subarray(0, length));
  return length;
}

/** @throws {DmaBufError} `EPROTO` if somebody has damaged them. */
export function readMetadata(area: DataView): FrameMetadata {
  const length = area.getUint32(24, true);
  return {
    sequence: area.getFloat64(0, true),
    timestamp: area.getFloat64(8, true),
    publishedAt: area.getFloat64(16, true),
    data: length === 0 ? undefined : readData(area, length),
  };
}

function textIn({ buffer, byteOffset }: DataView, length: number): Uint8Array {
  return new Uint8Array(buffer, byteOffset + FIXED_BYTES, length);
}

function readData(area: DataView, length: number): JsonValue {
  // Cut short, they could still be JSON, and say something else.
  if (length > area.byteLength - FIXED_BYTES) throw damaged();
  const text = decode(textIn(area, length).slice());
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw damaged(cause);
  }
}

function damaged(cause?: unknown): DmaBufError {
  return new DmaBufError("EPROTO", "Cannot read the frame's data: they are damaged", { cause });
}
