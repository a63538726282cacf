import type { Started } from "./party.js";

/** Something that a party has begun to wait for. */
export interface Waiting<T> {
  readonly done: Promise<T>;
  /** Whether it ends by itself, given time. */
  isSettled(): Promise<boolean>;
}

/** Lets a task begin, and gives it time to go to sleep. */
export async function begin<T>(started: Started<T>): Promise<Waiting<T>> {
  let settled = false;
  const settle = (): void => void (settled = true);
  started.done.then(settle, settle);
  await started.begun;
  return {
    done: started.done,
    async isSettled() {
      await pause();
      return settled;
    },
  };
}

/** Time enough for what would happen by itself. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
