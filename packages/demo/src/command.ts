import { createRequire } from "node:module";
import { Command, InvalidArgumentError, Option } from "commander";
import { isCamera } from "./camera.js";
import { runDemo } from "./demo.js";

interface Flags {
  headless?: true;
  json?: true;
  frames?: number;
  buffers: number;
  every: number;
  loop?: true;
  fast?: true;
  port: number;
  processes?: true;
  kill?: true;
  hosts: number;
  inspector: boolean;
  postmessage: boolean;
  output?: string;
  checksums?: string;
}

const { version } = createRequire(import.meta.url)("dmabuf-demo/package.json") as { version: string };

/** `dmabuf-demo [FILE]`. */
export function demoProgram(): Command {
  return new Command("dmabuf-demo")
    .description(
      "Play a video to five workers (motion twice, in JavaScript and in WebAssembly, histogram, thumbnails, preview) that share every frame without a copy, " +
        "and report what it cost beside postMessage.",
    )
    .argument(
      "[file]",
      "a video that ffmpeg can read, or a camera, as /dev/video0; without it, a short clip that comes with the package",
    )
    .option("--headless", "no preview page, and as fast as possible")
    .addOption(whole("--frames <count>", "end after so many frames", 1, 1_000_000_000))
    .option("--json", "print one JSON object instead of tables")
    .option("--output <directory>", "where the thumbnails go (default: a fresh temporary directory)")
    .addOption(whole("--every <count>", "write a thumbnail for every so many frames", 1, 1_000_000_000).default(30))
    .addOption(whole("--port <number>", "port of the preview page on 127.0.0.1; 0 for a free one", 0, 65535).default(0))
    .addOption(whole("--buffers <count>", "frames in shared memory", 2, 32).default(6))
    .option("--loop", "begin anew at the end, until --frames or Ctrl-C")
    .option("--fast", "as fast as possible instead of at the video's own speed")
    .option("--processes", "the five workers are processes of their own instead of threads")
    .option(
      "--kill",
      "with --processes: kill one of them, or the decoder, every second in the middle of a frame, and start it again",
    )
    .addOption(
      whole(
        "--hosts <count>",
        "with 2, the same once more with the workers on a second host: other processes of this machine, with a domain of their own, in a network namespace where root can make one, else reached by loopback",
        1,
        2,
      ).default(1),
    )
    .option("--no-inspector", "do not offer the page that shows the buffers, and who has them just now")
    .option("--no-postmessage", "leave out the comparison with messages that carry copies")
    .option("--checksums <file>", "write the MD5 of every frame, as ffmpeg's framemd5 does")
    .version(version)
    .showHelpAfterError("(--help tells the options)")
    .addHelpText(
      "after",
      "\nffmpeg is the one that DMABUF_FFMPEG names, else the one of PATH, else that of @ffmpeg-installer/ffmpeg.",
    )
    .action(demo);
}

/** An option that takes a whole number within bounds. */
function whole(flags: string, description: string, least: number, most: number): Option {
  return new Option(flags, description).argParser((text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  });
}

async function demo(file: string | undefined, flags: Flags, command: Command): Promise<void> {
  if (flags.loop && flags.headless && flags.frames === undefined) {
    command.error("error: --loop with --headless needs --frames, or it would never end");
  }
  const live = isCamera(file);
  if (live && flags.headless && flags.frames === undefined) {
    command.error("error: a camera with --headless needs --frames, or it would never end");
  }
  if (flags.kill && !flags.processes && !live)
    command.error("error: --kill needs --processes: a thread cannot be killed");
  if (flags.hosts === 2 && (flags.kill || live)) {
    command.error(
      "error: --hosts 2 plays the video twice, and kills nothing: it goes neither with --kill nor with a camera",
    );
  }
  using interruption = new Interruption(flags.loop === true || live);
  await runDemo({
    file,
    // npm runs scripts in the package's directory; a path is meant from where the person is.
    directory: (process.env["npm_lifecycle_event"] === "demo" && process.env["INIT_CWD"]) || process.cwd(),
    headless: flags.headless === true,
    json: flags.json === true,
    inspector: flags.inspector,
    frames: flags.frames,
    buffers: flags.buffers,
    every: flags.every,
    loop: flags.loop === true,
    fast: flags.fast === true,
    port: flags.port,
    processes: flags.processes === true || flags.hosts === 2,
    hosts: flags.hosts,
    kill: flags.kill === true,
    postMessage: flags.postmessage,
    output: flags.output,
    checksums: flags.checksums,
    signal: interruption.signal,
    stop: interruption.stop,
  });
}

/** What ends the demo, with the numbers of shells. SIGHUP comes when its terminal is closed. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof SIGNALS;
const NAMES = Object.keys(SIGNALS) as Signal[];

/** Turns signals into aborts; of a loop, the first SIGINT is the end that is expected. */
class Interruption implements Disposable {
  readonly #interrupted = new AbortController();
  readonly #stopped = new AbortController();
  readonly #endsLoop: boolean;

  constructor(endsLoop: boolean) {
    this.#endsLoop = endsLoop;
    for (const name of NAMES) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#interrupted.signal;
  }

  get stop(): AbortSignal {
    return this.#stopped.signal;
  }

  [Symbol.dispose](): void {
    for (const name of NAMES) process.off(name, this.#onSignal);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (name === "SIGINT" && this.#endsLoop && !this.#stopped.signal.aborted) this.#stopped.abort();
    else this.#interrupted.abort(new InterruptedError(name as Signal));
  };
}

/** A person or a program ended the demo. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  /** As shells number it: 128 and the signal's number. */
  readonly exitCode: number;

  constructor(signal: Signal) {
    super(`Interrupted by ${signal}`);
    this.exitCode = SIGNALS[signal];
  }
}
