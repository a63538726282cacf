import { textOf } from "../errors.js";
import type { Host } from "../host/host.js";

/**
 * What a user's code has given back: itself, or a promise of what it promises, which is really one.
 *
 * A `then` of the user's runs neither in this call nor outside a `try`, and what it throws rejects the promise: so no
 * caller is left in the middle of anything. Every value that may be a `PromiseLike` comes through here.
 */
export function promised<T>(given: T | PromiseLike<T>): T | Promise<T> {
  try {
    if (typeof (given as { then?: unknown } | null | undefined)?.then !== "function") return given as T;
  } catch (error) {
    // A getter.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's code throws may be any value
    return Promise.reject(error);
  }
  if (isPlain(given)) return given;
  return new Promise((resolve) => resolve(given));
}

/** Whether a value is a promise of the engine's own, whose `then` runs no code of a user's. */
function isPlain<T>(given: T | PromiseLike<T>): given is Promise<T> {
  if (!(given instanceof Promise) || Object.getPrototypeOf(given) !== Promise.prototype) return false;
  return !Object.hasOwn(given, "then") && !Object.hasOwn(given, "constructor");
}

/** Whether a value that came through {@link promised} comes later. */
export function isLater<T>(answer: T | Promise<T>): answer is Promise<T> {
  return answer instanceof Promise;
}

/** The promise of a call: the one that it gives itself, if it waits. What it throws rejects the promise. */
export function promiseOf<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return Promise.resolve(call());
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's code throws may be any value
    return Promise.reject(error);
  }
}

/** What hears of a failure that no caller waits for. */
export type Reporter = Pick<Host, "warn">;

/**
 * Ends something by a user's code, or gives it back. The end of anything cannot fail, near or far: what the code
 * throws, or rejects with later, is reported, and what comes after it goes on.
 *
 * @param who Whose code it is, for the report.
 * @returns When it is over, if that is later; it never rejects.
 */
export function runEnd(host: Reporter, who: string, end: () => unknown): void | Promise<void> {
  const report = (error: unknown): void => host.warn(`${who} failed: ${textOf(error)}`);
  try {
    const given = promised(end());
    if (isLater(given)) return given.then(() => {}, report);
  } catch (error) {
    report(error);
  }
}
