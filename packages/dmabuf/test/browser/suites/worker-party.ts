import type { Domain } from "../../../src/index.js";
import type { RoleName, Roles } from "./roles.js";
import type { BrowserWorker } from "./worker.js";

const { Worker } = globalThis as unknown as {
  Worker: new (url: URL, options: { type: "module" }) => BrowserWorker;
};

/** A browser's worker that has joined a domain and plays one role in a test: see roles.ts. */
export class Hand implements Disposable {
  readonly #worker: BrowserWorker;
  readonly #messages: unknown[] = [];
  #failure: Error | undefined;
  #awaited: (() => void) | undefined;

  constructor(domain: Domain, role: string, details: unknown) {
    const invitation = domain.invite({ name: role });
    const worker = new Worker(new URL("./threads/roles-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => this.#hear(() => this.#messages.push(data));
    worker.onerror = ({ message }) => this.#hear(() => (this.#failure = new Error(message ?? "it did not load")));
    worker.postMessage({ invitation, role, details }, [invitation.port]);
    this.#worker = worker;
  }

  /** What the worker says next. Rejects with its failure. */
  async says<T>(): Promise<T> {
    while (this.#messages.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#awaited = resolve));
    }
    return this.#messages.shift() as T;
  }

  tell(message: unknown): void {
    this.#worker.postMessage(message);
  }

  terminate(): void {
    this.#worker.terminate();
  }

  [Symbol.dispose](): void {
    this.terminate();
  }

  #hear(note: () => void): void {
    note();
    this.#awaited?.();
    this.#awaited = undefined;
  }
}

/** Starts a worker that joins the domain and plays the role. */
export function hire<R extends RoleName>(domain: Domain, role: R, details: Parameters<Roles[R]>[1]): Hand {
  return new Hand(domain, role, details);
}
