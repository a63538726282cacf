import { waitUntil, type Waiter, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { isLater, promised } from "../domain/promised.js";
import { DmaBufError } from "../errors.js";

/** What an exporter's operation gives back: the answer, or a promise of it. */
export type Answer<T> = T | PromiseLike<T>;

/** An answer as the library goes on with it: what a user's operation gave, by {@link promised}. */
export type Given<T> = T | Promise<T>;

/** What an operation without an answer gives back: nothing that matters, or a promise that says when it is done. */
export type Done = unknown;

/** An operation of an exporter that was asked for. */
export interface Call<T> {
  /** The answer; rejects with what the exporter refuses the operation with. */
  result(options?: WaitOptions): Promise<T>;
  /** As {@link result}, blocking this thread. */
  resultSync(options?: { readonly timeout?: number }): T;
}

/** An operation of an exporter in this agent. */
export class LocalCall<T> implements Call<T> {
  readonly #answer: Given<T>;
  readonly #undo: (answer: T) => void;
  readonly #waiter: Waiter | undefined;

  /**
   * @param undo What takes the operation back when it succeeds after the wait for it has ended.
   * @param waiter Who need not wait to the end. Without one the answer is waited for all the same: what the exporter has
   *   begun under the lock (pending-request.3).
   */
  constructor(answer: Given<T>, undo: (answer: T) => void = () => {}, waiter?: Waiter) {
    this.#answer = answer;
    this.#undo = undo;
    this.#waiter = waiter;
  }

  async result(options: WaitTerms = {}): Promise<T> {
    const answer = this.#answer;
    if (isLater(answer) && this.#waiter !== undefined) await this.#settled(answer, this.#waiter, options);
    return answer;
  }

  resultSync(): T {
    const answer = this.#answer;
    if (!isLater(answer)) return answer;
    answer.then(this.#undo, () => {});
    throw new DmaBufError("EOPNOTSUPP", "Cannot block for the exporter: it answers later, in this same thread");
  }

  async #settled(answer: Promise<T>, waiter: Waiter, options: WaitTerms): Promise<void> {
    let isSettled = false;
    const settled = answer.then(
      () => (isSettled = true),
      () => (isSettled = true),
    );
    const subscribe = (done: () => void): (() => void) => {
      void settled.then(done);
      return () => {};
    };
    try {
      if (await waitUntil(waiter, options, () => isSettled, subscribe)) return;
      throw new DmaBufError(
        "ETIMEDOUT",
        `Cannot use the buffer in ${options.timeout} ms: its exporter has not answered`,
      );
    } catch (error) {
      answer.then(this.#undo, () => {});
      throw error;
    }
  }
}

/** Goes on with the answer: at once if it is there. */
export function andThen<T, R>(answer: Given<T>, next: (value: T) => Given<R>): Given<R> {
  return isLater(answer) ? answer.then(next) : next(answer);
}

/** Nothing, when it is done. */
export function done(result: Done): Given<void> {
  const given = promised(result);
  return isLater(given) ? given.then(() => {}) : undefined;
}
