import { check, checkGiven, instance, integer, NANOSECONDS, orElse } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { isKeyFinished, isKeyLate, isKeySignaled } from "../domain/fence-slot.js";
import { checkWait, checkWaitSync, countdown, type WaitOptions } from "../domain/pend.js";
import { DmaBufError } from "../errors.js";
import { FenceArray } from "../fence/fence-array.js";
import { FENCE, type Fence, type WaitResult } from "../fence/fence.js";
import { fenceAt, publish } from "../fence/shared-fence.js";
import { CONTEXT, type AcquireContext } from "./acquire-context.js";
import {
  hasPending,
  hasUnfinished,
  placeFor,
  publishEntries,
  readEntries,
  sameEntries,
  tryReadEntries,
  type Entry,
} from "./entries.js";
import { LateWork } from "./late-work.js";
import { LockAttempt } from "./lock-attempt.js";
import { lockHolder, lockWord, takeOverLock, tryTakeLock } from "./lock.js";
import { ReservationLock } from "./reservation-lock.js";
import { checkUsage, USAGES, usageLevel, type Usage } from "./usage.js";

/**
 * A buffer's fences, which order all work on it without anybody asking.
 *
 * V1. A fence is added only under the lock, and only after room was reserved in the same lock section; then adding
 *     cannot fail.
 * V2. Room that was reserved and not used is gone when the lock opens.
 * V3. A query without the lock sees the fences of one instant, and only those that are pending.
 * V4. Nothing on the way to signaling a fence takes this lock.
 * V5. While a lock is lent to the exporter's agent (K5), it does not count as held here. Room that was reserved before is
 *     gone when it comes back.
 * V6. The kernel's queries and waits are for fences, and a fence that a time limit has ended is signaled. Those for the
 *     work behind the fences (`…Finished`, `…Late…`) count it until its agent has said that it has finished, or is dead.
 *
 * @see linux/drivers/dma-buf/dma-resv.c
 */
export class Reservation {
  readonly agent: Agent;
  readonly #slot: number;
  readonly #owner: () => string;
  #lock: ReservationLock | undefined;
  /** Valid while the lock is held. */
  #entries: Entry[] = [];
  #room = 0;

  /** @param owner Says in messages whose reservation this is. */
  constructor(agent: Agent, bufferSlot: number, owner: () => string = () => `buffer ${bufferSlot}`) {
    this.agent = agent;
    this.#slot = bufferSlot;
    this.#owner = owner;
  }

  /** Whose reservation this is, for messages. */
  describeOwner(): string {
    return this.#owner();
  }

