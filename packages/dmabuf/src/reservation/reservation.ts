import { check, checkGiven, instance, integer, orElse } from "../arguments.js";
import { checkOwn, type Agent } from "../domain/agent.js";
import { isLive, waitsFor } from "../domain/agent-slot.js";
import { isKeyFinished } from "../domain/fence-slot.js";
import { checkWait, checkWaitSync, Ending, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { FENCE, type Fence, fenceAgent, backingOf } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { fenceAt } from "../fence/shared-fence.js";
import { CONTEXT, type AcquireContext } from "./acquire-context.js";
import { placeFor, publishEntries, tryReadEntries, type Entry } from "./entries.js";
import { FenceQueries, type ReservationFence } from "./fence-queries.js";
import { LockAttempt } from "./lock-attempt.js";
import { holderOf, lockHolder, takeOverLock } from "./lock.js";
import { ReservationLock, TakenLock } from "./reservation-lock.js";
import { ReservationState, type KeepBuffer } from "./reservation-state.js";
import { checkUsage, USAGES, usageLevel, type Usage } from "./usage.js";

/**
 * A buffer's fences, which order all work on it without anybody asking.
 *
 * reservation.1. A fence is added only under the lock, and only after room was reserved in the same lock section; then
 *     adding cannot fail.
 * reservation.2. Room that was reserved and not used is gone when the lock opens.
 * reservation.3. A query without the lock sees the fences of one instant, and only those that are pending.
 * reservation.4. Nothing on the way to signaling a fence takes this lock.
 * reservation.5. While a lock is lent to the exporter's agent (lock.5), it does not count as held here. Room that was
 *     reserved before is gone when it comes back.
 * reservation.6. The kernel's queries and waits are for fences, and a fence that a time limit has ended is signaled.
 *     Those for the work behind the fences (`…Finished`, `…Late…`) count it until its agent has said that it has
 *     finished, or is dead.
 * reservation.7. Each holder of the buffer has an object of its own, which ends with the holder's close: what was
 *     locked by it opens, and whoever waits for the lock or asks it for anything gets `EBADF`. So nobody reads or
 *     changes the fences of the buffer that has the slot next.
 *
 * @see linux/drivers/dma-buf/dma-resv.c
 */
export class Reservation extends FenceQueries {
  readonly agent: Agent;
  /** @internal Where the buffer stands. */
  readonly slot: number;
  readonly #state: ReservationState;
  /** What was locked by this object and has not been opened. */
  readonly #locks = new Set<TakenLock>();
  readonly #ending = new Ending();

  /** @param keep How a held lock keeps the buffer. @param state What the users of the reservation in this agent share. */
  constructor(
    agent: Agent,
    bufferSlot: number,
    keep: KeepBuffer = () => () => {},
    state = new ReservationState(agent, bufferSlot, keep),
  ) {
    super();
    this.agent = agent;
    this.slot = bufferSlot;
    this.#state = state;
  }

  /** @internal The same reservation for another user in this agent, whose close ends only what it has begun itself. */
  forUser(): Reservation {
    return new Reservation(this.agent, this.slot, this.#state.keep, this.#state);
  }

  /** @internal The same for all users of one reservation in this agent. */
  get shared(): object {
    return this.#state;
  }

  /** @internal The end of this object (reservation.7). */
  close(): void {
    this.#ending.end(() => {
      return new DmaBufError("EBADF", `Cannot use the reservation of ${this.describeOwner()}: it was closed here`);
    });
    for (const lock of [...this.#locks]) lock[Symbol.dispose]();
  }

  /** @internal */
  get isClosed(): boolean {
    return this.#ending.isOver;
  }

  /** @internal @throws {DmaBufError} `EBADF` after the close. */
  checkOpen(): void {
    this.#ending.check();
  }

  /** Whose reservation this is, for messages. */
  describeOwner(): string {
    return `buffer ${this.slot}`;
  }

  /**
   * Locks the reservation; dispose the result to open it.
   *
   * @param context Names the attempt when several reservations are locked together; see {@link lockAll}.
   * @throws {DmaBufError} `EDEADLK` (`WouldDeadlockError`): back off, and then lock this one first; `EALREADY` if this
   *   context holds it; `EINVAL` if the context is done, waits for another, or must back off for another; `EBADF` if the
   *   holder was closed, also meanwhile.
   */
  async lock(context?: AcquireContext, options: WaitOptions = {}): Promise<ReservationLock> {
    checkGiven("Reservation.lock()", "context", context, CONTEXT);
    checkWait("Reservation.lock()", options);
    using attempt = new LockAttempt(this, context);
    if (!(await this.agent.wait(attempt, this.terms(options)))) this.#timedOut(options.timeout);
    return new ReservationLock(attempt.granted);
  }

  /** As {@link lock}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  lockSync(context?: AcquireContext, options: { readonly timeout?: number } = {}): ReservationLock {
    checkGiven("Reservation.lockSync()", "context", context, CONTEXT);
    checkWaitSync("Reservation.lockSync()", options);
    using attempt = new LockAttempt(this, context);
    if ((options.timeout ?? Infinity) === Infinity && this.#state.lock !== undefined && !attempt.ready()) {
      throw new DmaBufError(
        "EDEADLK",
        `Cannot block for the reservation of ${this.describeOwner()}: this thread holds it itself`,
      );
    }
    if (!this.agent.waitSync(attempt, options.timeout)) this.#timedOut(options.timeout);
    return new ReservationLock(attempt.granted);
  }

  /** Locks the reservation if it is open. */
  tryLock(): ReservationLock | undefined {
    const attempt = new LockAttempt(this, undefined);
    return attempt.ready() ? new ReservationLock(attempt.granted) : undefined;
  }

  /** Whether an agent that lives holds the lock. */
  get isLocked(): boolean {
    this.checkOpen();
    return isLive(this.agent, holderOf(lockHolder(this.agent, this.slot)));
  }

  /** Whether this agent holds the lock. */
  get isHeldHere(): boolean {
    return !this.isClosed && this.#state.lock?.isLent === false;
  }

  /** @internal Whether the code that runs now may hold the lock: it is not the library that has it over turns. */
  get isHeldByCaller(): boolean {
    return this.isHeldHere && !this.#state.lock!.spansTurns;
  }

  /** The acquire context under which this agent holds the lock, if it does. */
  get lockingContext(): AcquireContext | undefined {
    return this.#state.lock?.context;
  }

  /**
   * Makes room for `count` more fences in this lock section.
   *
   * @throws {DmaBufError} `ENOMEM` if the reservation has no room for them; `EINVAL` if `count` is below 1.
   */
  reserveFences(count: number): void {
    check("Reservation.reserveFences()", "count", count, COUNT);
    this.assertHeld("reserve room for fences of");
    const { reservationEntries } = this.agent.layout;
    if (this.#state.entries.length + count > reservationEntries) {
      this.#state.entries = this.#state.entries.filter((entry) => !isKeyFinished(this.agent, entry.key));
    }
    if (this.#state.entries.length + count > reservationEntries) {
      throw new DmaBufError(
        "ENOMEM",
        `Cannot reserve ${count} fences on ${this.describeOwner()}: ${this.#state.entries.length} of ${reservationEntries} are pending or overdue (option "agents")`,
      );
    }
    this.#state.room = Math.max(this.#state.room, this.#state.entries.length + count);
  }

  /**
   * Adds a fence. Reserve room first; publish a fence of this agent alone first if there might be no room for that.
   *
   * @throws {RangeError} If no room was reserved.
   */
  addFence(fence: Fence, usage: Usage): void {
    check("Reservation.addFence()", "fence", fence, FENCE);
    checkOwn("Reservation.addFence()", "fence", fenceAgent(fence), this.agent);
    checkUsage("Reservation.addFence()", usage);
    this.assertHeld("add a fence to");
    if (backingOf(fence).isContainer) {
      this.agent.host.warn(`The reservation of ${this.describeOwner()} takes plain fences: unwrap containers first`);
    }
    const added: Entry = { key: publish(fence), level: usageLevel(usage) };
    const place = placeFor(this.agent, this.#state.entries, added);
    if (place === this.#state.entries.length && place >= this.#state.room) {
      throw new RangeError(`Cannot add a fence to the reservation of ${this.describeOwner()}: no room was reserved`);
    }
    this.#state.entries[place] = added;
    publishEntries(this.agent, this.slot, this.#state.entries);
  }

  /**
   * Puts `replacement` in the place of every fence of a context. Legal only if the replaced work can no longer touch the
   * memory once the replacement signals.
   */
  replaceFences(context: number, replacement: Fence, usage: Usage): void {
    check("Reservation.replaceFences()", "context", context, NUMBER);
    check("Reservation.replaceFences()", "replacement", replacement, FENCE);
    checkOwn("Reservation.replaceFences()", "replacement", fenceAgent(replacement), this.agent);
    checkUsage("Reservation.replaceFences()", usage);
    this.assertHeld("replace fences of");
    const added: Entry = { key: publish(replacement), level: usageLevel(usage) };
    const matches = (entry: Entry): boolean => fenceAt(this.agent, entry.key)?.context === context;
    this.#state.entries = this.#state.entries.map((entry) => (matches(entry) ? added : entry));
    publishEntries(this.agent, this.slot, this.#state.entries);
  }

  /** Puts the fences of another reservation, as far as they are pending or overdue, in the place of all fences of this one. */
  copyFences(source: Reservation): void {
    check("Reservation.copyFences()", "source", source, RESERVATION);
    checkOwn("Reservation.copyFences()", "source", source.agent, this.agent);
    this.assertHeld("copy fences to");
    this.#state.entries = source.snapshot().filter((entry) => !isKeyFinished(this.agent, entry.key));
    publishEntries(this.agent, this.slot, this.#state.entries);
    this.#state.room = Math.max(this.#state.room, this.#state.entries.length);
  }

  /** All fences up to a usage, signaled ones too, in the order of their places. Needs the lock. */
  lockedFences(usage: Usage = "bookkeep"): Generator<ReservationFence> {
    checkUsage("Reservation.lockedFences()", usage);
    return this.#lockedFences(usage);
  }

  *#lockedFences(usage: Usage): Generator<ReservationFence> {
    this.assertHeld("iterate");
    for (const entry of this.#state.entries) {
      const fence = entry.level <= usageLevel(usage) ? fenceAt(this.agent, entry.key) : undefined;
      if (fence !== undefined) yield { fence, usage: USAGES[entry.level]!, restarted: false };
    }
  }

  /** @internal Lets the exporter's agent take the lock over for an operation; returns the word it is to take. */
  lend(): bigint {
    this.assertHeld("lend the lock of");
    this.#state.lock!.lend();
    return this.#state.lock!.word;
  }

  /** @internal The end of {@link lend}. @param isBack False if the lock was lost with the exporter's agent. */
  takeBack(isBack: boolean): void {
    if (isBack) this.#state.readAgain();
    this.#state.lock?.takeBack(isBack);
  }

  /**
   * @internal Takes over the lock of another agent that has lent it; `undefined` if that agent lost it. The caller keeps
   * the buffer: that agent may have died, and its reference with it.
   */
  takeOver(holder: bigint): TakenLock | undefined {
    this.checkOpen();
    return takeOverLock(this.agent, this.slot, holder) ? this.took(undefined, holder) : undefined;
  }

  /** @internal The lock has just been taken by this object. */
  took(context: AcquireContext | undefined, holder?: bigint): TakenLock {
    const lock: TakenLock = new TakenLock(this.#state, context, holder, () => this.#locks.delete(lock));
    this.#locks.add(lock);
    context?.add(lock);
    return lock;
  }

  /** @internal An exporter works under the lock of this agent, which opens at the earliest when the result is called. */
  use(): () => void {
    return this.#state.lock!.use();
  }

  /** Waits end with this object, or with what the library waits at and lets go before. */
  protected override terms(options: WaitTerms): WaitTerms {
    return { ...options, ending: options.ending ?? this.#ending };
  }

  protected override snapshot(): Entry[] {
    this.checkOpen();
    if (this.isHeldHere) return this.#state.entries;
    for (let attempt = 1; ; attempt++) {
      const isLockDue = attempt % SNAPSHOT_ATTEMPTS === 0;
      const entries = isLockDue ? this.#tryReadLocked() : tryReadEntries(this.agent, this.slot);
      if (entries !== undefined) return entries;
    }
  }

  /** Where writers are faster than a reader, this keeps them out for a moment. */
  #tryReadLocked(): Entry[] | undefined {
    using lock = this.tryLock();
    return lock === undefined ? undefined : this.#state.entries;
  }

  /** @internal The locking convention. @throws {DmaBufError} `EPERM` if this agent does not hold the lock. */
  assertHeld(action: string): void {
    this.checkOpen();
    if (this.isHeldHere) return;
    throw new DmaBufError("EPERM", `Cannot ${action} ${this.describeOwner()}: its reservation is not locked`);
  }

  /**
   * @internal The locking convention: reports a caller that holds the lock where it must not. What holds it over turns of
   * the event loop, the library itself, is another party than the caller.
   */
  warnIfHeld(action: string): void {
    if (!this.isHeldByCaller) return;
    this.agent.host.warn(`Do not ${action} ${this.describeOwner()} while this thread has locked its reservation`);
  }

  /** @internal The locking convention. @throws {DmaBufError} `EDEADLK` if this agent holds the lock. */
  assertNotHeld(action: string): void {
    if (!this.isHeldHere) return;
    throw new DmaBufError(
      "EDEADLK",
      `Cannot ${action} ${this.describeOwner()}: this thread has locked its reservation`,
    );
  }

  #timedOut(timeout: number | undefined): never {
    const why = waitsFor(this.agent, [holderOf(lockHolder(this.agent, this.slot))]);
    throw new DmaBufError(
      "ETIMEDOUT",
      `Cannot lock the reservation of ${this.describeOwner()} in ${timeout} ms: ${why}`,
    );
  }
}

export const RESERVATION = instance(Reservation);
const NUMBER = integer(0);
const COUNT = orElse("EINVAL", integer(1));
const SNAPSHOT_ATTEMPTS = 64;
