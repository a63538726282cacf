/** A real terminal for a program: a pty, and what it shows. */
import { spawn, type IPty } from "@lydell/node-pty";
import type { TestContext } from "node:test";
import { PLAIN_ENVIRONMENT, until } from "./processes.js";
import { Screen } from "./screen.js";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export class Terminal {
  readonly screen: Screen;
  /** All that was written to it. */
  written = "";
  /** How the program has ended. */
  readonly ended: Promise<{ readonly exitCode: number; readonly signal?: number }>;
  readonly #pty: IPty;

  constructor(
    t: TestContext,
    file: string,
    args: readonly string[],
    { columns, rows }: Size,
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.screen = new Screen(rows);
    const env = { ...PLAIN_ENVIRONMENT, TERM: "xterm-256color", ...environment };
    this.#pty = spawn(file, [...args], { cols: columns, rows, env });
    this.#pty.onData((data) => {
      this.written += data;
      this.screen.write(data);
    });
    let hasEnded = false;
    this.ended = new Promise((resolve) =>
      this.#pty.onExit((how) => {
        hasEnded = true;
        resolve(how);
      }),
    );
    t.after(() => {
      if (!hasEnded) this.#pty.kill("SIGKILL");
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  press(keys: string): void {
    this.#pty.write(keys);
  }

  resize({ columns, rows }: Size): void {
    this.screen.resize(rows);
    this.#pty.resize(columns, rows);
  }

  /** Waits until a person sees it. @throws {Error} With what is seen instead, if it never is. */
  async shows(what: RegExp): Promise<void> {
    await until(
      () => what.test(this.screen.text),
      () => `${what} is not shown:\n${this.screen.text}`,
    );
  }
}
