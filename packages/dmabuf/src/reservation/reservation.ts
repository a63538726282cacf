import { check, checkGiven, instance, integer, NANOSECONDS, orElse } from "../arguments.js";
import { checkOwn } from "../domain/agent.js";
import { take, takeSync } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { FENCE, fenceAgent, type Fence } from "../fence/fence.js";
import { waitResult, type WaitResult } from "../fence/read-fence.js";
import { CONTEXT, locksOf, type AcquireContext } from "./acquire-context.js";
import type { ReservationFence } from "./fence-queries.js";
import { makeReservationLock, type ReservationLock } from "./reservation-lock.js";
import type { ReservationUser } from "./reservation-user.js";
import { checkUsage, type Usage } from "./usage.js";

/** The reservation as the library knows it. */
export let userOf: (reservation: Reservation) => ReservationUser;
export let makeReservation: (user: ReservationUser) => Reservation;

/**
 * A buffer's fences, which order all work on it by themselves.
 *
 * reservation.1. A fence is added only under the lock, and only after room was reserved in the same lock section; then
 *     adding cannot fail.
 * reservation.2. Room that was reserved and not used is gone when the lock opens.
 * reservation.3. A query without the lock sees the fences of one instant, and only those that are pending.
 * reservation.4. Nothing on the way to signaling a fence takes this lock.
 * reservation.5. While a lock is lent to the exporter's agent (lock.5), it does not count as held here. Room that was
 *     reserved before is gone when it comes back.
 * reservation.6. The kernel's queries and waits are for fences, and a fence that a time limit has ended is signaled.
 *     Those for the work behind the fences (`…Finished`, `…Overdue…`) count it until its agent has said that it has
 *     finished, or is dead.
 * reservation.7. Each holder of the buffer has an object of its own, which ends with the holder's close: what was
 *     locked by it opens, and a wait for the lock or any question to it gets `EBADF`. So no agent reads or changes
 *     the fences of the buffer that has the slot next.
 * reservation.8. A wait for the work on a buffer, an access's too, ends with the work that was there when it began.
 *     It does not look for a moment without work: an agent whose fences follow each other would keep it without end.
 *     `DmaBuf.ready()` alone looks again, as the kernel's poll does.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * const fence = domain.createTimeline().createFence();
 * {
 *   using lock = await buffer.reservation.lock();
 *   buffer.reservation.reserveFences(1);
 *   buffer.reservation.addFence(fence, "write");
 * }
 * fence.signal();
 * await buffer.reservation.wait("write");
 * ```
 * @see linux/drivers/dma-buf/dma-resv.c
 */
export class Reservation {
  readonly #user: ReservationUser;

  static {
    userOf = (reservation) => reservation.#user;
    makeReservation = (user) => new Reservation(user);
  }

  private constructor(user: ReservationUser) {
    this.#user = user;
    user.wouldDeadlock = () => makeWouldDeadlock(this, user);
  }

  /**
   * Locks the reservation; dispose the result to open it.
   *
   * @param context Names the attempt when several reservations are locked together; see `Domain.lockAll()`.
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EDEADLK` (`WouldDeadlockError`): back off, and then lock this one first; `EALREADY` if this
   *   context holds it; `EINVAL` if the context is done, waits for another, or must back off for another; `EBADF` if the
   *   holder was closed, also during the wait; `ETIMEDOUT` if the time passed first.
   */
  async lock(context?: AcquireContext, options: WaitOptions = {}): Promise<ReservationLock> {
    checkGiven("Reservation.lock()", "context", context, CONTEXT);
    checkWait("Reservation.lock()", options);
    const user = this.#user;
    const locks = context && locksOf(context);
    const way = user.way(locks);
    const first = user.tryLockFor(locks);
    const taken = await (first ?? take(user.agent, user.waitingToLock(locks, options.timeout), options));
    // Before this code goes on, the holder may have been closed, or the context, and the lock with it.
    user.checkOpen();
    locks?.checkOpen();
    way?.over(taken);
    return makeReservationLock(taken, context);
  }

  /**
   * As {@link lock}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit if this thread itself holds the lock.
   */
  lockSync(context?: AcquireContext, options: { readonly timeout?: number } = {}): ReservationLock {
    checkGiven("Reservation.lockSync()", "context", context, CONTEXT);
    checkWaitSync("Reservation.lockSync()", options);
    const user = this.#user;
    const locks = context && locksOf(context);
    const way = user.way(locks);
    const first = user.tryLockFor(locks);
    const { timeout } = options;
    const taken = first ?? takeSync(user.agent, user.waitingToLock(locks, timeout), timeout);
    way?.over(taken);
    return makeReservationLock(taken, context);
  }

