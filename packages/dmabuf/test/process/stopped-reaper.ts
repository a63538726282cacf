import { fork, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Identity } from "../../src/domain/agent-slot.js";
import type { ReapOrder } from "./stopped-reaper-program.js";

/** A process that kills an agent's process, is the first to recover that agent if it can, and stops in the middle. */
export class StoppedReaper {
  /** 0 until it has joined. */
  identity: Identity = 0;
  #hasReaped = false;
  readonly #child: ChildProcess;

  constructor(order: ReapOrder) {
    this.#child = fork(new URL("stopped-reaper-program.js", import.meta.url));
    this.#child.on("message", (message: Identity | "reaped") => {
      if (message === "reaped") this.#hasReaped = true;
      else this.identity = message;
    });
    this.#child.send(order);
  }

  /** Has it kill and recover. */
  reap(): void {
    this.#child.send("go");
  }

  /** Whether it is at the end. */
  get hasReaped(): boolean {
    return this.#hasReaped;
  }

  get standsStill(): boolean {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "latin1");
    return /\) T /.test(stat);
  }

  goOn(): void {
    this.#child.kill("SIGCONT");
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
