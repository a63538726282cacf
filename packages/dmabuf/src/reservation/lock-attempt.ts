import type { WaitCondition } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import type { AcquireContext } from "./acquire-context.js";
import { armLock, isOlder, lockWord, tryTakeLock } from "./lock.js";
import type { TakenLock } from "./reservation-lock.js";
import type { Reservation } from "./reservation.js";

/**
 * A wait for the lock that ends when it is taken, when its context must give way, or when the holder that waits is closed:
 * after that the slot may be another buffer's (lock.7).
 */
export class LockAttempt implements WaitCondition, Disposable {
  readonly #reservation: Reservation;
  readonly #context: AcquireContext | undefined;
  readonly #mine: bigint;
  /** Made by the look that takes the lock: a close that comes before anybody hears of that must open it. */
  #taken: TakenLock | undefined;

  constructor(reservation: Reservation, context: AcquireContext | undefined) {
    reservation.checkOpen();
    context?.beginAttempt(reservation);
    this.#reservation = reservation;
    this.#context = context;
    this.#mine = lockWord(reservation.agent.identity, context?.ticket ?? 0);
  }

  arm(): void {
    this.#reservation.checkOpen();
    armLock(this.#reservation.agent, this.#reservation.slot);
  }

  ready(): boolean {
    this.#reservation.checkOpen();
    if (this.#taken !== undefined) return true;
    const context = this.#context;
    context?.checkOpen();
    const holder = tryTakeLock(this.#reservation.agent, this.#reservation.slot, this.#mine);
    if (holder === 0n) {
      this.#taken = this.#reservation.took(context);
      return true;
    }
    if (context === undefined) return false;
    if (holder === this.#mine) {
      const owner = this.#reservation.describeOwner();
      throw new DmaBufError("EALREADY", `Cannot lock the reservation of ${owner}: this context holds it already`);
    }
    if (context.acquired > 0 && isOlder(holder, context.ticket)) context.giveWay(this.#reservation);
    return false;
  }

  /**
   * The lock, for whoever hears now that it was taken.
   *
   * @throws {DmaBufError} `EBADF`, `EINVAL` if the holder was closed or the context done since that look: it is open again.
   */
  get granted(): TakenLock {
    try {
      this.#reservation.checkOpen();
      this.#context?.checkOpen();
      return this.#taken!;
    } catch (error) {
      this.#taken![Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#context?.endAttempt();
  }
}
