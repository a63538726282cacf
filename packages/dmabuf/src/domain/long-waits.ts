import type { Host } from "../host/host.js";

/** What cannot go on, in words after "Cannot", and why. */
export type HeldUp = () => readonly [action: string, why: string];

/**
 * Calls of one agent that wait for others: each warns once, when it has waited for long.
 *
 * long-waits.1. What does not wait costs no clock and no timer; all that wait have one timer, which keeps no process alive.
 * long-waits.2. A thread that is blocked warns at once, itself: its event loop would not come to it.
 */
export class LongWaits {
  readonly #host: Host;
  readonly #afterMs: number;
  /** Those that return to the event loop, in the order in which they are to warn. */
  readonly #waits = new Set<LongWait>();
  #cancelTimer: (() => void) | undefined;
  /** Of the call that blocks this thread. */
  #blocked: HeldUp | undefined;
  #blockedUntil: number | undefined;

  /** @param afterMs How long a wait may be without a word; `Infinity` for any time. */
  constructor(host: Host, afterMs: number) {
    this.#host = host;
    this.#afterMs = afterMs;
  }

  /** A call returns to the event loop until it goes on; nothing if it never warns. End it by {@link end}. */
  begin(): LongWait | undefined {
    if (this.#afterMs === Infinity) return undefined;
    const wait: LongWait = { heldUp: undefined, until: this.#host.nowNs() + this.#afterMs * 1e6 };
    this.#waits.add(wait);
    if (this.#waits.size === 1) this.#cancelTimer ??= this.#host.after(this.#afterMs, () => this.#look());
    return wait;
  }

  end(wait: LongWait): void {
    this.#waits.delete(wait);
  }

  /** A call is about to block this thread, until {@link unblock}. @param heldUp Nothing for what may wait for long. */
  block(heldUp: HeldUp | undefined): void {
    if (this.#afterMs !== Infinity) this.#blocked = heldUp;
  }

  unblock(): void {
    this.#blocked = undefined;
    this.#blockedUntil = undefined;
  }

  /** Milliseconds for which this thread may sleep before it must ask again. It warns in this call if that is due. */
  blockedLeft(): number {
    if (this.#blocked === undefined) return Infinity;
    const now = this.#host.nowNs();
    this.#blockedUntil ??= now + this.#afterMs * 1e6;
    if (this.#blockedUntil <= now) {
      this.#warn(this.#blocked, true);
      this.#blockedUntil = Infinity;
    }
    return (this.#blockedUntil - now) / 1e6;
  }

  /** The agent has left. */
  close(): void {
    this.#cancelTimer?.();
    this.#waits.clear();
  }

  #look(): void {
    this.#cancelTimer = undefined;
    const now = this.#host.nowNs();
    for (const wait of this.#waits) {
      const left = wait.until - now;
      if (left > 0) {
        this.#cancelTimer = this.#host.after(left / 1e6, () => this.#look());
        return;
      }
      this.#waits.delete(wait);
      if (wait.heldUp !== undefined) {
        this.#warn(wait.heldUp, false);
      } else {
        // Just now it waits for what may take long.
        wait.until = now + this.#afterMs * 1e6;
        this.#waits.add(wait);
      }
    }
  }

  #warn(heldUp: HeldUp, isBlocked: boolean): void {
    const [action, why] = heldUp();
    this.#host.warn(`Cannot ${action} after ${this.#afterMs} ms: ${why} (option "warnAfter")`, isBlocked);
  }
}

/** A call that waits. */
export interface LongWait {
  /** Who holds up what it waits for now; nothing if that may take long. */
  heldUp: HeldUp | undefined;
  /** When it warns. */
  until: number;
}
