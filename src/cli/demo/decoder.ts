import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { DmaBufError } from "../../errors.js";
import { FfmpegMessages, secondsOf } from "./ffmpeg-messages.js";
import { FrameReader, type Blank } from "./frame-reader.js";
import { connectSocketPair } from "./socket-pair.js";
import type { Video } from "./video.js";

export interface DecodeOptions {
  /** Path of the program. */
  readonly ffmpeg: string;
  readonly video: Video;
  /** Leaves out so many frames at the video's start. Default 0. */
  readonly from?: number;
  /** Ends after so many frames. */
  readonly frames?: number | undefined;
  /** Begins anew at the end, for ever. */
  readonly loop?: boolean;
  /** At the video's own speed instead of as fast as possible. */
  readonly realTime?: boolean;
  readonly signal: AbortSignal;
  /** Ends the decoding as if the video ended here. */
  readonly stop: AbortSignal;
}

/**
 * Decodes a video to NV12, each frame straight into a blank.
 *
 * @param take Waits for a blank of the frame's size.
 * @returns How many frames were published.
 * @throws {DmaBufError} `EIO` when ffmpeg fails or the video ends before its end; the signal's reason when aborted.
 *   No process is left in either case.
 */
export async function decode(options: DecodeOptions, take: () => Promise<Blank>): Promise<number> {
  const { signal, stop } = options;
  signal.throwIfAborted();
  using reader = new FrameReader(await take(), take);
  const { reader: socket, writer } = await connectSocketPair(reader.onread);
  const messages = new FfmpegMessages(options.video.input);
  let failure: unknown;
  socket.on("error", (error) => (failure ??= error));
  const socketClosed = new Promise((resolve) => socket.once("close", resolve));
  reader.start(socket);

  const ffmpeg = spawn(options.ffmpeg, decodeArguments(options), { stdio: ["ignore", writer, "pipe", "pipe"] });
  writer.destroy();
  const ended = ending(ffmpeg, messages);
  // It is awaited below; a failure to start must not count as unhandled until then.
  ended.catch(() => {});
  const abort = (): void => void socket.destroy(signal.reason as Error);
  const finish = (): void => void ffmpeg.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  stop.addEventListener("abort", finish, { once: true });
  if (signal.aborted) abort();
  if (stop.aborted) finish();
  try {
    await socketClosed;
    if (failure !== undefined) ffmpeg.kill("SIGKILL");
    const end = await ended;
    signal.throwIfAborted();
    if (failure !== undefined) throw failure as Error;
    if (!stop.aborted) checkEnding(options, reader, end, messages);
    return reader.frames;
  } finally {
    signal.removeEventListener("abort", abort);
    stop.removeEventListener("abort", finish);
  }
}

function decodeArguments({ video, from = 0, frames, loop, realTime }: DecodeOptions): string[] {
  const leftOut = from === 0 ? "" : `select=gte(n\\,${from}),`;
  return [
    ...["-nostdin", "-hide_banner", "-nostats", "-loglevel", "warning", "-progress", "pipe:3"],
    ...(loop ? ["-stream_loop", "-1"] : []),
    ...(realTime ? ["-re"] : []),
    ...["-i", video.input, "-map", "0:V:0", ...video.everyFrameOnce],
    ...(frames === undefined ? [] : ["-frames:v", String(frames)]),
    // The size is named because a stream may change its own in the middle.
    ...["-vf", `${leftOut}scale=${video.width}:${video.height}`, "-pix_fmt", "nv12", "-f", "rawvideo", "pipe:1"],
  ];
}

/** How the process ended. */
interface Ending {
  /** An exit code, or the name of the signal that ended it. */
  readonly exit: number | string;
  /** The video's own time at the last frame, in seconds. */
  readonly lastTime: number;
}

async function ending(ffmpeg: ChildProcess, messages: FfmpegMessages): Promise<Ending> {
  let progress = "";
  ffmpeg.stderr?.setEncoding("utf8").on("data", (text: string) => messages.add(text));
  // What it said last is all that counts.
  (ffmpeg.stdio[3] as Readable)
    .setEncoding("utf8")
    .on("data", (text: string) => (progress = (progress + text).slice(-1024)));
  try {
    const [code, signal] = (await once(ffmpeg, "close")) as [number | null, string | null];
    const time = /.*^out_time=([\d:.]+)$/ms.exec(progress)?.[1];
    return { exit: code ?? signal ?? "unknown", lastTime: time === undefined ? 0 : secondsOf(time) };
  } catch (error) {
    throw new DmaBufError("EIO", `Cannot run ffmpeg: ${(error as Error).message}`, { cause: error });
  }
}

function checkEnding(
  { video, from = 0, frames, loop }: DecodeOptions,
  reader: FrameReader,
  { exit, lastTime }: Ending,
  messages: FfmpegMessages,
): void {
  if (exit !== 0) {
    throw new DmaBufError("EIO", `ffmpeg ended with ${exit} while decoding ${video.name}: ${messages.lastWords}`);
  }
  if (loop || (frames !== undefined && reader.frames >= frames)) return;
  // Nothing was left to decode.
  if (from > 0 && reader.frames === 0) return;
  // The missing part may be of the sound only, unless ffmpeg complained, too.
  const missing = isShort(video.duration, lastTime, from + reader.frames) && (!video.hasSound || messages.any);
  if (!missing && !messages.cutOff && reader.partial === 0) return;
  const of = video.duration === undefined ? "" : ` of ${video.duration.toFixed(1)}`;
  const reason = messages.any ? ` (${messages.lastWords})` : "";
  throw new DmaBufError(
    "EIO",
    `${video.name} ended in the middle, after ${from + reader.frames} frames at ${lastTime.toFixed(1)}${of} s${reason}`,
  );
}

/** Whether more is missing than the last frame, which may stand for long in a video of few pictures. */
function isShort(duration: number | undefined, lastTime: number, frames: number): boolean {
  if (duration === undefined) return false;
  const interval = lastTime / Math.max(1, frames - 1);
  return duration - lastTime > Math.max(1, duration * 0.1, 3 * interval);
}
