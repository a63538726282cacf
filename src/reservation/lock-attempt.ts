import type { Agent, Awaited } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import type { AcquireContext } from "./acquire-context.js";
import { armLock, isOlder, lockWord, tryTakeLock } from "./lock.js";
import type { Reservation } from "./reservation.js";

/** A wait for the lock that ends when it is taken, or when its context must give way. */
export class LockAttempt implements Awaited, Disposable {
  readonly #agent: Agent;
  readonly #reservation: Reservation;
  readonly #slot: number;
  readonly #context: AcquireContext | undefined;
  readonly #mine: bigint;

  constructor(agent: Agent, reservation: Reservation, bufferSlot: number, context: AcquireContext | undefined) {
    context?.beginAttempt(reservation);
    this.#agent = agent;
    this.#reservation = reservation;
    this.#slot = bufferSlot;
    this.#context = context;
    this.#mine = lockWord(agent.identity, context?.ticket ?? 0);
  }

  arm(): void {
    armLock(this.#agent, this.#slot);
  }

  ready(): boolean {
    const context = this.#context;
    context?.checkOpen();
    const holder = tryTakeLock(this.#agent, this.#slot, this.#mine);
    if (holder === 0n) return true;
    if (context === undefined) return false;
    if (holder === this.#mine) {
      const owner = this.#reservation.describeOwner();
      throw new DmaBufError("EALREADY", `Cannot lock the reservation of ${owner}: this context holds it already`);
    }
    if (context.acquired > 0 && isOlder(holder, context.ticket)) context.giveWay(this.#reservation);
    return false;
  }

  [Symbol.dispose](): void {
    this.#context?.endAttempt();
  }
}