  /**
   * Locks the reservation; dispose the result to open it.
   *
   * @param context Names the attempt when several reservations are locked together; see {@link lockAll}.
   * @throws {DmaBufError} `EDEADLK` (`WouldDeadlockError`): back off, and then lock this one first; `EALREADY` if this
   *   context holds it; `EINVAL` if the context is done, waits for another, or must back off for another.
   */
  async lock(context?: AcquireContext, options: WaitOptions = {}): Promise<ReservationLock> {
    checkGiven("Reservation.lock()", "context", context, CONTEXT);
    checkWait("Reservation.lock()", options);
    using attempt = new LockAttempt(this.agent, this, this.#slot, context);
    if (!(await this.agent.wait(attempt, options))) this.#timedOut(options.timeout);
    return this.#locked(context);
  }

  /** As {@link lock}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  lockSync(context?: AcquireContext, options: { readonly timeout?: number } = {}): ReservationLock {
    checkGiven("Reservation.lockSync()", "context", context, CONTEXT);
    checkWaitSync("Reservation.lockSync()", options);
    using attempt = new LockAttempt(this.agent, this, this.#slot, context);
    if (options.timeout === undefined && this.#lock !== undefined && !attempt.ready()) {
      throw new DmaBufError(
        "EDEADLK",
        `Cannot block for the reservation of ${this.#owner()}: this thread holds it itself`,
      );
    }
    if (!this.agent.waitSync(attempt, options.timeout)) this.#timedOut(options.timeout);
    return this.#locked(context);
  }

  /** Locks the reservation if it is open. */
  tryLock(): ReservationLock | undefined {
    if (tryTakeLock(this.agent, this.#slot, lockWord(this.agent.identity, 0)) !== 0n) return undefined;
    return this.#locked(undefined);
  }

  /** Whether anybody holds the lock. */
  get isLocked(): boolean {
    return lockHolder(this.agent, this.#slot) !== 0n;
  }

  /** Whether this agent holds the lock. */
  get isHeldHere(): boolean {
    return this.#lock !== undefined && !this.#lock.isLent;
  }

  /** The acquire context under which this agent holds the lock, if it does. */
  get lockingContext(): AcquireContext | undefined {
    return this.#lock?.context;
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
    if (this.#entries.length + count > reservationEntries) {
      this.#entries = this.#entries.filter((entry) => !isKeyFinished(this.agent, entry.key));
    }
    if (this.#entries.length + count > reservationEntries) {
      throw new DmaBufError(
        "ENOMEM",
        `Cannot reserve ${count} fences on ${this.#owner()}: ${this.#entries.length} of ${reservationEntries} are pending or late (option "agents")`,
      );
    }
    this.#room = Math.max(this.#room, this.#entries.length + count);
  }

  /**
   * Adds a fence. Reserve room first; publish a fence of this agent alone first if there might be no room for that.
   *
   * @throws {RangeError} If no room was reserved.
   */
  addFence(fence: Fence, usage: Usage): void {
    check("Reservation.addFence()", "fence", fence, FENCE);
    checkUsage("Reservation.addFence()", usage);
    this.assertHeld("add a fence to");
    if (fence.ops.container !== undefined) {
      this.agent.host.warn(`The reservation of ${this.#owner()} takes plain fences: unwrap containers first`);
    }
    const added: Entry = { key: publish(fence), level: usageLevel(usage) };
    const place = placeFor(this.agent, this.#entries, added);
    if (place === this.#entries.length && place >= this.#room) {
      throw new RangeError(`Cannot add a fence to the reservation of ${this.#owner()}: no room was reserved`);
    }
    this.#entries[place] = added;
    publishEntries(this.agent, this.#slot, this.#entries);
  }

  /**
   * Puts `replacement` in the place of every fence of a context. Legal only if the replaced work can no longer touch the
   * memory once the replacement signals.
   */
  replaceFences(context: number, replacement: Fence, usage: Usage): void {
    check("Reservation.replaceFences()", "context", context, NUMBER);
    check("Reservation.replaceFences()", "replacement", replacement, FENCE);
    checkUsage("Reservation.replaceFences()", usage);
    this.assertHeld("replace fences of");
    const added: Entry = { key: publish(replacement), level: usageLevel(usage) };
    const matches = (entry: Entry): boolean => fenceAt(this.agent, entry.key)?.context === context;
    this.#entries = this.#entries.map((entry) => (matches(entry) ? added : entry));
    publishEntries(this.agent, this.#slot, this.#entries);
  }

  /** Puts the fences of another reservation, as far as they are pending or late, in the place of all fences of this one. */
  copyFences(source: Reservation): void {
    check("Reservation.copyFences()", "source", source, RESERVATION);
    this.assertHeld("copy fences to");
    this.#entries = source.#snapshot().filter((entry) => !isKeyFinished(this.agent, entry.key));
    publishEntries(this.agent, this.#slot, this.#entries);
    this.#room = Math.max(this.#room, this.#entries.length);
  }

  /** All fences up to a usage, signaled ones too, in the order of their places. Needs the lock. */
  lockedFences(usage: Usage = "bookkeep"): Generator<ReservationFence> {
    checkUsage("Reservation.lockedFences()", usage);
    return this.#lockedFences(usage);
  }

  *#lockedFences(usage: Usage): Generator<ReservationFence> {
    this.assertHeld("iterate");
    for (const entry of this.#entries) {
      const fence = entry.level <= usageLevel(usage) ? fenceAt(this.agent, entry.key) : undefined;
      if (fence !== undefined) yield { fence, usage: USAGES[entry.level]!, restarted: false };
    }
  }

  /**
   * The pending fences up to a usage, without the lock. If the reservation changes meanwhile, the iteration begins
   * again: the next item then says `restarted`, and everything seen before it must be forgotten.
   */
  fences(usage: Usage = "bookkeep"): Generator<ReservationFence> {
    checkUsage("Reservation.fences()", usage);
    return this.#fences(usage);
  }

  *#fences(usage: Usage): Generator<ReservationFence> {
    let restarted = true;
    let entries = this.#snapshot();
    for (let i = 0; i < entries.length; i++) {
      const { key, level } = entries[i]!;
      if (level > usageLevel(usage) || isKeySignaled(this.agent, key)) continue;
      const fence = fenceAt(this.agent, key);
      if (fence === undefined) continue;
      yield { fence, usage: USAGES[level]!, restarted };
      const now = this.#snapshot();
      restarted = !sameEntries(entries, now);
      if (restarted) i = -1;
      entries = now;
    }
  }

  /** The pending fences up to a usage. */
  getFences(usage: Usage): Fence[] {
    checkUsage("Reservation.getFences()", usage);
    return this.#pendingOf(this.#upTo(usage));
  }

  /**
   * The fences up to a usage that a time limit has ended while the agents that signal them may still be at the memory: they
   * live, and have neither signaled the fence all the same nor closed its timeline.
   */
  getLateFences(usage: Usage): Fence[] {
    checkUsage("Reservation.getLateFences()", usage);
    return this.lateWork(usage)?.fences ?? [];
  }

  /**
   * The pending fences up to a usage as one: nothing, the fence itself, or an array of several. Not to be added to a
   * reservation again.
   */
  getSingleton(usage: Usage): Fence | undefined {
    checkUsage("Reservation.getSingleton()", usage);
    const fences = this.getFences(usage);
    return fences.length > 1 ? new FenceArray(this.agent, fences) : fences[0];
  }

  /** Whether no fence up to a usage is pending. */
  testSignaled(usage: Usage): boolean {
    checkUsage("Reservation.testSignaled()", usage);
    return !hasPending(this.agent, this.#snapshot(), usageLevel(usage));
  }

  /** Whether no work up to a usage is pending or late. */
  testFinished(usage: Usage): boolean {
    checkUsage("Reservation.testFinished()", usage);
    return !hasUnfinished(this.agent, this.#snapshot(), usageLevel(usage));
  }

  /**
   * Waits until every fence up to a usage that is pending now has signaled, with or without the lock. What is added
   * meanwhile is not waited for: new work could keep a waiter for ever.
   *
   * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts.
   */
  async wait(usage: Usage, options: WaitOptions = {}): Promise<WaitResult> {
    checkUsage("Reservation.wait()", usage);
    checkWait("Reservation.wait()", options);
    return (await this.#waitFor(this.getFences(usage), options)) ? "signaled" : "timed-out";
  }

  /** As {@link wait}, blocking this thread. */
  waitSync(usage: Usage, options: { readonly timeout?: number } = {}): WaitResult {
    checkUsage("Reservation.waitSync()", usage);
    checkWaitSync("Reservation.waitSync()", options);
    return this.#waitForSync(this.getFences(usage), options) ? "signaled" : "timed-out";
  }

  /**
   * Waits until {@link testFinished}, also for what is added meanwhile: for fences until they have signaled, and for what a
   * time limit has ended until its agent says that it has finished, or is dead. That may take for ever.
   *
   * @returns False if the time passed first.
   */
  async waitFinished(usage: Usage, options: WaitOptions = {}): Promise<boolean> {
    checkUsage("Reservation.waitFinished()", usage);
    checkWait("Reservation.waitFinished()", options);
    const left = countdown(this.agent.host, options.timeout);
    while (!this.testFinished(usage)) {
      if (!(await this.#waitFor(this.getFences(usage), { ...options, timeout: left() }))) return false;
      const late = this.lateWork(usage);
      if (late !== undefined && !(await this.agent.wait(late, { ...options, timeout: left() }))) return false;
    }
    return true;
  }

  /** As {@link waitFinished}, blocking this thread. */
  waitFinishedSync(usage: Usage, options: { readonly timeout?: number } = {}): boolean {
    checkUsage("Reservation.waitFinishedSync()", usage);
    checkWaitSync("Reservation.waitFinishedSync()", options);
    const left = countdown(this.agent.host, options.timeout);
    while (!this.testFinished(usage)) {
      if (!this.#waitForSync(this.getFences(usage), { timeout: left() })) return false;
      const late = this.lateWork(usage);
      late?.checkBlocking(options.timeout);
      if (late !== undefined && !this.agent.waitSync(late, left())) return false;
    }
    return true;
  }

  /** @internal The work up to a usage that is late now. */
  lateWork(usage: Usage): LateWork | undefined {
    return this.#lateOf(this.#upTo(usage));
  }

  /** Hints to the makers of all pending fences up to a usage that somebody needs them by then. */
  setDeadline(usage: Usage, deadlineNs: number): void {
    checkUsage("Reservation.setDeadline()", usage);
    check("Reservation.setDeadline()", "deadlineNs", deadlineNs, NANOSECONDS);
    for (const fence of this.getFences(usage)) fence.setDeadline(deadlineNs);
  }

  /** One line for each pending fence, for people; bookkeeping fences are left out, as in the kernel. */
  describe(): string {
    return [...this.fences("read")].map(({ fence, usage }) => `\t${usage} fence: ${fence.describe()}\n`).join("");
  }

  /** @internal Lets the exporter's agent take the lock over for an operation; returns the word it is to take. */
  lend(): bigint {
    this.assertHeld("lend the lock of");
    this.#lock!.lend();
    return this.#lock!.word;
  }

  /** @internal The end of {@link lend}. @param isBack False if the lock was lost with the exporter's agent. */
  takeBack(isBack: boolean): void {
    if (isBack) this.#readAgain();
    this.#lock?.takeBack(isBack);
  }

  /** @internal Takes over the lock of another agent that has lent it; `undefined` if that agent lost it. */
  takeOver(holder: bigint): ReservationLock | undefined {
    return takeOverLock(this.agent, this.#slot, holder) ? this.#locked(undefined, holder) : undefined;
  }

  #locked(context: AcquireContext | undefined, holder?: bigint): ReservationLock {
    this.#readAgain();
    const lock = new ReservationLock(this.agent, this.#slot, context, holder, () => (this.#lock = undefined));
    this.#lock = lock;
    context?.add(lock);
    return lock;
  }

  #readAgain(): void {
    this.#entries = readEntries(this.agent, this.#slot);
    this.#room = this.#entries.length;
  }

  async #waitFor(fences: readonly Fence[], options: WaitOptions): Promise<boolean> {
    const left = countdown(this.agent.host, options.timeout);
    for (const fence of fences) {
      if ((await fence.wait({ ...options, timeout: left() })) === "timed-out") return false;
    }
    return true;
  }

  #waitForSync(fences: readonly Fence[], options: { readonly timeout?: number }): boolean {
    const left = countdown(this.agent.host, options.timeout);
    return fences.every((fence) => fence.waitSync({ timeout: left() }) === "signaled");
  }

  #pendingOf(entries: readonly Entry[]): Fence[] {
    return entries
      .filter(({ key }) => !isKeySignaled(this.agent, key))
      .map(({ key }) => fenceAt(this.agent, key))
      .filter((fence) => fence !== undefined);
  }

  #lateOf(entries: readonly Entry[]): LateWork | undefined {
    const late = entries.filter(({ key }) => isKeyLate(this.agent, key));
    return late.length === 0 ? undefined : new LateWork(this.agent, late);
  }

  #upTo(usage: Usage): Entry[] {
    const level = usageLevel(usage);
    return this.#snapshot().filter((entry) => entry.level <= level);
  }

  #snapshot(): Entry[] {
    if (this.isHeldHere) return this.#entries;
    for (let attempt = 1; ; attempt++) {
      const isLockDue = attempt % SNAPSHOT_ATTEMPTS === 0;
      const entries = isLockDue ? this.#tryReadLocked() : tryReadEntries(this.agent, this.#slot);
      if (entries !== undefined) return entries;
    }
  }

  /** Where writers are faster than a reader, this keeps them out for a moment. */
  #tryReadLocked(): Entry[] | undefined {
    using lock = this.tryLock();
    return lock === undefined ? undefined : this.#entries;
  }

  /** @internal The locking convention. @throws {DmaBufError} `EPERM` if this agent does not hold the lock. */
  assertHeld(action: string): void {
    if (this.isHeldHere) return;
    throw new DmaBufError("EPERM", `Cannot ${action} ${this.#owner()}: its reservation is not locked`);
  }

  /**
   * @internal The locking convention: reports a caller that holds the lock where it must not. What holds it over turns of
   * the event loop, the library itself, is another party than the caller.
   */
  warnIfHeld(action: string): void {
    if (!this.isHeldHere || this.#lock!.spansTurns) return;
    this.agent.host.warn(`Do not ${action} ${this.#owner()} while this thread has locked its reservation`);
  }

  /** @internal The locking convention. @throws {DmaBufError} `EDEADLK` if this agent holds the lock. */
  assertNotHeld(action: string): void {
    if (!this.isHeldHere) return;
    throw new DmaBufError("EDEADLK", `Cannot ${action} ${this.#owner()}: this thread has locked its reservation`);
  }

  #timedOut(timeout: number | undefined): never {
    throw new DmaBufError("ETIMEDOUT", `Cannot lock the reservation of ${this.#owner()} in ${timeout} ms`);
  }
}

export const RESERVATION = instance(Reservation);
const NUMBER = integer(0);
const COUNT = orElse("EINVAL", integer(1));
const SNAPSHOT_ATTEMPTS = 64;

export interface ReservationFence {
  readonly fence: Fence;
  readonly usage: Usage;
  /** Whether the iteration has begun again, or begins: forget what came before. */
  readonly restarted: boolean;
}
