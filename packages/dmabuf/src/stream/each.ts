import { isLater } from "../domain/promised.js";

/**
 * What `next` gives, one after the other, until it gives nothing or fails; then, or when the loop is left, `leave` is called.
 * It is no generator: that would make four promises for each, and this makes one for what is there at once.
 *
 * @param next As a rule asynchronous; gives what is there at once as it is.
 */
export function each<T>(
  next: () => T | undefined | Promise<T | undefined>,
  leave: () => void = () => {},
): AsyncGenerator<T, void, undefined> {
  return new Each(next, leave);
}

class Each<T> implements AsyncGenerator<T, void, undefined> {
  readonly #next: () => T | undefined | Promise<T | undefined>;
  readonly #leave: () => void;
  #isOver = false;

  constructor(next: () => T | undefined | Promise<T | undefined>, leave: () => void) {
    this.#next = next;
    this.#leave = leave;
  }

  async next(): Promise<IteratorResult<T, void>> {
    if (this.#isOver) return { value: undefined, done: true };
    try {
      const next = this.#next();
      const value = isLater(next) ? await next : next;
      if (value !== undefined) return { value, done: false };
    } catch (error) {
      this.#end();
      throw error;
    }
    return this.return();
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.#end();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<never> {
    this.#end();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
  }
}
