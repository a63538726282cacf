import type { Waiter, WaitOptions } from "../domain/wait.js";
import { DmaBufError, errorCode } from "../errors.js";

/** How a wait has ended: what it waited for has signaled, or the time has passed first. */
export type WaitResult = "signaled" | "timed-out";

export function waitResult(inTime: boolean): WaitResult {
  return inTime ? "signaled" : "timed-out";
}

/** A fence as `dmabuf/streams` has it: a part of the `Fence` of `dmabuf`, to be read and waited for. */
export interface ReadFence {
  /** The fence context: fences of one context are totally ordered. */
  readonly context: number;
  /** The number of the fence in its context. */
  readonly seqno: number;
  /** What makes the fence, for people. */
  readonly driverName: string;
  /** What the fence's context is called, for people. */
  readonly timelineName: string;
  /** 0 pending, 1 signaled without an error, a negative errno if the work failed. Looks actively. */
  readonly status: number;
  /** Why the work failed, once the fence has signaled. */
  readonly error: DmaBufError | undefined;
  /** Whether the fence has signaled. Looks actively. */
  isSignaled(): boolean;
  /**
   * Waits until the fence signals. Resolves for a failed fence too: look at `status` or `error`, or use `result()`.
   *
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts (a signaled fence wins).
   */
  wait(options?: WaitOptions): Promise<WaitResult>;
  /**
   * As {@link wait}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` if only this thread can signal the fence.
   */
  waitSync(options?: { readonly timeout?: number }): WaitResult;
  /**
   * Waits for the work to succeed.
   *
   * @throws {DmaBufError} The fence's own error; `ETIMEDOUT` if the time passed first; otherwise as {@link wait}.
   */
  result(options?: WaitOptions): Promise<void>;
  /** As {@link result}, blocking this thread. @throws {DmaBufError} As {@link result} and {@link waitSync}. */
  resultSync(options?: { readonly timeout?: number }): void;
}

/** @param cause What the work has failed with, where that is known. */
export function errorOf(fence: Omit<ReadFence, "error">, cause?: unknown): DmaBufError | undefined {
  const { status } = fence;
  if (status >= 0) return undefined;
  const { context, seqno, driverName, timelineName } = fence;
  const message = `Fence ${context}:${seqno} of ${driverName} ${timelineName} failed`;
  return new DmaBufError(errorCode(status), message, cause === undefined ? {} : { cause });
}

/** What a wait for the work to succeed makes of how the fence has ended. */
export function succeed(
  fence: ReadFence,
  result: WaitResult,
  timeout: number | undefined,
  { activities }: Waiter,
): void {
  if (result === "timed-out") {
    const { context, seqno } = fence;
    const late = new DmaBufError("ETIMEDOUT", `Fence ${context}:${seqno} has not signaled in ${timeout} ms`);
    activities?.explain(late, fence);
    throw late;
  }
  const { error } = fence;
  if (error !== undefined) throw error;
}
