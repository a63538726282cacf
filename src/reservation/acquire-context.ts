import type { Agent } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import { takeTicket } from "./lock.js";
import type { Reservation } from "./reservation.js";
import type { ReservationLock } from "./reservation-lock.js";

/**
 * One attempt to lock several reservations. Its ticket is taken once and kept over every back-off, so that it grows
 * older than all newcomers and wins in the end.
 *
 * @see linux/Documentation/locking/ww-mutex-design.rst
 */
export class AcquireContext implements Disposable {
  readonly ticket: number;
  readonly #held = new Set<ReservationLock>();
  #done = false;

  constructor(agent: Agent) {
    this.ticket = takeTicket(agent);
  }

  /** How many reservations are held under this context. */
  get acquired(): number {
    return this.#held.size;
  }

  /** Says that all reservations are locked: no further one may be. */
  done(): void {
    this.#done = true;
  }

  /** Unlocks everything that is still held. */
  [Symbol.dispose](): void {
    this.backOff();
    this.#done = true;
  }

  /** Unlocks everything, to begin again with the same ticket. */
  backOff(): void {
    for (const lock of [...this.#held]) lock[Symbol.dispose]();
  }

  /** @internal */
  add(lock: ReservationLock): void {
    this.#held.add(lock);
  }

  /** @internal */
  remove(lock: ReservationLock): void {
    this.#held.delete(lock);
  }

  /** @internal */
  checkOpen(): void {
    if (this.#done) throw new DmaBufError("EINVAL", "Cannot lock the reservation: its acquire context is done");
  }
}

/** Thrown to a requester that must give way: release every lock of its context, then lock this one first. */
export class WouldDeadlockError extends DmaBufError {
  readonly reservation: Reservation;

  constructor(reservation: Reservation) {
    super("EDEADLK", `Cannot lock the reservation of ${reservation.describeOwner()}: an older ticket holds it`);
    this.reservation = reservation;
  }
}