  /** Locks the reservation if it is open; gives `undefined` if it is not. @throws {DmaBufError} `EBADF` after the close. */
  tryLock(): ReservationLock | undefined {
    const taken = this.#user.tryLock();
    if (taken === undefined) return undefined;
    const { agent, shared } = this.#user;
    agent.validation?.holds(taken, { kind: "lock", slot: shared.slot });
    return makeReservationLock(taken);
  }

  /** Whether an agent that lives holds the lock. @throws {DmaBufError} `EBADF` after the close. */
  get isLocked(): boolean {
    return this.#user.isLocked;
  }

  /** Whether this agent holds the lock. */
  get isHeldHere(): boolean {
    return this.#user.isHeldHere;
  }

  /** The acquire context under which this agent holds the lock, if it does. */
  get lockingContext(): AcquireContext | undefined {
    return this.#user.shared.lock?.context?.object?.deref();
  }

  /**
   * Makes room for `count` more fences in this lock section.
   *
   * @throws {DmaBufError} `ENOMEM` if the reservation has no room for them; `EINVAL` if `count` is below 1; `EPERM` without
   *   the lock; `EBADF` after the close.
   */
  reserveFences(count: number): void {
    check("Reservation.reserveFences()", "count", count, COUNT);
    this.#user.reserveFences(count);
  }

  /**
   * Adds a fence. Reserve room first; publish a fence of this agent alone first if there might be no room for that.
   *
   * @throws {RangeError} If no room was reserved.
   * @throws {TypeError} If the fence is of another agent.
   * @throws {DmaBufError} `EPERM` without the lock; `EBADF` after the close.
   */
  addFence(fence: Fence, usage: Usage): void {
    this.#checkFence("Reservation.addFence()", "fence", fence, usage);
    this.#user.addFence(fence, usage);
  }

  /**
   * Puts `replacement` in the place of every fence of a context. Legal only if the replaced work can no longer touch the
   * memory once the replacement signals.
   *
   * @throws {TypeError} If the fence is of another agent.
   * @throws {DmaBufError} `EPERM` without the lock; `EBADF` after the close.
   */
  replaceFences(context: number, replacement: Fence, usage: Usage): void {
    check("Reservation.replaceFences()", "context", context, NUMBER);
    this.#checkFence("Reservation.replaceFences()", "replacement", replacement, usage);
    this.#user.replaceFences(context, replacement, usage);
  }

