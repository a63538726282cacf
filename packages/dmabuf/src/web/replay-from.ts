import {
  ABORT_SIGNAL,
  check,
  checkObject,
  checkOptions,
  integer,
  isCount,
  oneOf,
  shown,
  type Kinds,
} from "../arguments.js";
import { codeOf, DmaBufError } from "../errors.js";
import type { AbortSignalLike } from "../host/abort.js";
import type { StreamMembers } from "../stream/feature.js";
import { isLengthOf, type FrameFormat } from "../stream/format.js";
import type { PublishOptions } from "../stream/frame.js";
import type { FrameStream } from "../stream/frame-stream.js";
import { formatDamage } from "../stream/received-format.js";
import { having } from "./method-kind.js";
import { MARK, readAll, readRecord, RECORDING_FILE, VERSION, type RecordingFile } from "./recording-format.js";
import { turns } from "./turns.js";

/** Options of {@link replayFrom}. */
export interface ReplayOptions {
  /** How many frames can be on their way or in use at the same time, from 1 to 32. Default 4. */
  readonly buffers?: number;
  /** When frames are published: as they were, or as soon as there is a buffer. Default `"recorded"`. */
  readonly rate?: "recorded" | "fast";
  /** Ends the replay: the stream fails with `ECANCELED`. */
  readonly signal?: AbortSignalLike | undefined;
}

const DOMAIN = /* @__PURE__ */ having("createStream", "a Domain of dmabuf");
const OPTIONS: Kinds<ReplayOptions> = {
  buffers: /* @__PURE__ */ integer(1, 32),
  rate: /* @__PURE__ */ oneOf(["recorded", "fast"]),
  signal: ABORT_SIGNAL,
};

/**
 * Plays what {@link recordTo} has recorded: a stream whose frames have the bytes, the timestamps, the data and the pictures of
 * those. The bytes are read from the file into the shared memory itself.
 *
 * It begins with the first consumer, and the stream ends with the recording. If the last frame is not whole, the stream fails with
 * `ENODATA` after the frames before it; with `EPROTO` at a frame that is damaged. Closing or ending the stream ends the replay. The file
 * stays open; do not close it before.
 *
 * @param file As that of {@link recordTo}.
 * @param domain One that this thread has joined.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `ENODATA` if nothing was recorded; `EPROTO` if it is no recording, or of another version; what
 *   `domain.createStream()` fails with.
 *
 * @example
 * ```ts page
 * import type { Domain } from "dmabuf";
 * import { replayFrom, type RecordingFile } from "dmabuf/web/recording";
 *
 * declare const domain: Domain;
 * declare const file: RecordingFile; // of createSyncAccessHandle()
 * const stream = await replayFrom(file, domain, { rate: "fast" });
 * for await (using frame of stream.frames()) console.log(frame.timestamp, frame.length);
 * ```
 */
export async function replayFrom(
  file: RecordingFile,
  domain: Pick<StreamMembers, "createStream">,
  options: ReplayOptions = {},
): Promise<FrameStream> {
  const call = "replayFrom()";
  checkObject(call, "file", file, RECORDING_FILE);
  check(call, "domain", domain, DOMAIN);
  checkOptions(call, options, OPTIONS);
  const head = readRecord(file, 0);
  if (head === undefined) throw new DmaBufError("ENODATA", "Cannot replay: nothing was recorded");
  const { mark, numbers, value, end } = head;
  const [version, dataBytes] = numbers;
  const damage =
    mark !== MARK.HEAD
      ? `the file is no recording: it begins with ${shown(letters(mark))}, and not with "DBUF"`
      : version !== VERSION
        ? `the recording has version ${version}, and version ${VERSION} is known`
        : isCount(dataBytes) && dataBytes <= file.getSize()
          ? formatDamage(value)
          : "the length of its texts is wrong";
  if (damage !== undefined) throw new DmaBufError("EPROTO", `Cannot replay: ${damage}`);
  const { buffers, rate, signal } = options;
  const stream = domain.createStream({
    format: value as FrameFormat,
    name: "replay",
    dataBytes: dataBytes!,
    ...(buffers !== undefined && { buffers }),
  });
  void play(file, end, stream, rate !== "fast", signal);
  return stream;
}

/** Of a mark. */
function letters(mark: number): string {
  return String.fromCharCode(...[0, 8, 16, 24].map((bit) => (mark >> bit) & 255));
}

async function play(
  file: RecordingFile,
  at: number,
  stream: FrameStream,
  isTimed: boolean,
  signal: AbortSignalLike | undefined,
): Promise<void> {
  const waits = { signal };
  const turn = turns();
  let begin: number | undefined;
  try {
    await stream.waitForConsumers(1, waits);
    for (const size = file.getSize(); at < size;) {
      const record = readRecord(file, at);
      if (record === undefined) return stream.fail("ENODATA");
      const { mark, numbers, value, end } = record;
      const [, timestamp, publishedAt, length] = numbers as [number, number, number, number];
      if (mark !== MARK.FRAME || !isLengthOf(stream.format, length)) return stream.fail("EPROTO");
      at = end + length;
      if (at > size) return stream.fail("ENODATA");
      const loan = await stream.loan(waits);
      try {
        if (loan === undefined) return;
        readAll(file, loan.bytes.subarray(0, length), end);
        const time = publishedAt / 1e6;
        begin ??= performance.now() - time;
        if (isTimed) await sleep(begin + time - performance.now(), signal);
        signal?.throwIfAborted();
        // What is wrong of it is refused; what else there is is not looked at.
        loan.publish({ ...(value as PublishOptions | undefined), timestamp, length });
      } finally {
        loan?.close();
      }
      await turn();
    }
    stream.end();
  } catch (error) {
    // Where it has ended, it was the program that has ended it.
    if (stream.hasEnded) return;
    const isRefused = error instanceof TypeError || error instanceof RangeError;
    stream.fail(signal?.aborted ? "ECANCELED" : isRefused ? "EPROTO" : codeOf(error));
  }
}

async function sleep(ms: number, signal: AbortSignalLike | undefined): Promise<void> {
  if (ms <= 0) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(wake, ms);
    function wake(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    }
    signal?.addEventListener("abort", wake);
  });
}
