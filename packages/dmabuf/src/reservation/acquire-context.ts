import { check, instance, type Kind } from "../arguments.js";
import { AGENT_KIND, type Agent } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import { takeTicket } from "./lock.js";
import type { Reservation } from "./reservation.js";
import type { TakenLock } from "./reservation-lock.js";

/**
 * One attempt to lock several reservations. Its ticket is taken once and kept over every back-off, so that it grows
 * older than all newcomers and wins in the end.
 *
 * acquire-context.1. A context that must give way takes no lock before it has unlocked all that it holds, and then the
 *      contended one first: another order may give way again and again.
 * acquire-context.2. It waits for one lock at a time: of two, each would be waited for as if the other were not held
 *      (lock.2).
 * acquire-context.3. Once it is done or disposed it takes no lock, not even one that it was waiting for.
 *
 * @see linux/Documentation/locking/ww-mutex-design.rst
 */
export class AcquireContext implements Disposable {
  readonly ticket: number;
  readonly #agent: Agent;
  readonly #held = new Set<TakenLock>();
  /** What it must give way for, until it has that. */
  #contended: Reservation | undefined;
  /** What it waits for just now. */
  #awaited: Reservation | undefined;
  #done = false;

  constructor(agent: Agent) {
    check("new AcquireContext()", "agent", agent, AGENT_KIND);
    this.#agent = agent;
    this.ticket = takeTicket(agent);
  }

  /** How many reservations are held under this context. */
  get acquired(): number {
    return this.#held.size;
  }

  /** Says that all reservations are locked: no further one may be. To say so twice, or when not all are, is reported. */
  done(): void {
    const wrong = this.#done ? "it was done before" : (this.#contended ?? this.#awaited) && "it has not all its locks";
    if (wrong) this.#agent.host.warn(`An acquire context is done, but ${wrong}`);
    this.#done = true;
  }

  /** Unlocks everything that is still held. */
  [Symbol.dispose](): void {
    this.backOff();
    this.#done = true;
  }

  /** Unlocks everything, to begin again with the same ticket; the reservation that was contended comes first then. */
  backOff(): void {
    for (const lock of [...this.#held]) lock[Symbol.dispose]();
  }

  /** @internal It has the lock that it waited for. @throws {DmaBufError} `EINVAL` if it was done meanwhile (acquire-context.3). */
  add(lock: TakenLock): void {
    if (this.#done) {
      lock[Symbol.dispose]();
      this.checkOpen();
    }
    this.#held.add(lock);
    this.#contended = undefined;
  }

  /** @internal */
  remove(lock: TakenLock): void {
    this.#held.delete(lock);
  }

  /**
   * @internal It is going to wait for a lock, until {@link endAttempt}.
   *
   * @throws {DmaBufError} `EINVAL` if it must not; `EDEADLK` if that lock is the contended one and it holds others.
   * @throws {TypeError} if the reservation is of another agent.
   */
  beginAttempt(reservation: Reservation): void {
    if (reservation.agent !== this.#agent) {
      throw new TypeError("An acquire context locks reservations of its own agent only: import the buffer there");
    }
    this.checkOpen();
    // One whose holder has closed it cannot be locked any more.
    if (this.#contended?.isClosed) this.#contended = undefined;
    const [awaited, contended] = [this.#awaited, this.#contended];
    if (awaited !== undefined) refuse(reservation, `its acquire context waits for that of ${awaited.describeOwner()}`);
    if (contended !== undefined && contended.shared !== reservation.shared) {
      refuse(reservation, `its acquire context must unlock all, and lock that of ${contended.describeOwner()} first`);
    }
    if (contended !== undefined && this.acquired > 0) this.giveWay(contended);
    this.#awaited = reservation;
  }

  /** @internal */
  endAttempt(): void {
    this.#awaited = undefined;
  }

  /** @internal acquire-context.1. @throws {DmaBufError} `EDEADLK`, always. */
  giveWay(contended: Reservation): never {
    this.#contended = contended;
    throw new WouldDeadlockError(contended);
  }

  /** @internal @throws {DmaBufError} `EINVAL` if it takes no lock any more. */
  checkOpen(): void {
    if (this.#done) throw new DmaBufError("EINVAL", "Cannot lock the reservation: its acquire context is done");
  }
}

function refuse(reservation: Reservation, why: string): never {
  throw new DmaBufError("EINVAL", `Cannot lock the reservation of ${reservation.describeOwner()}: ${why}`);
}

/** What an argument `context` must be. */
export const CONTEXT = instance(AcquireContext);

/** By what it needs: the class stands upon this one. */
const RESERVATION: Kind = {
  wanted: "a Reservation",
  isKind: (value) => typeof (value as Partial<Reservation> | null | undefined)?.describeOwner === "function",
};

/** Thrown to a requester that must give way: release every lock of its context, then lock this one first. */
export class WouldDeadlockError extends DmaBufError {
  readonly reservation: Reservation;

  constructor(reservation: Reservation) {
    check("new WouldDeadlockError()", "reservation", reservation, RESERVATION);
    const owner = reservation.describeOwner();
    super("EDEADLK", `Cannot lock the reservation of ${owner}: its acquire context must give way to an older ticket`);
    this.reservation = reservation;
  }
}
