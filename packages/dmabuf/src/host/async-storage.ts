import { builtinModule } from "./modules.js";

/** A value that belongs to some code and to all that it begins, also what comes later. */
export interface AsyncStorage<T> {
  getStore(): T | undefined;
  enterWith(value: T | undefined): void;
  run<R>(value: T | undefined, run: () => R): R;
}

interface AsyncHooks {
  readonly AsyncLocalStorage: new <T>() => AsyncStorage<T>;
}

/** That of the surroundings, if they have asynchronous contexts. */
export function createAsyncStorage<T>(): AsyncStorage<T> | undefined {
  const { AsyncLocalStorage } = builtinModule<AsyncHooks>("node:async_hooks") ?? {};
  return AsyncLocalStorage && new AsyncLocalStorage<T>();
}
