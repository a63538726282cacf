/** Workers of another process that come into a domain by themselves, as the tests tell them: see thread-host.ts. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { FenceHandle, BufferHandleData } from "../../src/index.js";

export const WAYS = ["create", "listen", "connect", "inherit", "join"] as const;
export type Way = (typeof WAYS)[number];

export const THREAD_ENDS = ["terminate()", "process.exit()", "an uncaught error", "its loop runs out"] as const;
export type ThreadEnd = (typeof THREAD_ENDS)[number];

export interface ThreadStart {
  readonly way: Way;
  /** 0: a worker; 1: a worker of a worker. */
  readonly depth: number;
  /** Where it listens or connects, or the descriptor that it has inherited. */
  readonly place: string;
  readonly name: string;
}

/** What a thread has taken hold of: others wait for it. */
export interface Catch {
  readonly handle: BufferHandleData;
  readonly fence: FenceHandle;
}

export type HostOrder =
  | ({ readonly order: "start" } & ThreadStart)
  | { readonly order: "end"; readonly how: ThreadEnd }
  | { readonly order: "count" };

export interface Counts {
  readonly descriptors: number;
  readonly mappings: number;
}

interface Context {
  after(cleanUp: () => unknown): void;
}

const PROGRAM = fileURLToPath(new URL("thread-host.js", import.meta.url));

/** The process. It is killed at the end of the test. */
export class ThreadHost {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param descriptor One that the process inherits, as {@link INHERITED}. */
  static async start(t: Context, descriptor?: number): Promise<ThreadHost> {
    const child = fork(PROGRAM, { stdio: ["ignore", "inherit", "inherit", "ipc", descriptor ?? "ignore"] });
    t.after(() => child.kill("SIGKILL"));
    await once(child, "message");
    return new ThreadHost(child);
  }

  startThread(start: ThreadStart): Promise<Catch> {
    return this.#ask({ order: "start", ...start }) as Promise<Catch>;
  }

  /** Resolves when the thread is gone; the process lives on. */
  async endThread(how: ThreadEnd): Promise<void> {
    await this.#ask({ order: "end", how });
  }

  count(): Promise<Counts> {
    return this.#ask({ order: "count" }) as Promise<Counts>;
  }

  async #ask(order: HostOrder): Promise<unknown> {
    this.#child.send(order);
    const [answer] = (await once(this.#child, "message")) as unknown[];
    if (typeof answer === "string" && answer.startsWith("failed: ")) throw new Error(answer);
    return answer;
  }
}

/** The number of the inherited descriptor in the process. */
export const INHERITED = 4;
