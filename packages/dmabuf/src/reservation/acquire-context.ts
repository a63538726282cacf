import { instance } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import type { Activity } from "../domain/activity.js";
import { Held, owned } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import { takeTicket } from "./lock.js";

/** What the library needs of a context. */
export let locksOf: (context: AcquireContext) => ContextLocks;
/** @param locks Those of a context that has no object yet. */
export let makeAcquireContext: (agent: Agent, locks?: ContextLocks) => AcquireContext;

/**
 * One attempt to lock several reservations. Its ticket is taken once and kept over every back-off, so that it grows
 * older than all newcomers and wins in the end.
 *
 * acquire-context.1. A context that must give way takes no lock before it has unlocked all that it holds, and then the
 *     contended one first: another order may give way again and again.
 * acquire-context.2. It waits for one lock at a time: of two, each would be waited for as if the other were not held
 *     (lock.2).
 * acquire-context.3. Once it is done or disposed it takes no lock, not even one that it was waiting for.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * const [first, second] = [domain.allocate(4096), domain.allocate(4096)];
 * const context = domain.createAcquireContext();
 * try {
 *   await first.reservation.lock(context);
 *   await second.reservation.lock(context); // a WouldDeadlockError here says what to lock first after backOff()
 *   context.done();
 * } finally {
 *   context.close();
 * }
 * ```
 * @see linux/Documentation/locking/ww-mutex-design.rst
 */
export class AcquireContext implements Disposable {
  readonly #locks: ContextLocks;

  static {
    locksOf = (context) => context.#locks;
    makeAcquireContext = (agent, locks = new ContextLocks(agent)) => {
      const context = owned(locks, new AcquireContext(locks));
      locks.object = new WeakRef(context);
      return context;
    };
  }

  private constructor(locks: ContextLocks) {
    this.#locks = locks;
  }

  /** The number by which contexts give way to each other: the smaller one is older. */
  get ticket(): number {
    return this.#locks.ticket;
  }

  /** How many reservations are held under this context. */
  get acquired(): number {
    return this.#locks.count;
  }

  /**
   * Says that all reservations are locked: no further one may be. To say so twice, or when not all are, is reported.
   */
  done(): void {
    this.#locks.done();
  }

  /** Unlocks everything, to begin again with the same ticket; the reservation that was contended comes first then. */
  backOff(): void {
    this.#locks.openAll();
  }

