/** A promise that is settled from outside. */
export interface Settleable<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

export function settleable<T = void>(): Settleable<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  // A rejection reaches what waits for the promise; nothing need wait.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
