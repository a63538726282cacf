import { owned } from "../domain/held.js";
import type { AcquireContext } from "./acquire-context.js";
import type { TakenLock } from "./reservation-state.js";

/** @param context That of the lock, which its user may have dropped. */
export let makeReservationLock: (taken: TakenLock, context?: AcquireContext) => ReservationLock;

/**
 * A held lock of a reservation.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * const fence = domain.createTimeline().createFence();
 * using lock = await buffer.reservation.lock();
 * buffer.reservation.reserveFences(1);
 * buffer.reservation.addFence(fence, "write");
 * ```
 */
export class ReservationLock implements Disposable {
  readonly #taken: TakenLock;

  static {
    makeReservationLock = (taken, context) => new ReservationLock(taken, context);
  }

  private constructor(taken: TakenLock, context: AcquireContext | undefined) {
    this.#taken = taken;
    // One under a context is the context's, which opens it: its user need not keep this object.
    if (context === undefined) owned(taken, this);
    else contexts.set(this, context);
  }

  /** The acquire context under which it was taken. */
  get context(): AcquireContext | undefined {
    return contexts.get(this);
  }

  /** Opens the lock; while an exporter works under it, when that has ended. Closing it twice does nothing. */
  close(): void {
    this.#taken[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** While a lock is in use, so is its context. */
const contexts = new WeakMap<ReservationLock, AcquireContext>();
