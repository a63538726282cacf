import type { AbortSignalLike } from "../host/abort.js";
import { ABORT_SIGNAL, check, checkOptions, FLAG, isObject, TIMEOUT, type Kinds } from "../arguments.js";
import type { Host } from "../host/host.js";
import type { ActivityLog, OngoingCall } from "./activity.js";
import type { LongWaits } from "./long-waits.js";
import type { Validation } from "./validation.js";

/** How long a wait may take, and what else ends it. */
export interface WaitOptions {
  /** Milliseconds; 0 only looks. Default: no limit. */
  readonly timeout?: number;
  /** Aborts the wait, which then rejects with the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /** Lets the process end although this wait is pending. Default false. */
  readonly unref?: boolean;
}

/** The options of a wait that was given none. */
export const NO_LIMIT: WaitOptions = {};

export const WAIT: Kinds<WaitOptions> = { timeout: TIMEOUT, signal: ABORT_SIGNAL, unref: FLAG };

/** Looks at the options of a wait, at the entry of each function that takes them. */
export function checkWait(call: string, options: WaitOptions): void {
  if (options === NO_LIMIT) return;
  // Most waits have none, and a table is slow to go through.
  const isPlain = isObject(options) && options.signal === undefined && options.unref === undefined;
  if (!isPlain || !isTime(options.timeout)) checkOptions(call, options, WAIT);
}

function isTime(timeout: unknown): boolean {
  return timeout === undefined || (typeof timeout === "number" && timeout >= 0);
}

const WAIT_SYNC: Kinds<Pick<WaitOptions, "timeout">> = { timeout: TIMEOUT };

/** The same for one that blocks. */
export function checkWaitSync(call: string, options: Pick<WaitOptions, "timeout">): void {
  if (options === NO_LIMIT) return;
  if (!isObject(options) || !isTime(options.timeout)) checkOptions(call, options, WAIT_SYNC);
}

/** The options of a wait within the library: it also looks at what ends the thing that it waits at. */
export interface WaitTerms extends WaitOptions {
  readonly ending?: Ending | undefined;
  /** The call that waits, if it may wait several times. */
  readonly call?: OngoingCall | undefined;
}

/**
 * The end of something that is waited at: a stream, a queue, a holder of a buffer, an agent. A wait there hears of
 * it at once.
 */
export class Ending {
  #reason: (() => Error) | undefined;
  #waits: Set<(error: Error) => void> | undefined;

  get isOver(): boolean {
    return this.#reason !== undefined;
  }

  /** Ends all waits. @param reason What they, and all later ones, reject with; the first one counts. */
  end(reason: () => Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const waits = this.#waits;
    this.#waits = undefined;
    for (const ended of waits ?? []) ended(reason());
  }

  /** What waits reject with, once it is over. */
  get error(): Error | undefined {
    return this.#reason?.();
  }

  /** @throws That error. */
  check(): void {
    if (this.#reason !== undefined) throw this.#reason();
  }

  /** Calls back at the end, in this call if it is over; returns what ends that. */
  onEnd(ended: (error: Error) => void): () => void {
    if (this.#reason !== undefined) ended(this.#reason());
    else (this.#waits ??= new Set()).add(ended);
    return () => this.#waits?.delete(ended);
  }
}

/** Who waits: an agent, whose leaving ends all its waits, or code that belongs to none. */
export interface Waiter {
  readonly host: Host;
  readonly longWaits?: LongWaits;
  readonly activities?: ActivityLog | undefined;
  readonly ending?: Ending;
  readonly validation?: Pick<Validation, "pends"> | undefined;
}

/** Starts to listen for what is awaited; returns what ends the listening. */
export type Subscribe = (done: () => void, failed: (error: unknown) => void) => () => void;

/**
 * Waits without blocking: every asynchronous wait of the library comes through here.
 *
 * What is ready wins over an abort, an abort over an end, an end over a timeout of 0, and a timer looks once more
 * before it gives up.
 *
 * @param doing What is waited for, for other agents.
 * @returns False if the time passed first.
 * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts; what it ends with, if what
 *   is waited at is over, or the waiter has left its domain.
 */
export async function waitUntil(
  { host, ending: leaving, activities, validation }: Waiter,
  options: WaitTerms,
  ready: () => boolean,
  subscribe: Subscribe,
  doing?: object,
): Promise<boolean> {
  const { timeout = Infinity, signal, unref = false, ending, call } = options;
  checkTimeout(timeout);
  if (ready()) return true;
  if (signal?.aborted) throw signal.reason;
  ending?.check();
  leaving?.check();
  if (timeout === 0) return false;
  const letGo = unref ? undefined : host.keepAlive();
  const endWait = activities?.lasts(doing, call ?? activities.begin());
  let cancelTimer: (() => void) | undefined;
  let forgetAbort: (() => void) | undefined;
  let unsubscribe: (() => void) | undefined;
  let forgetEnding: (() => void) | undefined;
  let forgetLeaving: (() => void) | undefined;
  const wentOn = validation?.pends();
  try {
    return await new Promise<boolean>((resolve, reject) => {
      // Each end unsubscribes at once: a look that came later could take what no caller would get any more.
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
      const ended = (error: Error): void => {
        unsubscribe?.();
        reject(error);
      };
      forgetEnding = ending?.onEnd(ended);
      forgetLeaving = leaving?.onEnd(ended);
      unsubscribe = subscribe(() => resolve(true), reject);
    });
  } finally {
    unsubscribe?.();
    forgetEnding?.();
    forgetLeaving?.();
    cancelTimer?.();
    endWait?.();
    letGo?.();
    forgetAbort?.();
    wentOn?.();
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

/** What is left of the options of a call that waits more than once. @param ending What ends each of its waits. */
export function limitsOf(host: Host, options: WaitTerms, ending = options.ending): () => WaitTerms {
  checkTimeout(options.timeout ?? Infinity);
  if (options.timeout === undefined) return () => (ending === undefined ? options : { ...options, ending });
  const left = countdown(host, options.timeout);
  return () => ({ ...options, timeout: left(), ending });
}
