import { ABORT_SIGNAL, checkObject, checkOptions, integer, type Kinds } from "../arguments.js";
import { codeOf, DmaBufError } from "../errors.js";
import type { AbortSignalLike } from "../host/abort.js";
import { checkSource, type FrameSource } from "../stream/frame-source.js";
import {
  encodeRecord,
  FIXED_BYTES,
  MARK,
  RECORDING_FILE,
  VERSION,
  writeAll,
  writeRecord,
  type RecordingFile,
} from "./recording-format.js";
import { turns } from "./turns.js";

/** Options of {@link recordTo}. */
export interface RecordOptions {
  /** Ends the recording: the call resolves with what was recorded until then. */
  readonly signal?: AbortSignalLike | undefined;
  /** Bytes that the file may have. The recording ends before the frame that would exceed it. Default: no limit. */
  readonly limit?: number;
}

/** What {@link recordTo} has written. */
export interface Recorded {
  /** How many frames. */
  readonly frames: number;
  /** Bytes of the file. */
  readonly bytes: number;
}

const OPTIONS: Kinds<RecordOptions> = { signal: ABORT_SIGNAL, limit: /* @__PURE__ */ integer(0) };

/**
 * Records frames to a file of the browser's own (OPFS), until they end: their bytes, from the shared memory itself, and all
 * that travels with them. {@link replayFrom} plays it. At the end the source is left; the file stays open.
 *
 * The file is emptied first. Each frame is whole in it, or is not there: also after a crash, and when there is no more room. A
 * file without a frame is empty.
 *
 * @param file A `FileSystemSyncAccessHandle`, which only workers have: `createSyncAccessHandle()` of a file of
 *   `navigator.storage.getDirectory()`.
 * @param source A `Consumer`, or what else gives frames.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `ENOSPC` if there is no more room: what is in the file stays, and can be played.
 * @throws What the source fails with: what is in the file stays.
 *
 * @example
 * ```ts page
 * import type { FrameStream } from "dmabuf";
 * import { recordTo, type RecordingFile } from "dmabuf/web/recording";
 *
 * declare const stream: FrameStream;
 * declare const file: RecordingFile; // of createSyncAccessHandle()
 * const { frames, bytes } = await recordTo(file, stream.frames(), { signal: AbortSignal.timeout(5000) });
 * console.log(frames, bytes);
 * ```
 */
export async function recordTo(
  file: RecordingFile,
  source: FrameSource,
  options: RecordOptions = {},
): Promise<Recorded> {
  const call = "recordTo()";
  checkObject(call, "file", file, RECORDING_FILE);
  checkSource(call, source);
  checkOptions(call, options, OPTIONS);
  const { signal, limit = Infinity } = options;
  const stop = (): void => source.close();
  const turn = turns();
  let [frames, bytes, longest] = [0, 0, 0];
  signal?.addEventListener("abort", stop);
  try {
    file.truncate(0);
    while (!signal?.aborted) {
      const frame = await source.next();
      if (frame === undefined) break;
      try {
        const { format, length, sequence, timestamp, publishedAt, data, picture } = frame;
        const about = data === undefined && picture === undefined ? undefined : { data, picture };
        const record = encodeRecord(MARK.FRAME, [sequence, timestamp, publishedAt, length], about);
        const text = record.length - FIXED_BYTES;
        const head = encodeRecord(MARK.HEAD, [VERSION, Math.max(longest, text), 0, 0], format);
        const start = bytes || head.length;
        const end = start + record.length + length;
        if (end > limit) break;
        if (frames === 0 || text > longest) {
          writeRecord(file, head, 0);
          longest = text;
        }
        // recording-format.1
        writeAll(file, frame.bytes, start + record.length);
        writeRecord(file, record, start);
        bytes = end;
        frames++;
      } finally {
        frame.close();
      }
      await turn();
    }
  } catch (cause) {
    try {
      file.truncate(bytes);
      file.flush();
    } catch {
      // It was closed, or has failed itself.
    }
    if (codeOf(cause) !== "ENOSPC") throw cause;
    throw new DmaBufError("ENOSPC", `Cannot record more than ${frames} frames, ${bytes} bytes: there is no room`, {
      cause,
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    source.close();
  }
  file.flush();
  return { frames, bytes };
}
