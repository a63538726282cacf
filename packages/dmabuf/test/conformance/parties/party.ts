import type { TestContext } from "node:test";
import { DmaBufError, type DomainOptions, type JoinedDomain } from "../../../src/index.js";
import type { Reply, Request, TaskArguments, TaskName, TaskResult } from "./serve.js";

/**
 * Where the parties of a case are: in worker threads or in processes. A case asks a place for its crew, and knows no more
 * of it.
 */
export interface Place {
  /** For the names of tests. */
  readonly name: string;
  /** A new domain, and `count` parties that have joined it; they end with the test. */
  meet(t: TestContext, count: number, options?: DomainOptions): Promise<Crew>;
}

export interface Crew {
  /** The test's own way into the domain. */
  readonly domain: JoinedDomain;
  readonly parties: readonly Party[];
}

/** The test's end of the way to a party. */
export interface Line {
  ask(request: Request): void;
  /** @param ended Called when the party has ended or failed; more than once at will. */
  hear(reply: (reply: Reply) => void, ended: (error: Error) => void): void;
  /** Ends the party, whatever it is doing, as a crash would. */
  end(): Promise<void>;
  /** The test has ended: the party leaves the domain. Without it, the party is ended. */
  dismiss?(): Promise<void>;
}

/** A party that has not left the domain by then is blocked, and is ended. */
export const LEAVE_MS = 500;

/** Another agent of a domain, in a thread or process of its own, that does what it is asked: see tasks.ts. */
export class Party implements AsyncDisposable {
  readonly #line: Line;
  readonly #asked = new Map<number, Asked>();
  #requests = 0;

  constructor(line: Line) {
    this.#line = line;
    line.hear(
      (reply) => this.#hear(reply),
      (error) => this.#end(error),
    );
  }

  /** Asks for a task: `begun` resolves when it has come to the point where it waits, `done` with its result. */
  start<N extends TaskName>(name: N, ...args: TaskArguments<N>): Started<TaskResult<N>> {
    const id = this.#requests++;
    const begun = defer<void>();
    const done = defer<unknown>();
    this.#asked.set(id, { begun: begun.resolve, done: done.resolve, failed: done.reject });
    this.#line.ask({ id, name, args });
    return { begun: begun.promise, done: done.promise as Promise<TaskResult<N>> };
  }

  /** Asks for a task and waits for its result. */
  async ask<N extends TaskName>(name: N, ...args: TaskArguments<N>): Promise<TaskResult<N>> {
    return this.start(name, ...args).done;
  }

  /** Ends it as a crash would. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#line.end();
  }

  /** The test has ended. */
  async dismiss(): Promise<void> {
    await (this.#line.dismiss?.() ?? this.#line.end());
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

/** For the places: calls parties into a domain, and ends them and the domain with the test. */
export async function gather(
  t: TestContext,
  domain: JoinedDomain,
  count: number,
  call: () => Line | Promise<Line>,
): Promise<Crew> {
  const parties: Party[] = [];
  t.after(async () => {
    await Promise.all(parties.map((party) => party.dismiss()));
    domain.close();
  });
  for (let i = 0; i < count; i++) parties.push(new Party(await call()));
  await Promise.all(parties.map((party) => party.ask("nothing")));
  return { domain, parties };
}

function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let [resolve, reject]: [(value: T) => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((accept, refuse) => ([resolve, reject] = [accept, refuse]));
  return { promise, resolve, reject };
}
