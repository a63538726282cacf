import type { Orders } from "./threads/remote-worker.js";
import type { BrowserWorker } from "./worker.js";

const { Worker } = globalThis as unknown as {
  Worker: new (url: URL, options: { type: "module" }) => BrowserWorker;
};

type Order = keyof Orders;

/** A worker that does in a domain what it is told to, order by order, so that a test can end it between any two. */
export class Remote implements Disposable {
  readonly #worker = new Worker(new URL("./threads/remote-worker.js", import.meta.url), { type: "module" });
  #answered: (answer: unknown) => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      const { answer, error } = data as { answer?: unknown; error?: string };
      if (error === undefined) this.#answered(answer);
      else this.#failed(new Error(error));
    };
    this.#worker.onerror = ({ message }) => this.#failed(new Error(message ?? "the worker did not load"));
  }

  /** Gives an order and resolves with its answer. One at a time. @param transfer The ports in it. */
  tell<O extends Order>(order: O, details: Parameters<Orders[O]>[0], transfer: readonly unknown[] = []) {
    return new Promise<Awaited<ReturnType<Orders[O]>>>((resolve, reject) => {
      this.#answered = resolve as (answer: unknown) => void;
      this.#failed = reject;
      this.#worker.postMessage({ order, details }, transfer);
    });
  }

  terminate(): void {
    this.#worker.terminate();
  }

  [Symbol.dispose](): void {
    this.terminate();
  }
}
