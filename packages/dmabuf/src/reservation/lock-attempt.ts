import type { Activity } from "../domain/activity.js";
import type { WaitCondition } from "../domain/agent.js";
import { LOCK_ATTEMPT } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import type { ContextLocks } from "./acquire-context.js";
import type { Locker, TakenLock } from "./reservation-state.js";

/** The user of a reservation that waits for its lock. */
export interface LockUser extends Locker {
  /** @throws {DmaBufError} `EBADF` after its close. */
  checkOpen(): void;
  /** The lock has just been taken by it. */
  took(context: ContextLocks | undefined): TakenLock;
}

/**
 * A wait for the lock that ends when it is taken, when its context must give way, or when the holder that waits is closed:
 * after that the slot may be another buffer's (lock.7). End it by {@link end}.
 */
export class LockAttempt implements WaitCondition {
  readonly #user: LockUser;
  readonly #context: ContextLocks | undefined;
  /** Made by the look that takes the lock: a close that comes before the waiting code goes on must open it. */
  #taken: TakenLock | undefined;

  constructor(user: LockUser, context: ContextLocks | undefined) {
    user.checkOpen();
    this.#user = user;
    this.#context = context;
    context?.beginAttempt(user);
  }

  activity(): Activity {
    return { does: "awaits-lock", slot: this.#user.shared.slot };
  }

  arm(): void {
    this.#user.checkOpen();
    const { protocol, identity } = this.#user.agent;
    protocol.armLock(this.#user.shared.slot, identity);
  }

  ready(): boolean {
    this.#user.checkOpen();
    if (this.#taken !== undefined) return true;
    const context = this.#context;
    context?.checkOpen();
    const { protocol, identity } = this.#user.agent;
    const found = protocol.tryTakeLock(this.#user.shared.slot, identity, context?.ticket ?? 0, context?.count ?? 0);
    if (found === LOCK_ATTEMPT.TAKEN && context?.isInjected === true) {
      protocol.openLock(this.#user.shared.slot, identity, context.ticket);
      context.giveWay(this.#user);
    }
    if (found === LOCK_ATTEMPT.TAKEN) {
      this.#taken = this.#user.took(context);
      // Until the waiting code goes on, other code of this agent may run.
      this.#taken.spansTurns = true;
      return true;
    }
    if (found === LOCK_ATTEMPT.OWN) {
      const owner = this.#user.describeOwner();
      throw new DmaBufError("EALREADY", `Cannot lock the reservation of ${owner}: this context holds it already`);
    }
    if (found === LOCK_ATTEMPT.GIVE_WAY) context!.giveWay(this.#user);
    return false;
  }

  /** @throws {DmaBufError} `EDEADLK` if this agent itself has the lock: if it blocked, it would never open it. */
  checkBlocking(): void {
    if (this.#user.shared.lock === undefined) return;
    throw this.#user.agent.blocksItself(
      "deadlock",
      `Cannot block for the reservation of ${this.#user.describeOwner()}: this thread holds it itself`,
    );
  }

  /**
   * The lock, for the code that goes on now that it was taken.
   *
   * @throws {DmaBufError} `EBADF`, `EINVAL` if the holder was closed or the context done since that look: it is open again.
   */
  get granted(): TakenLock {
    try {
      this.#user.checkOpen();
      this.#context?.checkOpen();
      this.#taken!.spansTurns = false;
      return this.#taken!;
    } catch (error) {
      this.#taken![Symbol.dispose]();
      throw error;
    }
  }

  end(): void {
    this.#context?.endAttempt();
  }
}
