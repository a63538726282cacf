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

/** @throws {DmaBufError} `EOVERFLOW` if `data` has more bytes as JSON than the stream allows; nothing is written then. */
export function writeMetadata(area: Uint8Array, metadata: FrameMetadata): void {
  const text = metadata.data === undefined ? "" : JSON.stringify(metadata.data);
  const encoded = new Uint8Array(text.length * 3);
  const length = encodeInto(text, encoded);
  if (length > area.length - FIXED_BYTES) {
    const limit = area.length - FIXED_BYTES;
    throw new DmaBufError(
      "EOVERFLOW",
      `Cannot publish the frame: its data have ${length} bytes as JSON, ${limit} are allowed (option "dataBytes")`,
    );
  }
  const view = new DataView(area.buffer, area.byteOffset, FIXED_BYTES);
  view.setFloat64(0, metadata.sequence, true);
  view.setFloat64(8, metadata.timestamp, true);
  view.setFloat64(16, metadata.publishedAt, true);
  view.setUint32(24, length, true);
  if (length > 0) area.set(encoded.subarray(0, length), FIXED_BYTES);
}

export function readMetadata(area: Uint8Array): FrameMetadata {
  const view = new DataView(area.buffer, area.byteOffset, FIXED_BYTES);
  const length = view.getUint32(24, true);
  return {
    sequence: view.getFloat64(0, true),
    timestamp: view.getFloat64(8, true),
    publishedAt: view.getFloat64(16, true),
    data: length === 0 ? undefined : (JSON.parse(decode(area.slice(FIXED_BYTES, FIXED_BYTES + length))) as JsonValue),
  };
}