  /** Unlocks everything that is still held. Closing it twice does nothing. */
  close(): void {
    this.#locks.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What an argument `context` must be. */
export const CONTEXT = instance(AcquireContext);

/** What can be locked under a context: one user's end of a reservation. */
export interface Lockable {
  readonly agent: Agent;
  readonly isClosed: boolean;
  /** The same for all users of one reservation in this agent. */
  readonly shared: object;
  describeOwner(): string;
  /** The error for a requester that must give way here. */
  wouldDeadlock(): Error;
}

/** A lock that a context holds. */
interface LockUnderContext extends Disposable {
  /** The name of its buffer, for people. */
  readonly bufferName: string;
}

/** The locks of one context. */
export class ContextLocks extends Held implements Disposable {
  readonly agent: Agent;
  readonly ticket: number;
  /** The object that the user has, if one was made. */
  object: WeakRef<AcquireContext> | undefined;
  readonly #held = new Set<LockUnderContext>();
  /** What it must give way for, until it has that. */
  #contended: Lockable | undefined;
  /** What it waits for just now. */
  #awaited: Lockable | undefined;
  #isDone = false;
  /** After so many locks it gives way without need, and how many that were the last time. */
  #untilInjected = 0;
  #injectedAfter = 1;

  constructor(agent: Agent) {
    super(agent.held, described, close);
    this.agent = agent;
    this.ticket = takeTicket(agent);
  }

  override activity(): Activity {
    return { does: "acquires", slot: 0, number: this.ticket >>> 0 };
  }

  get count(): number {
    return this.#held.size;
  }

  done(): void {
    const open = this.#contended ?? this.#awaited;
    const wrong = this.#isDone ? "it was done before" : open && "it has not all its locks";
    if (wrong) this.agent.complain("back-off", `An acquire context is done, but ${wrong}`);
    this.#isDone = true;
  }

  /** The names of their buffers. */
  get bufferNames(): string[] {
    return Array.from(this.#held, ({ bufferName }) => bufferName);
  }

  openAll(): void {
    for (const lock of [...this.#held]) lock[Symbol.dispose]();
  }

  /** It takes no lock any more. */
  finish(): void {
    this.#isDone = true;
  }

  [Symbol.dispose](): void {
    this.end();
  }

  /** It has the lock that it waited for. @throws {DmaBufError} `EINVAL` if it was done during the wait (acquire-context.3). */
  add(lock: LockUnderContext): void {
    if (this.#isDone) {
      lock[Symbol.dispose]();
      this.checkOpen();
    }
    this.#held.add(lock);
    this.#contended = undefined;
  }

  remove(lock: LockUnderContext): void {
    this.#held.delete(lock);
  }

  /**
   * It is going to wait for a lock, until {@link endAttempt}.
   *
   * @throws {DmaBufError} `EINVAL` if it must not; `EDEADLK` if that lock is the contended one and it holds others.
   * @throws {TypeError} if the reservation is of another agent.
   */
  beginAttempt(reservation: Lockable): void {
    if (reservation.agent !== this.agent) {
      throw new TypeError("An acquire context locks reservations of its own agent only: import the buffer there");
    }
    if (this.#isDone) this.#report(DONE);
    this.checkOpen();
    // One whose holder has closed it cannot be locked any more.
    if (this.#contended?.isClosed) this.#contended = undefined;
    const [awaited, contended] = [this.#awaited, this.#contended];
    if (awaited !== undefined) {
      this.#refuse(reservation, `its acquire context waits for that of ${awaited.describeOwner()}`);
    }
    if (contended !== undefined && contended.shared !== reservation.shared) {
      this.#refuse(
        reservation,
        `its acquire context must unlock all, and lock that of ${contended.describeOwner()} first`,
      );
    }
    if (contended !== undefined && this.count > 0) {
      const why = "its acquire context holds others still, and must unlock all first";
      this.#report(`Cannot lock the reservation of ${contended.describeOwner()}: ${why}`);
      this.giveWay(contended);
    }
    this.#awaited = reservation;
  }

  /**
   * Whether it gives way for a lock that it could have: where that is to be tried. It comes more and more rarely, so that
   * every program goes on.
   */
  get isInjected(): boolean {
    if (this.agent.validation?.injectsDeadlocks !== true || this.count === 0 || this.#untilInjected-- > 0) return false;
    this.#injectedAfter *= INJECTED_GROWTH;
    this.#untilInjected = this.#injectedAfter;
    return true;
  }

  endAttempt(): void {
    this.#awaited = undefined;
  }

  /** acquire-context.1. @throws {DmaBufError} `EDEADLK`, always. */
  giveWay(contended: Lockable): never {
    this.#contended = contended;
    throw contended.wouldDeadlock();
  }

  /** @throws {DmaBufError} `EINVAL` if it takes no lock any more. */
  checkOpen(): void {
    if (this.#isDone) throw new DmaBufError("EINVAL", DONE);
  }

  #report(message: string): void {
    this.agent.validation?.report("back-off", message);
  }

  #refuse(reservation: Lockable, why: string): never {
    const message = `Cannot lock the reservation of ${reservation.describeOwner()}: ${why}`;
    this.#report(message);
    throw new DmaBufError("EINVAL", message);
  }
}

/** A context that holds nothing is forgotten without harm. */
function described({ bufferNames }: ContextLocks): string | undefined {
  if (bufferNames.length === 0) return undefined;
  return `An acquire context with the locks of buffers ${bufferNames.map((name) => `"${name}"`).join(", ")}`;
}

function close(locks: ContextLocks): void {
  locks.openAll();
  locks.finish();
}

const INJECTED_GROWTH = 3;
const DONE = "Cannot lock the reservation: its acquire context is done";
