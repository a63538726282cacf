import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Asked, Said } from "./answer.js";
import type { LabHost } from "./lab.js";

export interface PartyOptions {
  /** The host on which it runs. By default it runs on this machine itself. */
  readonly host?: LabHost | undefined;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node.js itself. */
  readonly nodeOptions?: readonly string[];
  /** The Node.js that runs it. Default: this one. */
  readonly node?: string;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A process that is told what to do, and that ends with this one. */
export class Party {
  readonly child: ChildProcess;
  /** What it has told so far, and was not asked for. */
  readonly news: { readonly news: string; readonly body: unknown }[] = [];
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(news: string, body: unknown) => void>();
  #asked = 0;

  /** Starts a module of Node.js that calls {@link answer}. */
  constructor(
    program: URL,
    { host, args = [], env = {}, nodeOptions = [], node = process.execPath }: PartyOptions = {},
  ) {
    const all = [...nodeOptions, fileURLToPath(program), ...args];
    const options = {
      stdio: ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    };
    this.child = host?.spawn(node, all, options) ?? spawn(node, all, options);
    createInterface({ input: this.child.stdout! }).on("line", (line) => this.#hear(JSON.parse(line) as Said));
    // What is said to the dead comes to nothing.
    this.child.stdin!.on("error", () => {});
    this.child.on("close", () => this.#end());
  }

  /** Has it do something; returns its answer. */
  ask<Answer = unknown>(order: string, body: unknown = null): Promise<Answer> {
    const asked: Asked = { id: ++this.#asked, order, body };
    return new Promise((resolve, reject) => {
      if (this.hasEnded) return reject(this.#gone(order));
      this.#waiting.set(asked.id, { resolve: resolve as Waiting["resolve"], reject });
      this.child.stdin!.write(`${JSON.stringify(asked)}\n`);
    });
  }

  /** Calls for all that it tells from now on. */
  onNews(heard: (news: string, body: unknown) => void): void {
    this.#listeners.add(heard);
  }

  /** The first news of that name, also one that has come before. */
  async hear<Body = unknown>(name: string): Promise<Body> {
    for (;;) {
      const found = this.news.find(({ news }) => news === name);
      if (found !== undefined) return found.body as Body;
      if (this.hasEnded) throw this.#gone(name);
      await sleep(1);
    }
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Resolves when it does nothing more. */
  async stop(): Promise<void> {
    this.child.kill("SIGSTOP");
    while (!this.hasEnded && !isStopped(this.child.pid!)) await sleep(1);
  }

  goOn(): void {
    this.child.kill("SIGCONT");
  }

  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }

  #hear(said: Said): void {
    if ("news" in said) {
      this.news.push(said);
      for (const heard of this.#listeners) heard(said.news, said.body);
      return;
    }
    const waiting = this.#waiting.get(said.id);
    this.#waiting.delete(said.id);
    if ("failed" in said) waiting?.reject(Object.assign(new Error(said.failed), { code: said.code }));
    else waiting?.resolve(said.answer);
  }

  #end(): void {
    for (const { reject } of this.#waiting.values()) reject(this.#gone("an answer"));
    this.#waiting.clear();
  }

  #gone(what: string): Error {
    return new Error(
      `Cannot wait for ${what}: the process has ended with ${this.child.exitCode ?? this.child.signalCode}`,
    );
  }
}

function isStopped(pid: number): boolean {
  return /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}
