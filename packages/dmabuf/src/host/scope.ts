import { createAsyncStorage, type AsyncStorage } from "./async-storage.js";

type Scope<T> = Pick<AsyncStorage<T>, "run" | "getStore">;

/**
 * What belongs to some code and to all that it begins, also what comes later. Where the surroundings have no asynchronous
 * contexts, it belongs to what the code calls.
 */
export function createScope<T>(): Scope<T> {
  return createAsyncStorage<T>() ?? new Calls<T>();
}

class Calls<T> implements Scope<T> {
  #current: T | undefined;

  run<R>(value: T | undefined, run: () => R): R {
    const before = this.#current;
    this.#current = value;
    try {
      return run();
    } finally {
      this.#current = before;
    }
  }

  getStore(): T | undefined {
    return this.#current;
  }
}
