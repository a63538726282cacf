import type { TestContext } from "node:test";
import { Worker, type MessagePort } from "node:worker_threads";
import { DmaBufError, Domain, type DomainOptions } from "../../src/index.js";
import type { Reply, Request, TaskArguments, TaskName, TaskResult } from "./party-worker.js";

/** Another agent of a domain, in a worker thread of its own, that does what it is asked: see party-tasks.ts. */
export class Party implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asked>();
  #requests = 0;

  constructor(domain: Domain) {
    const invitation = domain.invite();
    this.#worker = new Worker(new URL("./party-worker.js", import.meta.url), {
      workerData: invitation,
      transferList: [invitation.port as unknown as MessagePort],
    });
    this.#worker.on("message", (reply: Reply) => this.#hear(reply));
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", () => this.#end(new Error("The worker has ended")));
  }

  /** Asks for a task: `begun` resolves when it has come to the point where it waits, `done` with its result. */
  start<N extends TaskName>(name: N, ...args: TaskArguments<N>): Started<TaskResult<N>> {
    const id = this.#requests++;
    const begun = defer<void>();
    const done = defer<unknown>();
    this.#asked.set(id, { begun: begun.resolve, done: done.resolve, failed: done.reject });
    this.#worker.postMessage({ id, name, args } satisfies Request);
    return { begun: begun.promise, done: done.promise as Promise<TaskResult<N>> };
  }

  /** Asks for a task and waits for its result. */
  async ask<N extends TaskName>(name: N, ...args: TaskArguments<N>): Promise<TaskResult<N>> {
    return this.start(name, ...args).done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #hear(reply: Reply): void {
    const { begun, done, failed } = this.#asked.get(reply.id)!;
    begun();
    if (reply.state === "begun") return;
    this.#asked.delete(reply.id);
    if (reply.state === "done") done(reply.result);
    else failed("code" in reply.error ? DmaBufError.from(reply.error) : new Error(reply.error.message));
  }

  #end(error: Error): void {
    for (const { begun, failed } of this.#asked.values()) {
      begun();
      failed(error);
    }
    this.#asked.clear();
  }
}

interface Asked {
  readonly begun: () => void;
  readonly done: (result: unknown) => void;
  readonly failed: (error: Error) => void;
}

export interface Started<T> {
  readonly begun: Promise<void>;
  readonly done: Promise<T>;
}

/** A new domain, and `count` workers that have joined it; they end with the test. */
export async function meet(
  t: TestContext,
  count: number,
  options: DomainOptions = {},
): Promise<{ domain: Domain; parties: Party[] }> {
  const domain = Domain.create(options);
  const parties = Array.from({ length: count }, () => new Party(domain));
  t.after(async () => {
    await Promise.all(parties.map((party) => party[Symbol.asyncDispose]()));
    domain.close();
  });
  await Promise.all(parties.map((party) => party.ask("nothing")));
  return { domain, parties };
}

function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let [resolve, reject]: [(value: T) => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((accept, refuse) => ([resolve, reject] = [accept, refuse]));
  return { promise, resolve, reject };
}
