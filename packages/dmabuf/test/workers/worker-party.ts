import { Worker } from "node:worker_threads";
import type { Domain } from "../../src/index.js";
import type { RoleName, Roles } from "./roles.js";

/** What a hand is told at its start. */
export interface Task {
  readonly role: RoleName;
  readonly details: unknown;
}

/** A worker thread that has joined a domain and plays one role in a test: see roles.ts. */
export class Hand implements AsyncDisposable {
  readonly worker: Worker;
  /** The agent's name in shared words. */
  readonly identity: number;
  /** Resolves with the exit code; a failure of the worker is told here too. */
  readonly ended: Promise<number>;
  readonly #messages: unknown[] = [];
  #failure: Error | undefined;
  #awaited: (() => void) | undefined;

  constructor(worker: Worker, identity: number) {
    this.worker = worker;
    this.identity = identity;
    worker.on("message", (message) => this.#hear(() => this.#messages.push(message)));
    worker.on("error", (error) => this.#hear(() => (this.#failure = error)));
    this.ended = new Promise((resolve) => {
      worker.on("exit", (code) => {
        this.#hear(() => (this.#failure ??= new Error(`The worker has ended with code ${code}`)));
        resolve(code);
      });
    });
  }

  /** What the worker says next. Rejects with its failure, or if it has ended. */
  async says<T>(): Promise<T> {
    while (this.#messages.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#awaited = resolve));
    }
    return this.#messages.shift() as T;
  }

  tell(message: unknown): void {
    this.worker.postMessage(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.terminate();
  }

  #hear(note: () => void): void {
    note();
    this.#awaited?.();
    this.#awaited = undefined;
  }
}

/** Starts a worker that joins the domain and plays the role. */
export function hire<R extends RoleName>(domain: Domain, role: R, details: Parameters<Roles[R]>[1]): Hand {
  const invitation = domain.invite({ name: role });
  const worker = new Worker(new URL("./roles-worker.js", import.meta.url), {
    workerData: { invitation, task: { role, details } satisfies Task },
    transferList: [invitation.port],
  });
  return new Hand(worker, invitation.identity);
}
