import type { HeldUp } from "../domain/long-waits.js";
import type { Steps } from "../domain/steps.js";
import { waitUntil, type Waiter, type WaitTerms } from "../domain/wait.js";
import { isLater, promised } from "../domain/promised.js";
import { DmaBufError } from "../errors.js";

/** What an exporter's operation gives back: the answer, or a promise of it. */
export type Answer<T> = T | PromiseLike<T>;

/** An answer as the library goes on with it: what a user's operation gave, by {@link promised}. */
export type Given<T> = T | Promise<T>;

/** What an operation without an answer gives back: nothing that matters, or a promise that says when it is done. */
export type Done = unknown;

/**
 * Waits for an answer that comes later, of an exporter in this agent. A thread that blocks could not get it.
 *
 * @param undo What takes the operation back when it succeeds after the wait for it has ended.
 * @param waiter What need not wait to the end. Without one the answer is waited for whatever the call's limits: what the
 *   exporter has begun under the lock (pending-request.3).
 * @param timeout For messages.
 */
export function* laterAnswer<T>(
  answer: Promise<T>,
  undo: (answer: T) => void = () => {},
  waiter?: Waiter,
  timeout?: number,
): Steps<T> {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  const settled = answer.then(
    (value) => void (outcome = { value }),
    (error: unknown) => void (outcome = { error }),
  );
  const subscribe = (done: () => void): (() => void) => {
    void settled.then(done);
    return () => {};
  };
  const wait = async (terms: WaitTerms): Promise<boolean> => {
    if (waiter !== undefined) return waitUntil(waiter, terms, () => outcome !== undefined, subscribe);
    await settled;
    return true;
  };
  const waitSync = (): never => {
    throw new DmaBufError("EOPNOTSUPP", "Cannot block for the exporter: it answers later, in this same thread");
  };
  try {
    const heldUp: HeldUp = () => ["use the buffer", "its exporter has not answered"];
    const inTime = yield { wait, waitSync, heldUp };
    if (!inTime) {
      const [action, why] = heldUp();
      throw new DmaBufError("ETIMEDOUT", `Cannot ${action} in ${timeout} ms: ${why}`);
    }
  } catch (error) {
    answer.then(undo, () => {});
    throw error;
  }
  if ("error" in outcome!) throw outcome.error;
  return outcome!.value;
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
