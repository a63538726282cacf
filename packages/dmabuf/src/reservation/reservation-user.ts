import { isLive, waitsFor, type Identity } from "../domain/agent-slot.js";
import type { Agent } from "../domain/agent.js";
import { isKeyFinished } from "../domain/fence-slot.js";
import { until, type Steps } from "../domain/steps.js";
import { Ending } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { backingOf, type Fence } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { fenceAt } from "../fence/shared-fence.js";
import { locksOf, type AcquireContext } from "./acquire-context.js";
import { placeFor, publishEntries, tryReadEntries, type Entry } from "./entries.js";
import { FenceQueries, type ReservationFence } from "./fence-queries.js";
import { LockAttempt, type LockUser } from "./lock-attempt.js";
import { takeOverLock } from "./lock.js";
import { ReservationState, TakenLock, type KeepBuffer } from "./reservation-state.js";
import { USAGES, usageLevel, type Usage } from "./usage.js";

/** One user of a reservation in this agent, as the library knows it: a holder of the buffer, or the library itself. */
export class ReservationUser extends FenceQueries implements LockUser {
  readonly shared: ReservationState;
  /** Its close, which ends what it waits for (reservation.7). */
  override readonly ending = new Ending();
  /** The error for a requester that must give way here; only a holder's object has acquire contexts. */
  wouldDeadlock: () => Error = () => new DmaBufError("EDEADLK", `Cannot lock ${this.describeOwner()}`);
  /** What was locked by this user and has not been opened. */
  readonly #locks = new Set<TakenLock>();

  constructor(shared: ReservationState) {
    super();
    this.shared = shared;
  }

  /** @param keep How a held lock keeps the buffer. */
  static of(agent: Agent, bufferSlot: number, keep: KeepBuffer = () => () => {}): ReservationUser {
    return new ReservationUser(new ReservationState(agent, bufferSlot, keep));
  }

  get agent(): Agent {
    return this.shared.agent;
  }

  /** Another user of the same reservation, whose close ends only what it has begun itself. */
  another(): ReservationUser {
    return new ReservationUser(this.shared);
  }

