import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DmaBufError } from "dmabuf";
import { VideoDevice } from "dmabuf/linux";
import { capabilities } from "dmabuf/node";
import { isCamera, videoOf } from "./camera.js";
import { findFfmpeg } from "./ffmpeg.js";
import type { JobName, JobSettings } from "./jobs/job.js";
import { runOverHosts, type HostsResult } from "./hosts-pipeline.js";
import { runOverMessages } from "./message-pipeline.js";
import type { PipelineOptions, PipelineResult } from "./pipeline.js";
import { Progress } from "./progress.js";
import { messagesName, reportAsJson, reportAsText } from "./report.js";
import { loadSharp } from "./sharp.js";
import { runOverStream } from "./stream-pipeline.js";
import { probe, type Video } from "./video.js";

/** The clip that comes with the package. */
const CLIP = fileURLToPath(new URL("../../assets/clip.mp4", import.meta.url));

export interface DemoOptions {
  /** A path from `directory`, an address with a scheme, or a camera's device. Without it, the clip. */
  readonly file: string | undefined;
  /** What relative paths start from. */
  readonly directory: string;
  readonly headless: boolean;
  readonly json: boolean;
  /** Offer the inspector's page beside the preview's. */
  readonly inspector: boolean;
  readonly frames: number | undefined;
  readonly buffers: number;
  readonly every: number;
  readonly loop: boolean;
  readonly fast: boolean;
  readonly port: number;
  readonly processes: boolean;
  readonly kill: boolean;
  /** With 2, the job runs once more, with its consumers on a second host. */
  readonly hosts: number;
  readonly postMessage: boolean;
  readonly output: string | undefined;
  readonly checksums: string | undefined;
  /** Ends the demo with its reason. */
  readonly signal: AbortSignal;
  /** Ends the video; the demo goes on to its report. */
  readonly stop: AbortSignal;
}

/**
 * Plays a video to five workers, threads or processes, that share every frame, and reports what it cost.
 *
 * @throws {DmaBufError} Whatever a person can do something about, in words for a person. Nothing is left then: no
 *   process, no temporary file.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  if (isCamera(options.file)) return runOnCamera(options);
  if (options.processes) checkProcesses();
  using ffmpeg = findFfmpeg(process.env);
  const video = await probe(ffmpeg.path, fileOf(options), { signal: options.signal });
  await play(options, video, ffmpeg.path);
}

/** A camera writes into the stream's own buffers, which only memory files can be: so the workers are processes. */
async function runOnCamera(options: DemoOptions): Promise<void> {
  checkProcesses();
  using camera = VideoDevice.open(options.file!);
  const video = videoOf(camera);
  await play({ ...options, processes: true, loop: true, postMessage: false }, video, "", camera);
}

async function play(options: DemoOptions, video: Video, ffmpeg: string, camera?: VideoDevice): Promise<void> {
  // Some systems unload the library under a worker's feet unless the main thread has loaded it first.
  await loadSharp();
  using output = new OutputDirectory(options);
  using progress = new Progress(process.stderr, !options.json);
  const say = (line: string): void => (options.json ? undefined : progress.say(line));
  const pipeline: PipelineOptions = {
    ffmpeg,
    camera,
    video,
    consumers: consumersOf(options, video, output.path),
    processes: options.processes,
    kill: options.kill,
    buffers: options.buffers,
    frames: options.frames,
    loop: options.loop,
    // Where some are killed, it is the others' pace that counts.
    realTime: (!options.headless || options.kill) && !options.fast,
    signal: options.signal,
    stop: options.stop,
    onNote: (note) => progress.note(note),
    onFrame: (frames) => progress.frame(frames),
    inspect: options.inspector && !options.headless,
    onInspector: (url) => progress.say(`Inspector: ${url}`),
    onUrl: (url) => progress.say(`Preview: ${url}`),
  };
  say(`Playing ${video.name}: ${video.width}×${video.height}, ${video.frameRate} frames a second`);

  const expected = expectedFrames(options, video);
  progress.begin("dmabuf", expected);
  const shared = await runOverStream(pipeline);
  const remote = options.hosts === 2 ? await onTwoHosts(pipeline, progress, shared.frames) : undefined;
  const messages = options.postMessage && !options.kill ? await compare(pipeline, progress, shared.frames) : undefined;

  const report = { options: pipeline, shared, remote, messages };
  progress[Symbol.dispose]();
  console.log(options.json ? JSON.stringify(reportAsJson(report)) : reportAsText(report));
  output.keep(options.output !== undefined || !options.headless);
  if (output.kept) say(`Thumbnails: ${output.path}`);
}

