import { spawn, spawnSync, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { DmaBufError } from "dmabuf";

/**
 * A program that the demo has started.
 *
 * program.1. A program is ended by SIGKILL, which is sent here, to it and to all that it has started. Any other signal
 *      is a wish: ffmpeg does not hear it while it opens a pipe that has no writer.
 * program.2. A program does not outlive the process that started it, however that ends: where setpriv is, the kernel
 *      ends it.
 * program.3. A killed program is waited for a limited time. On a file system that does not answer it ends when that
 *      answers.
 * program.4. What a program says is not limited. The reader keeps what it needs of it.
 */
export class Program {
  /** An exit code, or the name of the signal that ended it. Rejects if it could not be started. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  #killed: (how: string) => void = () => {};
  /** While it is not, a process of the group has its descriptors: the number is not another group's. */
  #isOver = false;

  /** @param stdio As for `spawn`. */
  constructor(file: string, args: readonly string[], stdio: StdioOptions) {
    const [tied, ...rest] = [...tiedToUs(), file, ...args];
    // program.1: as the leader of a group it has one number for itself and all that it starts.
    this.#child = spawn(tied!, rest, { stdio, detached: true });
    this.ended = Promise.race([ending(this.#child, file), new Promise<string>((resolve) => (this.#killed = resolve))]);
    // Its users await it; until then a failure to start is not unhandled.
    void this.ended.catch(() => {}).finally(() => (this.#isOver = true));
  }

  /** Hears what the program writes to one of its descriptors. */
  read(descriptor: number, hear: (text: string) => void): void {
    // Without descriptors for pipes there are no streams, and it has not started.
    const streams = this.#child.stdio as readonly unknown[] | undefined;
    (streams?.[descriptor] as Readable | undefined)?.setEncoding("utf8").on("data", hear);
  }

  /** Ends it. Once it has ended, that does nothing. */
  kill(): void {
    const { pid } = this.#child;
    if (this.#isOver || pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It ended just now.
    }
    // program.3
    setTimeout(() => this.#leave(), GRACE).unref();
  }

  /**
   * Waits for its end.
   *
   * @param options `timeout` in milliseconds. The program is killed when that passes, and when `signal` aborts.
   * @returns As {@link ended}.
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; the signal's reason if it aborted.
   */
  async end({
    signal,
    timeout,
  }: {
    readonly signal?: AbortSignal;
    readonly timeout: number;
  }): Promise<number | string> {
    let late = false;
    const kill = (): void => this.kill();
    const limit = setTimeout(() => {
      late = true;
      kill();
    }, timeout);
    signal?.addEventListener("abort", kill, { once: true });
    if (signal?.aborted) kill();
    try {
      const how = await this.ended;
      signal?.throwIfAborted();
      if (late) throw new DmaBufError("ETIMEDOUT", `The program has not ended in ${timeout} ms`);
      return how;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener("abort", kill);
    }
  }

  #leave(): void {
    this.#killed("SIGKILL");
    this.#child.unref();
    for (const stream of this.#child.stdio) stream?.destroy();
  }
}

/** Milliseconds for a killed program to end. */
const GRACE = 2_000;

async function ending(child: ChildProcess, file: string): Promise<number | string> {
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return code ?? signal ?? "unknown";
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const known = code === "ENOENT" || code === "EACCES" ? code : "EIO";
    throw new DmaBufError(known, `Cannot run ${file}: ${message}`, { cause });
  }
}

let tie: readonly string[] | undefined;

/**
 * What precedes a program and its arguments so that it ends with this thread (program.2); nothing where that cannot be.
 */
export function tiedToUs(): readonly string[] {
  tie ??=
    spawnSync(TIE[0], [...TIE.slice(1), "true"], { stdio: "ignore", timeout: GRACE, killSignal: "SIGKILL" }).status ===
    0
      ? TIE
      : [];
  return tie;
}

const TIE = ["setpriv", "--pdeathsig", "KILL", "--"] as const;
