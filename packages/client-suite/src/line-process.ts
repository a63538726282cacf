import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What a program may take beyond the time limit of what it does, on a busy machine: else it is stuck. In milliseconds. */
export const SLACK = 60_000;

/** A program that answers each line of JSON with one. */
export class LineProcess {
  /** What it has written to its standard error. */
  said = "";
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines: AsyncIterator<string>;
  readonly #exited: Promise<unknown>;
  #started: Error | undefined;

  /** @param name What it is in a message. */
  constructor(name: string, [program, ...args]: readonly [string, ...string[]], options: SpawnOptions = {}) {
    this.#name = name;
    this.#child = spawn(program, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    this.#exited = new Promise((done) => {
      this.#child.once("exit", done);
      this.#child.once("error", (error) => {
        this.#started = error;
        done(error);
      });
    });
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.said = (this.said + text).slice(-4000)));
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Its answer.
   *
   * @param limit Milliseconds: a program that has not answered by then is stuck.
   */
  async ask(order: object, limit: number): Promise<object> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const answer = await within(
      limit,
      this.#lines.next(),
      () => `${this.#name} has not answered ${JSON.stringify(order)}`,
    );
    if (answer.done === true) {
      await this.#exited;
      throw new Error(`${this.#name} has ended instead of answering ${JSON.stringify(order)}: ${this.#end()}`);
    }
    try {
      const value: unknown = JSON.parse(answer.value);
      if (typeof value === "object" && value !== null) return value;
    } catch {
      // As below.
    }
    throw new Error(`${this.#name} has answered with what is no object in JSON: ${answer.value.slice(0, 200)}`);
  }

  /** Closes its standard input, and says how it has ended: `undefined` if with status 0. */
  async finish(limit: number): Promise<string | undefined> {
    this.#child.stdin!.end();
    await within(limit, this.#exited, () => `${this.#name} runs on after the end of its standard input`);
    return this.#child.exitCode === 0 ? undefined : this.#end();
  }

  async kill(): Promise<void> {
    if (this.#child.pid !== undefined && this.#child.exitCode === null) this.#child.kill("SIGKILL");
    await this.#exited;
    this.#child.stdin!.destroy();
  }

  #end(): string {
    if (this.#started !== undefined) return this.#started.message;
    const { exitCode, signalCode } = this.#child;
    return signalCode === null ? `status ${exitCode}` : signalCode;
  }

  /** Until it has started, or cannot be. */
  async started(): Promise<void> {
    if (this.#child.pid !== undefined) return;
    await Promise.race([this.#exited, once(this.#child, "spawn")]);
    if (this.#started !== undefined) throw this.#started;
  }
}

async function within<T>(limit: number, promise: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} in ${limit} ms`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