/** @throws {DmaBufError} `ENOSYS` where there are no domains between processes. */
function checkProcesses(): void {
  const [missing] = capabilities().missing;
  if (missing !== undefined) {
    throw new DmaBufError("ENOSYS", `Cannot share frames between processes: ${missing.name}: ${missing.reason}`);
  }
}

function fileOf({ file, directory }: DemoOptions): string {
  if (file === undefined) return CLIP;
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(file) ? file : resolve(directory, file);
}

function consumersOf(options: DemoOptions, { width, height, colour }: Video, output: string): JobSettings[] {
  const common = { width, height, colour, output, every: options.every };
  const names: JobName[] = ["motion", "motion-simd", "histogram", "thumbnails", "preview"];
  const consumers: JobSettings[] = names.map((name) => ({
    name,
    ...common,
    ...(name === "preview" && !options.headless && { port: options.port }),
  }));
  if (options.checksums === undefined) return consumers;
  return [...consumers, { name: "checksums", ...common, checksums: resolve(options.directory, options.checksums) }];
}

/** About how many frames there will be, for the progress. */
function expectedFrames({ loop, frames }: DemoOptions, video: Video): number | undefined {
  const round = framesOfOneRound(video);
  return loop || round === undefined ? frames : Math.min(frames ?? Infinity, round);
}

function framesOfOneRound({ duration, frameRate }: Video): number | undefined {
  return duration === undefined ? undefined : Math.round(duration * frameRate);
}

async function compare(pipeline: PipelineOptions, progress: Progress, shown: number): Promise<PipelineResult> {
  const again = onceMore(pipeline, shown);
  progress.begin(messagesName(pipeline), again.frames);
  return runOverMessages(again);
}

async function onTwoHosts(pipeline: PipelineOptions, progress: Progress, shown: number): Promise<HostsResult> {
  const again = onceMore(pipeline, shown);
  progress.begin("two hosts", again.frames);
  return runOverHosts(again);
}

/** The same frames to the same five jobs, of a loop its first round. It shows no page and writes no file of checksums. */
function onceMore(pipeline: PipelineOptions, shown: number): PipelineOptions & { readonly frames: number } {
  const frames = Math.min(shown, framesOfOneRound(pipeline.video) ?? shown);
  const consumers = pipeline.consumers.map(({ port: _port, checksums: _checksums, ...settings }) => settings);
  // A person who has stopped a loop wants its report; the next Ctrl-C ends everything.
  const stop = new AbortController().signal;
  return { ...pipeline, consumers, frames, stop };
}

/** Where the thumbnails go: the directory that was named, or a fresh one, which is removed unless it is kept. */
class OutputDirectory implements Disposable {
  readonly path: string;
  readonly #fresh: boolean;
  #kept = false;

  constructor({ output, directory }: DemoOptions) {
    this.#fresh = output === undefined;
    this.path = output === undefined ? mkdtempSync(join(tmpdir(), "dmabuf-demo-")) : resolve(directory, output);
    if (output === undefined) return;
    try {
      if (!existsSync(this.path)) mkdirSync(this.path);
      accessSync(this.path, constants.W_OK);
    } catch (cause) {
      throw new DmaBufError("EACCES", `Cannot write to ${this.path}: ${(cause as Error).message}`, { cause });
    }
  }

  get kept(): boolean {
    return this.#kept;
  }

  keep(kept: boolean): void {
    this.#kept = kept;
  }

  [Symbol.dispose](): void {
    if (this.#fresh && !this.#kept) rmSync(this.path, { recursive: true, force: true });
  }
}
