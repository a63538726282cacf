import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { basename } from "node:path";
import { DmaBufError } from "../../errors.js";
import { lastWords, secondsOf } from "./ffmpeg-messages.js";

/** What the demo knows of a video before it decodes it. */
export interface Video {
  /** As ffmpeg is to be told it. */
  readonly input: string;
  /** For people. */
  readonly name: string;
  /** In pixels, even, as decoded: turned if the file says so. */
  readonly width: number;
  readonly height: number;
  /** Frames in a second, on average. */
  readonly frameRate: number;
  /** How long it lasts, in seconds, where the file says so. */
  readonly duration: number | undefined;
  /** With sound, the file's length may be the sound's. */
  readonly hasSound: boolean;
  readonly colour: Colour;
  /** What tells this version of ffmpeg to neither repeat nor leave out frames. */
  readonly everyFrameOnce: readonly string[];
}

/** How luma and chroma make colours. */
export interface Colour {
  readonly matrix: "bt601" | "bt709";
  readonly fullRange: boolean;
}

/**
 * Decodes one frame of a file (or of an address with a scheme, such as `rtsp://…`) to learn what it is.
 *
 * @throws {DmaBufError} `ENOENT` or `EACCES` if it cannot be opened, `EINVAL` if it is no video.
 */
export async function probe(ffmpeg: string, file: string, signal?: AbortSignal): Promise<Video> {
  const input = inputOf(file);
  const name = basename(file);
  const { failed, stdout, stderr } = await decodeOneFrame(ffmpeg, input, signal);
  // ffmpeg draws text files as pictures.
  if (/^Input #0, tty,/m.test(stderr)) throw new DmaBufError("EINVAL", `${name} is no video but a text`);
  const size = /^#dimensions 0: (\d+)x(\d+)/m.exec(stdout);
  const frame = /^0,/m.test(stdout);
  if (failed || size === null || !frame) throw new DmaBufError("EINVAL", noVideo(name, input, stderr));

  const stream = /^\s*Stream #0:\d.*: Video: (?!.*\(attached pic\))(.*)$/m.exec(stderr)?.[1] ?? "";
  const [width, height] = [evenBelow(Number(size[1])), evenBelow(Number(size[2]))];
  return {
    input,
    name,
    width,
    height,
    frameRate: frameRateIn(stream),
    duration: durationIn(stderr),
    hasSound: /^\s*Stream #0:\d.*: Audio: /m.test(stderr),
    colour: {
      matrix: /bt709/.test(stream) || (height >= 720 && !/smpte170m|bt470bg/.test(stream)) ? "bt709" : "bt601",
      fullRange: /\(pc\b|yuvj/.test(stream),
    },
    everyFrameOnce: everyFrameOnce(stderr),
  };
}

function inputOf(file: string): string {
  try {
    accessSync(file, constants.R_OK);
    if (statSync(file).isDirectory()) throw new DmaBufError("EINVAL", `Cannot play ${file}: it is a directory`);
    // With the protocol named, a colon or a leading dash in the path means nothing.
    return `file:${file}`;
  } catch (error) {
    if (error instanceof DmaBufError) throw error;
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(file)) return file;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES") throw new DmaBufError("EACCES", `Cannot read ${file}: permission denied`);
    throw new DmaBufError("ENOENT", `Cannot play ${file}: there is no such file`);
  }
}

function decodeOneFrame(
  ffmpeg: string,
  input: string,
  signal: AbortSignal | undefined,
): Promise<{ failed: boolean; stdout: string; stderr: string }> {
  // prettier-ignore
  const options = ["-nostdin", "-i", input, "-map", "0:V:0", "-frames:v", "1", "-pix_fmt", "nv12", "-f", "framemd5", "pipe:1"];
  return new Promise((resolve, reject) => {
    execFile(ffmpeg, options, { ...(signal && { signal }), killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (signal?.aborted) reject(signal.reason as Error);
      else if (error?.code === "ENOENT" || error?.code === "EACCES")
        reject(new DmaBufError(error.code, `Cannot run ffmpeg at ${ffmpeg}`));
      else resolve({ failed: error !== null, stdout, stderr });
    });
  });
}

function noVideo(name: string, input: string, stderr: string): string {
  const reason = /matches no streams|does not contain any stream/.test(stderr)
    ? "it has no moving picture"
    : lastWords(stderr, input, 2);
  return `${name} is no video that ffmpeg can decode: ${reason}`;
}

function frameRateIn(stream: string): number {
  const [, digits, kilo] = /([\d.]+)(k?) fps/.exec(stream) ?? /([\d.]+)(k?) tbr/.exec(stream) ?? [];
  const rate = Number(digits) * (kilo === "k" ? 1000 : 1);
  return rate > 0 ? rate : 25;
}

/** `undefined` where the file does not say and ffmpeg would guess from its size. */
function durationIn(stderr: string): number | undefined {
  if (/Estimating duration from bitrate/.test(stderr)) return undefined;
  const time = /^\s*Duration: ([\d:.]+)/m.exec(stderr)?.[1];
  return time === undefined ? undefined : secondsOf(time);
}

/** NV12 has one pair of chroma bytes for two by two pixels. */
function evenBelow(pixels: number): number {
  return Math.max(2, pixels & ~1);
}

/** `-fps_mode` came with libavformat 59, and `-vsync` is to go. */
function everyFrameOnce(stderr: string): readonly string[] {
  const major = Number(/libavformat\s+(\d+)\./.exec(stderr)?.[1] ?? 60);
  return major >= 60 ? ["-fps_mode", "passthrough"] : ["-vsync", "passthrough"];
}
