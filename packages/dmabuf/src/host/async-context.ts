import { createAsyncStorage } from "./async-storage.js";
import { builtinModule } from "./modules.js";

/**
 * What goes with the code that runs: with what it begins, and with those that wait for its promises.
 *
 * async-context.1. Code that is begun has the value of the code that begins it: a callback, a timer, a promise's reaction.
 * async-context.2. Code that has awaited a promise has, beside its own value, the one of the code that has settled it; so
 *     what two tasks go through that were begun together is not mixed up before a third one waits for both.
 * async-context.3. Where the surroundings do not tell of promises, a value goes no further than the turn it was set in.
 */
export interface AsyncContext<T> {
  /** Whether it goes further than a turn (async-context.3). */
  readonly spansTurns: boolean;
  get(): T | undefined;
  /** For the code that runs now, and what it begins. */
  set(value: T | undefined): void;
  /** Runs code with another value. */
  run<R>(value: T | undefined, run: () => R): R;
  /** Asks for nothing of the surroundings any more. */
  close(): void;
}

interface PromiseHooks {
  createHook(hooks: {
    init(promise: object, parent: object | undefined): void;
    before(promise: object): void;
    settled(promise: object): void;
  }): () => void;
}

const PARENT = Symbol("parent");
const SETTLED_WITH = Symbol("settled with");

interface Marked<T> {
  [PARENT]?: Marked<T> | undefined;
  [SETTLED_WITH]?: T;
}

/**
 * @param join What code has that had `own` and has awaited a promise which was settled with `awaited`.
 * @param isNeeded Whether promises that are made now are worth looking at.
 */
export function createAsyncContext<T extends object>(
  join: (own: T | undefined, awaited: T) => T | undefined,
  isNeeded: () => boolean,
): AsyncContext<T> {
  const storage = createAsyncStorage<T>();
  const promiseHooks = builtinModule<{ readonly promiseHooks: PromiseHooks }>("node:v8")?.promiseHooks;
  if (storage === undefined || promiseHooks === undefined) return new TurnContext<T>();
  // The storage's own hooks come before those below: they say what value a reaction begins with.
  storage.run({} as T, () => {});
  const close = promiseHooks.createHook({
    init(promise: Marked<T>, parent: Marked<T> | undefined) {
      if (parent !== undefined && isNeeded()) promise[PARENT] = parent;
    },
    before(promise: Marked<T>) {
      const parent = promise[PARENT];
      if (parent === undefined) return;
      promise[PARENT] = undefined;
      const awaited = parent[SETTLED_WITH];
      if (awaited !== undefined) storage.enterWith(join(storage.getStore(), awaited));
    },
    settled(promise: Marked<T>) {
      // A long chain of promises is not to keep its first ones.
      if (promise[PARENT] !== undefined) promise[PARENT] = undefined;
      const value = storage.getStore();
      if (value !== undefined && isNeeded()) promise[SETTLED_WITH] = value;
    },
  });
  return {
    spansTurns: true,
    get: () => storage.getStore(),
    set: (value) => storage.enterWith(value),
    run: (value, run) => storage.run(value, run),
    close,
  };
}

/** async-context.3 */
class TurnContext<T> implements AsyncContext<T> {
  readonly spansTurns = false;
  #value: T | undefined;
  #isEnding = false;

  get(): T | undefined {
    return this.#value;
  }

  set(value: T | undefined): void {
    this.#value = value;
    if (this.#isEnding || value === undefined) return;
    this.#isEnding = true;
    void Promise.resolve().then(() => {
      this.#isEnding = false;
      this.#value = undefined;
    });
  }

  run<R>(value: T | undefined, run: () => R): R {
    const outer = this.#value;
    this.set(value);
    try {
      return run();
    } finally {
      this.set(outer);
    }
  }

  close(): void {}
}
