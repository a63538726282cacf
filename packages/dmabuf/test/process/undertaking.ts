import { fork, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Identity } from "../../src/domain/agent-slot.js";
import type { Burial } from "./undertaker.js";

/** A process that kills an agent's, is the first to recover that agent if it can be, and stands still in the middle. */
export class Undertaker {
  /** 0 until it has joined. */
  identity: Identity = 0;
  #hasBuried = false;
  readonly #child: ChildProcess;

  constructor(burial: Burial) {
    this.#child = fork(new URL("undertaker.js", import.meta.url));
    this.#child.on("message", (message: Identity | "buried") => {
      if (message === "buried") this.#hasBuried = true;
      else this.identity = message;
    });
    this.#child.send(burial);
  }

  /** Has it kill and recover. */
  bury(): void {
    this.#child.send("go");
  }

  /** Whether it is at the end. */
  get hasBuried(): boolean {
    return this.#hasBuried;
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