  /**
   * Puts the fences of another reservation, as far as they are pending or overdue, in the place of all fences of this one.
   *
   * @throws {TypeError} If the source is of another agent.
   * @throws {DmaBufError} `EPERM` without the lock of this reservation; `EBADF` after the close of either.
   */
  copyFences(source: Reservation): void {
    check("Reservation.copyFences()", "source", source, RESERVATION);
    checkOwn("Reservation.copyFences()", "source", source.#user.agent, this.#user.agent);
    this.#user.copyFences(source.#user);
  }

  /**
   * All fences up to a usage, signaled ones too, in the order of their places.
   *
   * @throws {DmaBufError} `EPERM` without the lock; `EBADF` after the close.
   */
  lockedFences(usage: Usage = "bookkeep"): Generator<ReservationFence> {
    checkUsage("Reservation.lockedFences()", usage);
    return this.#user.lockedFences(usage);
  }

  /**
   * The pending fences up to a usage, without the lock. If the reservation changes during the iteration, that begins
   * again: the next item then says `restarted`, and everything seen before it must be forgotten.
   *
   * @throws {DmaBufError} `EBADF` after the close.
   */
  fences(usage: Usage = "bookkeep"): Generator<ReservationFence> {
    checkUsage("Reservation.fences()", usage);
    return this.#user.fences(usage);
  }

  /** The pending fences up to a usage. @throws {DmaBufError} `EBADF` after the close. */
  getFences(usage: Usage): Fence[] {
    checkUsage("Reservation.getFences()", usage);
    return this.#user.getFences(usage);
  }

  /**
   * The fences up to a usage that a time limit has ended while the agents that signal them may still use the memory: they
   * live, and have neither signaled the fence nor closed its timeline.
   *
   * @throws {DmaBufError} `EBADF` after the close.
   */
  getOverdueFences(usage: Usage): Fence[] {
    checkUsage("Reservation.getOverdueFences()", usage);
    return this.#user.getOverdueFences(usage);
  }

  /**
   * The pending fences up to a usage as one: nothing, the fence itself, or an array of several. Not to be added to a
   * reservation again.
   *
   * @throws {DmaBufError} `EBADF` after the close.
   */
  getSingleton(usage: Usage): Fence | undefined {
    checkUsage("Reservation.getSingleton()", usage);
    return this.#user.getSingleton(usage);
  }

  /** Whether no fence up to a usage is pending. @throws {DmaBufError} `EBADF` after the close. */
  testSignaled(usage: Usage): boolean {
    checkUsage("Reservation.testSignaled()", usage);
    return this.#user.testSignaled(usage);
  }

  /** Whether no work up to a usage is pending or overdue. @throws {DmaBufError} `EBADF` after the close. */
  testFinished(usage: Usage): boolean {
    checkUsage("Reservation.testFinished()", usage);
    return this.#user.testFinished(usage);
  }

  /**
   * Waits until every fence up to a usage that is pending now has signaled, with or without the lock. It does not wait for
   * what is added later: new work could keep a waiter without end.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EINVAL` for a negative timeout; `EBADF` if the holder is closed, also during the wait; the
   *   signal's reason if it aborts.
   */
  async wait(usage: Usage, options: WaitOptions = {}): Promise<WaitResult> {
    checkUsage("Reservation.wait()", usage);
    checkWait("Reservation.wait()", options);
    return waitResult(await take(this.#user.agent, this.#user.signaled(usage), options));
  }

  /**
   * As {@link wait}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit for a fence that only this thread can signal.
   */
  waitSync(usage: Usage, options: { readonly timeout?: number } = {}): WaitResult {
    checkUsage("Reservation.waitSync()", usage);
    checkWaitSync("Reservation.waitSync()", options);
    return waitResult(takeSync(this.#user.agent, this.#user.signaled(usage), options.timeout));
  }

  /**
   * As {@link wait}, for the work behind the fences: what a time limit has ended, before or during the wait, is waited for
   * until its agent says that it has finished, or is dead. That may have no end.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EBADF` if the holder is closed, also during the wait; the signal's reason if it aborts.
   */
  async waitFinished(usage: Usage, options: WaitOptions = {}): Promise<WaitResult> {
    checkUsage("Reservation.waitFinished()", usage);
    checkWait("Reservation.waitFinished()", options);
    return waitResult(await take(this.#user.agent, this.#user.finished(usage), options));
  }

  /**
   * As {@link waitFinished}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit for work that only this thread can finish.
   */
  waitFinishedSync(usage: Usage, options: { readonly timeout?: number } = {}): WaitResult {
    checkUsage("Reservation.waitFinishedSync()", usage);
    checkWaitSync("Reservation.waitFinishedSync()", options);
    return waitResult(takeSync(this.#user.agent, this.#user.finished(usage), options.timeout));
  }

  /**
   * Hints to the makers of all pending fences up to a usage that the work is needed by then.
   *
   * @param deadlineNs Monotonic nanoseconds, as of `Domain.now()`.
   * @throws {DmaBufError} `EBADF` after the close.
   */
  setDeadline(usage: Usage, deadlineNs: number): void {
    checkUsage("Reservation.setDeadline()", usage);
    check("Reservation.setDeadline()", "deadlineNs", deadlineNs, NANOSECONDS);
    for (const fence of this.#user.getFences(usage)) fence.setDeadline(deadlineNs);
  }

  /** One line for each pending fence, for people; bookkeeping fences are left out, as in the kernel. */
  describe(): string {
    return this.#user.describe();
  }

  #checkFence(call: string, argument: string, fence: Fence, usage: Usage): void {
    check(call, argument, fence, FENCE);
    checkOwn(call, argument, fenceAgent(fence), this.#user.agent);
    checkUsage(call, usage);
  }
}

/** What an argument `reservation` must be. */
const RESERVATION = instance(Reservation);
const NUMBER = integer(0);
const COUNT = orElse("EINVAL", integer(1));

let makeWouldDeadlock: (reservation: Reservation, user: ReservationUser) => WouldDeadlockError;

/**
 * Thrown to a requester that must give way: release every lock of its context, then lock this one first.
 *
 * @example
 * ```ts
 * import { Domain, WouldDeadlockError } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * const context = domain.createAcquireContext();
 * try {
 *   await buffer.reservation.lock(context);
 * } catch (error) {
 *   if (!(error instanceof WouldDeadlockError)) throw error;
 *   context.backOff();
 *   await error.reservation.lock(context);
 * }
 * context.close();
 * ```
 */
export class WouldDeadlockError extends DmaBufError {
  /** The one to lock first. */
  readonly reservation: Reservation;

  static {
    makeWouldDeadlock = (reservation, user) => new WouldDeadlockError(reservation, user.describeOwner());
  }

  private constructor(reservation: Reservation, owner: string) {
    super("EDEADLK", `Cannot lock the reservation of ${owner}: its acquire context must give way to an older ticket`);
    this.reservation = reservation;
  }
}
