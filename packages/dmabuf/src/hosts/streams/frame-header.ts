import { DmaBufError, errorCode, type ErrorCode } from "../../errors.js";
import { isLengthOf, type FrameFormat } from "../../stream/format.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { Picture } from "../../stream/picture.js";

/**
 * What is sent before each frame.
 *
 * frame-header.1. A header is 64 bytes, all numbers little-endian: magic (u32), version (u8), kind (u8), zero (u16), the frame's
 *      length (u64), the length of its JSON (u32), how many frames were missed before it (u32), its number (f64), its timestamp
 *      (f64), an errno (u32), and zeros. The JSON comes next, and then the bytes.
 * frame-header.2. A header is believed only if each number in it can be one of a frame of the stream's format. That is looked at
 *      before there is a place for the frame.
 * frame-header.3. What a kind does not need is zero.
 */
export type Header =
  | {
      readonly kind: "frame";
      /** Bytes. */
      readonly length: number;
      /** Bytes of JSON. */
      readonly dataLength: number;
      readonly missed: number;
      readonly sequence: number;
      readonly timestamp: number;
    }
  /** The sender lives, and has nothing to say. */
  | { readonly kind: "beat" }
  | { readonly kind: "end" }
  | { readonly kind: "fail"; readonly code: ErrorCode };

/** What travels with a frame besides the numbers of its header. */
export interface FrameData {
  readonly data?: JsonValue | undefined;
  readonly picture?: Picture | undefined;
}

export const HEADER_BYTES = 64;
/** Of JSON beside a frame's data. */
const MOST_BESIDE_DATA = 1024;
export const MOST_MISSED = 2 ** 24 - 1;

const MAGIC = 0x66_62_6d_64;
const VERSION = 1;
const KINDS = ["frame", "beat", "end", "fail"] as const;

export function encodeHeader(header: Header): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint8(5, KINDS.indexOf(header.kind) + 1);
  if (header.kind === "frame") {
    view.setBigUint64(8, BigInt(header.length), true);
    view.setUint32(16, header.dataLength, true);
    view.setUint32(20, header.missed, true);
    view.setFloat64(24, header.sequence, true);
    view.setFloat64(32, header.timestamp, true);
  }
  if (header.kind === "fail") view.setUint32(40, new DmaBufError(header.code, "").errno, true);
  return new Uint8Array(view.buffer);
}

/** @throws {DmaBufError} `EPROTO` if it can be none of a stream of that format (frame-header.2). */
export function decodeHeader(bytes: Uint8Array, format: FrameFormat, dataBytes: number): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const kind = KINDS[view.getUint8(5) - 1];
  if (view.getUint32(0, true) !== MAGIC || view.getUint8(4) !== VERSION || kind === undefined) {
    throw damaged("it is none of this version");
  }
  const header = headerIn(view, kind, format, dataBytes);
  // frame-header.3
  if (encodeHeader(header).some((byte, i) => byte !== bytes[i])) throw damaged("what must be zero is not");
  return header;
}

function headerIn(view: DataView, kind: (typeof KINDS)[number], format: FrameFormat, dataBytes: number): Header {
  if (kind === "fail") {
    const code = errorCode(view.getUint32(40, true));
    return { kind, code };
  }
  if (kind !== "frame") return { kind };
  const length = Number(view.getBigUint64(8, true));
  const dataLength = view.getUint32(16, true);
  const missed = view.getUint32(20, true);
  const sequence = view.getFloat64(24, true);
  const timestamp = view.getFloat64(32, true);
  if (!isLengthOf(format, length)) throw damaged(`a frame of the format has no ${length} bytes`);
  if (dataLength > dataBytes + MOST_BESIDE_DATA) throw damaged(`its data have ${dataLength} bytes`);
  if (missed > MOST_MISSED) throw damaged(`${missed} frames are missed`);
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw damaged(`its number is ${sequence}`);
  if (!Number.isFinite(timestamp)) throw damaged(`its timestamp is ${timestamp}`);
  return { kind, length, dataLength, missed, sequence, timestamp };
}

/** How many bytes of JSON may come before a frame. */
export function mostData(dataBytes: number): number {
  return dataBytes + MOST_BESIDE_DATA;
}

/** @returns Nothing if nothing travels with the frame. */
export function encodeFrameData({ data, picture }: FrameData): Uint8Array | undefined {
  if (data === undefined && picture === undefined) return undefined;
  return Buffer.from(JSON.stringify({ data, picture }));
}

/** @throws {DmaBufError} `EPROTO` if that is damaged. What is in a picture the publication looks at. */
export function decodeFrameData(bytes: Uint8Array): FrameData {
  try {
    const value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")) as unknown;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("It is no object");
    return value;
  } catch (cause) {
    throw new DmaBufError("EPROTO", "Cannot take the frame from another host: its data are damaged", { cause });
  }
}

function damaged(why: string): DmaBufError {
  return new DmaBufError("EPROTO", `Cannot take the frame from another host: its header is damaged: ${why}`);
}