  close(): void {
    this.ending.end(() => {
      return new DmaBufError("EBADF", `Cannot use the reservation of ${this.describeOwner()}: it was closed here`);
    });
    for (const lock of [...this.#locks]) lock[Symbol.dispose]();
  }

  get isClosed(): boolean {
    return this.ending.isOver;
  }

  /** @throws {DmaBufError} `EBADF` after the close. */
  checkOpen(): void {
    this.ending.check();
  }

  /** Which buffer's reservation this is, for messages. */
  describeOwner(): string {
    return `buffer ${this.shared.slot}`;
  }

  /** See {@link Reservation.lock}. */
  *locking(context?: AcquireContext, timeout?: number): Steps<TakenLock> {
    const attempt = new LockAttempt(this, context);
    try {
      if (!attempt.ready() && !(yield until(this.agent, attempt, this.ending))) throw this.#timedOut(timeout);
      return attempt.granted;
    } finally {
      attempt.end();
    }
  }

  /** Takes the lock if it is open. */
  tryLock(): TakenLock | undefined {
    const attempt = new LockAttempt(this, undefined);
    return attempt.ready() ? attempt.granted : undefined;
  }

  /** The lock has just been taken by this user. @param holder The word of the agent for which it is taken over. */
  took(context: AcquireContext | undefined, holder?: bigint): TakenLock {
    const lock = new TakenLock(this.shared, context, holder, (self) => this.#locks.delete(self));
    this.#locks.add(lock);
    if (context !== undefined) locksOf(context).add(lock);
    return lock;
  }

  /** Whether an agent that lives holds the lock. */
  get isLocked(): boolean {
    this.checkOpen();
    return isLive(this.agent, this.#lockHolder);
  }

  /** Whether this agent holds the lock. */
  get isHeldHere(): boolean {
    return !this.isClosed && this.shared.lock?.isLent === false;
  }

  /** Whether the code that runs now may hold the lock: it is not the library that has it over turns. */
  get isHeldByCaller(): boolean {
    return this.isHeldHere && !this.shared.lock!.spansTurns;
  }

  /** Lets the exporter's agent take the lock over for an operation; returns the word it is to take. */
  lend(): bigint {
    this.assertHeld("lend the lock of");
    this.shared.lock!.lend();
    return this.shared.lock!.word;
  }

  /** The end of {@link lend}. @param isBack False if the lock was lost with the exporter's agent. */
  takeBack(isBack: boolean): void {
    if (isBack) this.shared.readAgain();
    this.shared.lock?.takeBack(isBack);
  }

  /**
   * Takes over the lock of another agent that has lent it; `undefined` if that agent lost it. The caller keeps the buffer:
   * that agent may have died, and its reference with it.
   */
  takeOver(holder: bigint): TakenLock | undefined {
    this.checkOpen();
    return takeOverLock(this.agent, this.shared.slot, holder) ? this.took(undefined, holder) : undefined;
  }

  /** An exporter works under the lock of this agent, which opens at the earliest when the result is called. */
  use(): () => void {
    return this.shared.lock!.use();
  }

  /** See {@link Reservation.reserveFences}. */
  reserveFences(count: number): void {
    this.assertHeld("reserve room for fences of");
    const { shared } = this;
    const { reservationEntries } = this.agent.layout;
    if (shared.entries.length + count > reservationEntries) {
      shared.entries = shared.entries.filter((entry) => !isKeyFinished(this.agent, entry.key));
    }
    if (shared.entries.length + count > reservationEntries) {
      throw new DmaBufError(
        "ENOMEM",
        `Cannot reserve ${count} fences on ${this.describeOwner()}: ${shared.entries.length} of ${reservationEntries} are pending or overdue (option "agents")`,
      );
    }
    shared.room = Math.max(shared.room, shared.entries.length + count);
  }

  /** See {@link Reservation.addFence}. */
  addFence(fence: Fence, usage: Usage): void {
    this.assertHeld("add a fence to");
    if (backingOf(fence).isContainer) {
      this.agent.host.warn(`The reservation of ${this.describeOwner()} takes plain fences: unwrap containers first`);
    }
    const { entries, room } = this.shared;
    const added: Entry = { key: publish(fence), level: usageLevel(usage) };
    const place = placeFor(this.agent, entries, added);
    if (place === entries.length && place >= room) {
      throw new RangeError(`Cannot add a fence to the reservation of ${this.describeOwner()}: no room was reserved`);
    }
    entries[place] = added;
    this.#publish();
  }

  /** See {@link Reservation.replaceFences}. */
  replaceFences(context: number, replacement: Fence, usage: Usage): void {
    this.assertHeld("replace fences of");
    const added: Entry = { key: publish(replacement), level: usageLevel(usage) };
    const matches = (entry: Entry): boolean => fenceAt(this.agent, entry.key)?.context === context;
    this.shared.entries = this.shared.entries.map((entry) => (matches(entry) ? added : entry));
    this.#publish();
  }

  /** See {@link Reservation.copyFences}. */
  copyFences(source: ReservationUser): void {
    this.assertHeld("copy fences to");
    this.shared.entries = source.snapshot().filter((entry) => !isKeyFinished(this.agent, entry.key));
    this.#publish();
    this.shared.room = Math.max(this.shared.room, this.shared.entries.length);
  }

  /** See {@link Reservation.lockedFences}. */
  *lockedFences(usage: Usage): Generator<ReservationFence> {
    this.assertHeld("iterate");
    for (const entry of this.shared.entries) {
      const fence = entry.level <= usageLevel(usage) ? fenceAt(this.agent, entry.key) : undefined;
      if (fence !== undefined) yield { fence, usage: USAGES[entry.level]!, restarted: false };
    }
  }

  protected override snapshot(): Entry[] {
    this.checkOpen();
    if (this.isHeldHere) return this.shared.entries;
    for (let attempt = 1; ; attempt++) {
      const isLockDue = attempt % SNAPSHOT_ATTEMPTS === 0;
      const entries = isLockDue ? this.#tryReadLocked() : tryReadEntries(this.agent, this.shared.slot);
      if (entries !== undefined) return entries;
    }
  }

  /** Where writers are faster than a reader, this keeps them out for a moment. */
  #tryReadLocked(): Entry[] | undefined {
    using lock = this.tryLock();
    return lock === undefined ? undefined : this.shared.entries;
  }

  /** The locking convention. @throws {DmaBufError} `EPERM` if this agent does not hold the lock. */
  assertHeld(action: string): void {
    this.checkOpen();
    if (this.isHeldHere) return;
    throw new DmaBufError("EPERM", `Cannot ${action} ${this.describeOwner()}: its reservation is not locked`);
  }

  /**
   * The locking convention: reports a caller that holds the lock where it must not. What holds it over turns of the event
   * loop, the library itself, is another party than the caller.
   */
  warnIfHeld(action: string): void {
    if (!this.isHeldByCaller) return;
    this.agent.host.warn(`Do not ${action} ${this.describeOwner()} while this thread has locked its reservation`);
  }

  /** The locking convention. @throws {DmaBufError} `EDEADLK` if this agent holds the lock. */
  assertNotHeld(action: string): void {
    if (!this.isHeldHere) return;
    throw new DmaBufError(
      "EDEADLK",
      `Cannot ${action} ${this.describeOwner()}: this thread has locked its reservation`,
    );
  }

  #publish(): void {
    publishEntries(this.agent, this.shared.slot, this.shared.entries);
  }

  get #lockHolder(): Identity {
    return this.agent.protocol.lockHolder(this.shared.slot);
  }

  #timedOut(timeout: number | undefined): DmaBufError {
    const why = waitsFor(this.agent, [this.#lockHolder]);
    return new DmaBufError(
      "ETIMEDOUT",
      `Cannot lock the reservation of ${this.describeOwner()} in ${timeout} ms: ${why}`,
    );
  }
}

const SNAPSHOT_ATTEMPTS = 64;
