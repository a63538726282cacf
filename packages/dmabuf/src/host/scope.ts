import { builtinModule } from "./modules.js";

interface Storage<T> {
  run<R>(value: T, run: () => R): R;
  getStore(): T | undefined;
}

interface AsyncHooks {
  readonly AsyncLocalStorage: new <T>() => Storage<T>;
}

/**
 * What belongs to some code and to all that it begins, also what comes later. Where the surroundings have no asynchronous
 * contexts, it belongs to what the code calls.
 */
export function createScope<T>(): Storage<T> {
  const { AsyncLocalStorage } = builtinModule<AsyncHooks>("node:async_hooks") ?? {};
  return AsyncLocalStorage === undefined ? new Calls<T>() : new AsyncLocalStorage<T>();
}

class Calls<T> implements Storage<T> {
  #current: T | undefined;

  run<R>(value: T, run: () => R): R {
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
