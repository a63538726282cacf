import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { DmaBufError } from "dmabuf";
import { isExecutable } from "./ffmpeg.js";
import { FfmpegMessages, secondsOf } from "./ffmpeg-messages.js";
import type { Look } from "./look.js";
import { Program } from "./program.js";

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

export interface ProbeOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the file system, and then for the first picture. Default 30 s. */
  readonly timeout?: number;
}

const TIMEOUT = 30_000;

/**
 * Decodes one frame of a file (or of an address with a scheme, such as `rtsp://…`) to learn what it is.
 *
 * @throws {DmaBufError} `ENOENT` or `EACCES` if it cannot be opened; `EINVAL` if it is no video, or cannot be read twice, as a
 *   named pipe; `ETIMEDOUT` if nothing came of it in time; the signal's reason. No process is left in any case.
 */
export async function probe(ffmpeg: string, file: string, options: ProbeOptions = {}): Promise<Video> {
  const input = await inputOf(file, options);
  const name = basename(file);
  const { exit, stdout, said, lastWords } = await decodeOneFrame(ffmpeg, input, file, options);
  // ffmpeg draws text files as pictures.
  if (/^Input #0, tty,/m.test(said)) throw new DmaBufError("EINVAL", `${name} is no video but a text`);
  const size = /^#dimensions 0: (\d+)x(\d+)/m.exec(stdout);
  const frame = /^0,/m.test(stdout);
  if (exit !== 0 || size === null || !frame)
    throw new DmaBufError("EINVAL", noVideo(name, said, lastWords, exit === 0));

  const stream = /^\s*Stream #0:\d.*: Video: (?!.*\(attached pic\))(.*)$/m.exec(said)?.[1] ?? "";
  const [width, height] = [evenBelow(Number(size[1])), evenBelow(Number(size[2]))];
  return {
    input,
    name,
    width,
    height,
    frameRate: frameRateIn(stream),
    duration: durationIn(said),
    hasSound: /^\s*Stream #0:\d.*: Audio: /m.test(said),
    colour: {
      matrix: /bt709/.test(stream) || (height >= 720 && !/smpte170m|bt470bg/.test(stream)) ? "bt709" : "bt601",
      fullRange: /\(pc\b|yuvj/.test(stream),
    },
    everyFrameOnce: everyFrameOnce(said),
  };
}

/** A file as ffmpeg is to be told it; an address stays as it is. */
async function inputOf(file: string, options: ProbeOptions): Promise<string> {
  const isFile = !/^[a-z][a-z0-9+.-]+:\/\//i.test(file) || /^file:/i.test(file);
  if (!isFile) return file;
  const path = /^file:\/\//i.test(file) ? pathOf(file) : file;
  const { kind, code } = await lookAt(path, options);
  // The decoder opens it once more, and a decoder that takes the place of another one does so, too.
  if (kind !== undefined && kind !== "file") {
    throw new DmaBufError("EINVAL", `Cannot play ${file}: it is a ${kind}, not a file that can be read twice`);
  }
  if (code === "EACCES") throw new DmaBufError("EACCES", `Cannot read ${file}: permission denied`);
  if (code !== undefined) throw new DmaBufError("ENOENT", `Cannot play ${file}: there is no such file`);
  // With the protocol named, a colon or a leading dash in the path means nothing.
  return `file:${path}`;
}

function pathOf(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (cause) {
    throw new DmaBufError("EINVAL", `Cannot play ${address}: ${(cause as Error).message}`, { cause });
  }
}

async function lookAt(path: string, options: ProbeOptions): Promise<Look> {
  const script = fileURLToPath(new URL("./look.js", import.meta.url));
  const program = new Program(process.execPath, [script, path], ["ignore", "pipe", "inherit"]);
  let found = "";
  program.read(1, (text) => (found += text));
  await endOf(program, `Cannot play ${path}: its file system does not answer`, options);
  return JSON.parse(found) as Look;
}

interface Decoded {
  readonly exit: number | string;
  /** The first of it. */
  readonly stdout: string;
  /** Lines that tell of the file. */
  readonly said: string;
  readonly lastWords: string;
}

async function decodeOneFrame(ffmpeg: string, input: string, file: string, options: ProbeOptions): Promise<Decoded> {
  // prettier-ignore
  const args = ["-nostdin", "-i", input, "-map", "0:V:0", "-frames:v", "1", "-pix_fmt", "nv12", "-f", "framemd5", "pipe:1"];
  const program = new Program(ffmpeg, args, ["ignore", "pipe", "pipe"]);
  const messages = new FfmpegMessages(input);
  const facts = new Facts();
  let stdout = "";
  program.read(1, (text) => (stdout = (stdout + text).slice(0, MOST)));
  program.read(2, (text) => {
    messages.add(text);
    facts.add(text);
  });
  const exit = await endOf(program, `Cannot play ${file}: no picture came of it`, options);
  if (exit !== 0 && !isExecutable(ffmpeg)) throw new DmaBufError("ENOENT", `Cannot run ffmpeg at ${ffmpeg}`);
  return { exit, stdout, said: facts.lines, lastWords: messages.lastWords(2) };
}

async function endOf(program: Program, otherwise: string, options: ProbeOptions): Promise<number | string> {
  const { signal, timeout = TIMEOUT } = options;
  try {
    return await program.end({ timeout, ...(signal && { signal }) });
  } catch (error) {
    if (!(error instanceof DmaBufError) || error.code !== "ETIMEDOUT") throw error;
    throw new DmaBufError("ETIMEDOUT", `${otherwise} in ${timeout / 1000} s`);
  }
}

/** Characters that are kept of what a program says. */
const MOST = 65_536;

/** Keeps the lines of ffmpeg that tell of a file. A file can have any number of chapters, which are lines, too. */
class Facts {
  lines = "";
  #rest = "";

  add(text: string): void {
    const lines = (this.#rest + text).split(/[\r\n]/);
    // A line without an end is not kept whole.
    this.#rest = lines.pop()!.slice(0, MOST);
    for (const line of lines) {
      if (FACT.test(line) && this.lines.length < MOST) this.lines += `${line.slice(0, MOST)}\n`;
    }
  }
}

const FACT =
  /^Input #|^\s*Stream #0:|^\s*Duration: |Estimating duration from bitrate|libavformat\s+\d|matches no streams|does not contain any stream/;

function noVideo(name: string, said: string, lastWords: string, succeeded: boolean): string {
  const reason =
    succeeded || /matches no streams|does not contain any stream/.test(said) ? "it has no moving picture" : lastWords;
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
