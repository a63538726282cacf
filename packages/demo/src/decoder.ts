import { DmaBufError } from "dmabuf";
import { FfmpegMessages, secondsOf } from "./ffmpeg-messages.js";
import { FrameReader, type Loan } from "./frame-reader.js";
import { Program } from "./program.js";
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
  /** Begins again at the end, without end. */
  readonly loop?: boolean;
  /** At the video's own speed instead of as fast as possible. */
  readonly realTime?: boolean;
  readonly signal: AbortSignal;
  /** Ends the decoding as if the video ended here. */
  readonly stop: AbortSignal;
}

/**
 * Decodes a video to NV12, each frame straight into a loan.
 *
 * @param take Waits for a loan of the frame's size.
 * @returns How many frames were published.
 * @throws {DmaBufError} `EIO` when ffmpeg fails or the video ends before its end; the signal's reason when aborted.
 *   No process is left in either case.
 */
export async function decode(options: DecodeOptions, take: () => Promise<Loan>): Promise<number> {
  const { signal, stop } = options;
  signal.throwIfAborted();
  using reader = new FrameReader(await take(), take);
  const { reader: socket, writer } = await connectSocketPair(reader.onread);
  using _sockets = { [Symbol.dispose]: () => [socket, writer].forEach((each) => each.destroy()) };
  const messages = new FfmpegMessages(options.video.input);
  let failure: unknown;
  socket.on("error", (error) => (failure ??= error));
  const socketClosed = new Promise((resolve) => socket.once("close", resolve));
  reader.start(socket);

  const ffmpeg = new Program(options.ffmpeg, decodeArguments(options), ["ignore", writer, "pipe", "pipe"]);
  writer.destroy();
  let progress = "";
  ffmpeg.read(2, (text) => messages.add(text));
  // What it said last is all that counts.
  ffmpeg.read(3, (text) => (progress = (progress + text).slice(-1024)));
  const abort = (): void => {
    ffmpeg.kill();
    socket.destroy(signal.reason as Error);
  };
  const finish = (): void => {
    ffmpeg.kill();
    // What it started may have the other end.
    const close = (): void => void socket.destroy();
    ffmpeg.ended.then(close, close);
  };
  signal.addEventListener("abort", abort, { once: true });
  stop.addEventListener("abort", finish, { once: true });
  if (signal.aborted) abort();
  if (stop.aborted) finish();
  try {
    await socketClosed;
    if (failure !== undefined) ffmpeg.kill();
    const exit = await ffmpeg.ended;
    signal.throwIfAborted();
    if (failure !== undefined) throw failure as Error;
    if (!stop.aborted) checkEnding(options, reader, { exit, lastTime: lastTimeIn(progress) }, messages);
    return reader.frames;
  } finally {
    ffmpeg.kill();
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

function lastTimeIn(progress: string): number {
  const time = /.*^out_time=([\d:.]+)$/ms.exec(progress)?.[1];
  return time === undefined ? 0 : secondsOf(time);
}

function checkEnding(
  { video, from = 0, frames, loop }: DecodeOptions,
  reader: FrameReader,
  { exit, lastTime }: Ending,
  messages: FfmpegMessages,
): void {
  if (exit !== 0) {
    throw new DmaBufError("EIO", `ffmpeg ended with ${exit} while decoding ${video.name}: ${messages.lastWords(3)}`);
  }
  if (loop || (frames !== undefined && reader.frames >= frames)) return;
  // Nothing was left to decode.
  if (from > 0 && reader.frames === 0) return;
  if (reader.frames === 0) throw new DmaBufError("EIO", `${video.name} has no picture that ffmpeg can decode`);
  // The missing part may be of the sound only, unless ffmpeg complained, too.
  const missing = isShort(video.duration, lastTime, from + reader.frames) && (!video.hasSound || messages.any);
  if (!missing && !messages.cutOff && reader.partial === 0) return;
  const of = video.duration === undefined ? "" : ` of ${video.duration.toFixed(1)}`;
  const reason = messages.any ? ` (${messages.lastWords(3)})` : "";
  throw new DmaBufError(
    "EIO",
    `${video.name} ended in the middle, after ${from + reader.frames} frames at ${lastTime.toFixed(1)}${of} s${reason}`,
  );
}

/** Whether more is missing than the last frame, which may last long in a video of few pictures. */
function isShort(duration: number | undefined, lastTime: number, frames: number): boolean {
  if (duration === undefined) return false;
  const interval = lastTime / Math.max(1, frames - 1);
  return duration - lastTime > Math.max(1, duration * 0.1, 3 * interval);
}
