import { ABORT_SIGNAL, check, checkOptions, FLAG, TIMEOUT, type Kinds } from "../arguments.js";
import type { Host } from "../substrate/host.js";

export interface WaitOptions {
  /** Milliseconds; 0 only looks. Default: no limit. */
  readonly timeout?: number;
  /** Aborts the wait, which then rejects with the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /** Lets the process end although this wait is pending. Default false. */
  readonly unref?: boolean;
}

export const WAIT: Kinds<WaitOptions> = { timeout: TIMEOUT, signal: ABORT_SIGNAL, unref: FLAG };

/** Looks at the options of a wait, at the entry of each function that takes them. */
export function checkWait(call: string, options: WaitOptions): void {
  checkOptions(call, options, WAIT);
}

const WAIT_SYNC: Kinds<Pick<WaitOptions, "timeout">> = { timeout: TIMEOUT };

/** The same for one that blocks. */
export function checkWaitSync(call: string, options: Pick<WaitOptions, "timeout">): void {
  checkOptions(call, options, WAIT_SYNC);
}

/** The part of `AbortSignal` that waits use: the core names no global. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Starts to listen for what is awaited; returns what ends the listening. */
export type Subscribe = (done: () => void, failed: (error: unknown) => void) => () => void;

/**
 * Waits without blocking: every asynchronous wait of the library comes through here.
 *
 * What is ready wins over an abort, an abort over a timeout of 0, and a timer looks once more before it gives up.
 *
 * @returns False if the time passed first.
 * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts.
 */
export async function pend(
  host: Host,
  options: WaitOptions,
  ready: () => boolean,
  subscribe: Subscribe,
): Promise<boolean> {
  const { timeout = Infinity, signal, unref = false } = options;
  checkTimeout(timeout);
  if (ready()) return true;
  if (signal?.aborted) throw signal.reason;
  if (timeout === 0) return false;
  const letGo = unref ? undefined : host.keepAlive();
  let cancelTimer: (() => void) | undefined;
  let forgetAbort: (() => void) | undefined;
  let unsubscribe: (() => void) | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      // Each end unsubscribes at once: a look that came later could take what nobody would get any more.
      if (signal !== undefined) {
        forgetAbort = onAbort(signal, () => {
          unsubscribe?.();
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an abort's reason may be any value
          reject(reasonOf(signal));
        });
      }
      if (timeout !== Infinity) {
        // A look may throw; `async` makes that a rejection.
        const lastLook = async (): Promise<boolean> => ready();
        cancelTimer = host.after(timeout, () => {
          unsubscribe?.();
          resolve(lastLook());
        });
      }
      unsubscribe = subscribe(() => resolve(true), reject);
    });
  } finally {
    unsubscribe?.();
    cancelTimer?.();
    letGo?.();
    forgetAbort?.();
  }
}

/** All waits on one signal have one listener: engines search a list for each that comes or goes. */
const aborts = new WeakMap<AbortSignalLike, AbortWaits>();

interface AbortWaits {
  readonly waits: Set<() => void>;
  readonly listener: () => void;
}

/** A signal of the user's own making may throw. */
function reasonOf(signal: AbortSignalLike): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}

/** Calls back when the signal aborts; returns what ends that. */
function onAbort(signal: AbortSignalLike, aborted: () => void): () => void {
  const { waits, listener } = aborts.get(signal) ?? listenTo(signal);
  waits.add(aborted);
  return () => {
    if (!waits.delete(aborted) || waits.size > 0 || aborts.get(signal)?.waits !== waits) return;
    aborts.delete(signal);
    try {
      signal.removeEventListener("abort", listener);
    } catch {
      // A signal of the user's own making: the wait has its outcome, and may have taken what it waited for.
    }
  };
}

function listenTo(signal: AbortSignalLike): AbortWaits {
  const waits = new Set<() => void>();
  const listener = (): void => {
    aborts.delete(signal);
    for (const aborted of waits) aborted();
  };
  signal.addEventListener("abort", listener, { once: true });
  const listening = { waits, listener };
  aborts.set(signal, listening);
  return listening;
}

export function checkTimeout(timeout: number): void {
  check("A wait", "timeout", timeout, TIMEOUT);
}

/**
 * Counts a timeout down from now: what is left of it, for a call that waits more than once.
 *
 * @throws {DmaBufError} `EINVAL` for a negative timeout.
 */
export function countdown(host: Host, timeout = Infinity): () => number {
  checkTimeout(timeout);
  if (timeout === Infinity) return () => Infinity;
  const end = host.nowNs() + timeout * 1e6;
  return () => Math.max(0, (end - host.nowNs()) / 1e6);
}
