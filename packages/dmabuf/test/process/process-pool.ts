import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Processes that have started and wait for an order: starting one takes longer than much of what it does. */
export class Barracks {
  readonly #program: string;
  readonly #waiting: { child: ChildProcess; ready: Promise<unknown> }[] = [];

  /** @param program Says something over its IPC channel when it is ready. */
  constructor(program: URL) {
    this.#program = fileURLToPath(program);
  }

  async take(): Promise<ChildProcess> {
    while (this.#waiting.length < 3) this.#start();
    const { child, ready } = this.#waiting.shift()!;
    await ready;
    return child;
  }

  close(): void {
    for (const { child } of this.#waiting) child.kill("SIGKILL");
  }

  #start(): void {
    const child = fork(this.#program);
    this.#waiting.push({ child, ready: once(child, "message") });
  }
}
