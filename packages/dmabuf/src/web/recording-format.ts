import { FUNCTION, required, type Kinds } from "../arguments.js";
import { decode, encodeInto } from "../domain/text.js";
import { DmaBufError } from "../errors.js";

/**
 * What a recording is: records, one after the other; that of a frame is followed by the frame's bytes.
 *
 *   record   uint32 mark; uint32 length of the text; 4 float64; the text, JSON in UTF-8
 *   first    mark "DBUF"; version, length of the longest text of a frame, 0, 0; the text is a FrameFormat
 *   others   mark "FRAM"; sequence, timestamp, publishedAt, length of the bytes; the text is { data?, picture? }, or empty
 *
 * Numbers are little-endian.
 *
 * recording-format.1. A record is written after the bytes that follow it, and its mark last: what has a mark is whole. What is cut
 *      short, or has zeros for a mark, was being written when the recording ended; all before it is good.
 * recording-format.2. Nothing in a file is believed before it was looked at.
 */

/** What is used of a `FileSystemSyncAccessHandle`. A file of Node.js can be behind it, too. */
export interface RecordingFile {
  /** Reads bytes from a place on, as many as there are, and says how many. */
  read(bytes: Uint8Array, options: { readonly at: number }): number;
  /** Writes bytes to a place, and says how many. */
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  /** Bytes of the file. */
  getSize(): number;
  /** Gives the file that many bytes. */
  truncate(size: number): void;
  /** Has the disk keep what was written. */
  flush(): void;
}

const METHOD = /* @__PURE__ */ required(FUNCTION);
export const RECORDING_FILE: Kinds<RecordingFile> = {
  read: METHOD,
  write: METHOD,
  getSize: METHOD,
  truncate: METHOD,
  flush: METHOD,
};

export const MARK = { HEAD: 0x46554244, FRAME: 0x4d415246 };
export const VERSION = 1;

/** Bytes of a record without its text. */
export const FIXED_BYTES = 40;

/** A record as it was read. */
export interface StoredRecord {
  readonly mark: number;
  /** Four. */
  readonly numbers: readonly number[];
  /** What the text says. */
  readonly value: unknown;
  /** Where the record ends. */
  readonly end: number;
}

/** @param numbers Four. @param value Nothing for no text. */
export function encodeRecord(mark: number, numbers: readonly number[], value?: object): Uint8Array {
  const text = value === undefined ? "" : JSON.stringify(value);
  const bytes = new Uint8Array(FIXED_BYTES + text.length * 3);
  const fields = new DataView(bytes.buffer);
  const length = encodeInto(text, bytes.subarray(FIXED_BYTES));
  fields.setUint32(0, mark, true);
  fields.setUint32(4, length, true);
  numbers.forEach((number, i) => fields.setFloat64(8 + 8 * i, number, true));
  return bytes.subarray(0, FIXED_BYTES + length);
}

/** @returns Nothing for one that is not whole. @throws {DmaBufError} `EPROTO` if its text is damaged. */
export function readRecord(file: RecordingFile, at: number): StoredRecord | undefined {
  const fields = new DataView(new ArrayBuffer(FIXED_BYTES));
  if (!readAll(file, new Uint8Array(fields.buffer), at) || fields.getUint32(0) === 0) return undefined;
  const start = at + FIXED_BYTES;
  const end = start + fields.getUint32(4, true);
  const mark = fields.getUint32(0, true);
  const numbers = [8, 16, 24, 32].map((place) => fields.getFloat64(place, true));
  // What is no recording has no texts either.
  if (mark !== MARK.HEAD && mark !== MARK.FRAME) return { mark, numbers, value: undefined, end };
  if (end > file.getSize()) return undefined;
  const text = new Uint8Array(end - start);
  readAll(file, text, start);
  try {
    return { mark, numbers, value: text.length > 0 ? JSON.parse(decode(text)) : undefined, end };
  } catch (cause) {
    throw new DmaBufError("EPROTO", `Cannot replay: the text at byte ${start} is damaged`, { cause });
  }
}

/** Whether there were so many bytes. */
export function readAll(file: RecordingFile, target: Uint8Array, at: number): boolean {
  let done = 0;
  for (let read = -1; done < target.length && read !== 0; done += read) {
    read = file.read(target.subarray(done), { at: at + done });
  }
  return done === target.length;
}

/** recording-format.1. @throws As {@link writeAll}. */
export function writeRecord(file: RecordingFile, record: Uint8Array, at: number): void {
  writeAll(file, record.subarray(4), at + 4);
  writeAll(file, record.subarray(0, 4), at);
}

/** @throws {DmaBufError} `ENOSPC` if the file takes no more. */
export function writeAll(file: RecordingFile, source: Uint8Array, at: number): void {
  for (let done = 0; done < source.length;) {
    const written = file.write(source.subarray(done), { at: at + done });
    // In a private window of Chromium the error is a negative number, as if it had no sign.
    if (written === 0 || written > source.length - done) throw new DmaBufError("ENOSPC", "The file takes no more");
    done += written;
  }
}
