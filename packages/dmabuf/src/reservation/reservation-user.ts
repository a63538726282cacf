import { isLive, waitsFor, type Identity } from "../domain/agent-slot.js";
import type { Agent } from "../domain/agent.js";
import { bufferText } from "../domain/buffer-name.js";
import { LOCK_ATTEMPT } from "../domain/layout.js";
import { until, type Steps } from "../domain/steps.js";
import type { Passage } from "../domain/validation.js";
import { Ending } from "../domain/wait.js";
import { DmaBufError, type ErrorCode } from "../errors.js";
import { backingOf, type Fence } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { fenceAt } from "../fence/shared-fence.js";
import type { ContextLocks } from "./acquire-context.js";
import { FenceQueries, type ReservationFence } from "./fence-queries.js";
import { LockAttempt, type LockUser } from "./lock-attempt.js";
import { takeOverLock } from "./lock.js";
import { ReservationState, TakenLock, type KeepBuffer, type Kept } from "./reservation-state.js";
import { unlessChanged } from "./work-queries.js";
import { USAGES, usageLevel, type Usage } from "./usage.js";

/** One user of a reservation in this agent, as the library knows it: a holder of the buffer, or the library itself. */
export class ReservationUser extends FenceQueries implements LockUser {
  readonly shared: ReservationState;
  /** Its close, which ends what it waits for (reservation.7). */
  override readonly ending = new Ending();
  /** The error for a requester that must give way here; only a holder's object has acquire contexts. */
  wouldDeadlock: () => Error = () => new DmaBufError("EDEADLK", `Cannot lock ${this.describeOwner()}`);

  constructor(shared: ReservationState) {
    super();
    this.shared = shared;
  }

  /** @param keep How a held lock keeps the buffer. */
  static of(agent: Agent, bufferSlot: number, keep: KeepBuffer = () => NOTHING): ReservationUser {
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
    const { lock } = this.shared;
    if (lock?.user === this) lock[Symbol.dispose]();
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
    return bufferText(this.agent, this.shared.slot);
  }

  /** Takes the lock, and waits for it if it is not open. */
  *locking(context?: ContextLocks, timeout?: number): Steps<TakenLock> {
    const way = this.way(context);
    const taken = this.tryLockFor(context) ?? (yield* this.waitingToLock(context, timeout));
    way?.over(taken);
    return taken;
  }

  /** For the validator, if there is one: a call begins to wait for the lock. */
  way(context: ContextLocks | undefined): Passage | undefined {
    return this.agent.validation?.waits({ kind: "lock", slot: this.shared.slot }, context);
  }

  /** The first look of a wait for the lock. One with a context is more than a look. */
  tryLockFor(context: ContextLocks | undefined): TakenLock | undefined {
    return context === undefined ? this.tryLock() : undefined;
  }

  /** Waits for the lock, which {@link tryLockFor} has not taken just now. */
  *waitingToLock(context?: ContextLocks, timeout?: number): Steps<TakenLock> {
    const attempt = new LockAttempt(this, context);
    try {
      const isReady = context !== undefined && attempt.ready();
      if (!isReady && !(yield until(this.agent, attempt, () => this.#heldUp(), this.ending)))
        throw this.#timedOut(timeout);
      return attempt.granted;
    } finally {
      attempt.end();
    }
  }

  /** Takes the lock if it is open. */
  tryLock(): TakenLock | undefined {
    this.checkOpen();
    const { protocol, identity } = this.agent;
    const found = protocol.tryTakeLock(this.shared.slot, identity, 0, 0);
    return found === LOCK_ATTEMPT.TAKEN ? this.took(undefined) : undefined;
  }

  /** The lock has just been taken by this user. @param holder The word of the agent for which it is taken over. */
  took(context: ContextLocks | undefined, holder?: bigint): TakenLock {
    const lock = new TakenLock(this, context, holder);
    context?.add(lock);
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

  /** Lets the exporter's agent take the lock over for an operation. End it by `takeBack` of the lock. */
  lend(): TakenLock {
    this.assertHeld("lend the lock of");
    const lock = this.shared.lock!;
    lock.lend();
    return lock;
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
    const lock = this.#held("reserve room for fences of");
    const { reservationEntries } = this.agent.layout;
    const { protocol } = this.agent;
    const { slot } = this.shared;
    let used = this.#keepRoom(lock);
    if (used + count > reservationEntries) used = protocol.copyEntries(slot, slot);
    if (used + count > reservationEntries) {
      throw new DmaBufError(
        "ENOMEM",
        `Cannot reserve ${count} fences on ${this.describeOwner()}: ${used} of ${reservationEntries} are pending or overdue (option "agents")`,
      );
    }
    lock.room = Math.max(lock.room, used + count);
  }

  /** There is room for as many fences as there are, also when some of them go. Returns how many there are. */
  #keepRoom(lock: TakenLock): number {
    const used = this.agent.protocol.countEntries(this.shared.slot);
    lock.room = Math.max(lock.room, used);
    return used;
  }

  /** See {@link Reservation.addFence}. */
  addFence(fence: Fence, usage: Usage): void {
    this.assertHeld("add a fence to");
    this.#checkPlain(fence);
    const { slot, generation, sequence } = publish(fence);
    // The fence's maker may have run in between.
    const { room } = this.#held("add a fence to");
    if (!this.agent.protocol.addEntry(this.shared.slot, slot, generation, sequence, usageLevel(usage), room)) {
      const message = `Cannot add a fence to the reservation of ${this.describeOwner()}: no room was reserved`;
      this.agent.validation?.report("room-not-reserved", message);
      throw new RangeError(message);
    }
  }

  /** A container in a reservation would hide what it waits for. */
  #checkPlain(fence: Fence): void {
    if (!backingOf(fence).isContainer) return;
    const message = `The reservation of ${this.describeOwner()} takes plain fences: unwrap containers first`;
    this.agent.complain("container-in-reservation", message);
  }

  /** See {@link Reservation.replaceFences}. */
  replaceFences(context: number, replacement: Fence, usage: Usage): void {
    this.assertHeld("replace fences of");
    this.#checkPlain(replacement);
    const { slot, generation, sequence } = publish(replacement);
    this.assertHeld("replace fences of");
    this.agent.protocol.replaceEntries(this.shared.slot, context, slot, generation, sequence, usageLevel(usage));
  }

  /** See {@link Reservation.copyFences}. */
  copyFences(source: ReservationUser): void {
    const lock = this.#held("copy fences to");
    this.#keepRoom(lock);
    const copied = source.read(() =>
      unlessChanged(this.agent.protocol.copyEntries(this.shared.slot, source.shared.slot)),
    );
    lock.room = Math.max(lock.room, copied);
  }

  /** See {@link Reservation.lockedFences}. */
  *lockedFences(usage: Usage): Generator<ReservationFence> {
    this.assertHeld("iterate");
    for (const { key, level } of this.upTo(usage)) {
      const fence = fenceAt(this.agent, key);
      if (fence !== undefined) yield { fence, usage: USAGES[level]!, restarted: false };
    }
  }

  protected override get bufferSlot(): number {
    return this.shared.slot;
  }

  protected override quietly<T>(read: () => T): T {
    using _lock = this.tryLock();
    return read();
  }

  /** The locking convention. @throws {DmaBufError} `EPERM` if this agent does not hold the lock. */
  assertHeld(action: string): void {
    this.#held(action);
  }

  #held(action: string): TakenLock {
    this.checkOpen();
    const { lock } = this.shared;
    if (lock?.isLent === false) return lock;
    throw this.#wrongLock("EPERM", `Cannot ${action} ${this.describeOwner()}: its reservation is not locked`);
  }

  /**
   * The locking convention: reports a caller that holds the lock where it must not. What holds it over turns of the event
   * loop, the library itself, is another party than the caller.
   */
  warnIfHeld(action: string): void {
    if (!this.isHeldByCaller) return;
    const message = `Do not ${action} ${this.describeOwner()} while this thread has locked its reservation`;
    this.agent.complain("exporter-lock", message);
  }

  /** The locking convention. @throws {DmaBufError} `EDEADLK` if this agent holds the lock. */
  assertNotHeld(action: string): void {
    if (!this.isHeldByCaller) return;
    throw this.#wrongLock(
      "EDEADLK",
      `Cannot ${action} ${this.describeOwner()}: this thread has locked its reservation`,
    );
  }

  #wrongLock(code: ErrorCode, message: string): DmaBufError {
    this.agent.validation?.report("exporter-lock", message);
    return new DmaBufError(code, message);
  }

  get #lockHolder(): Identity {
    return this.agent.protocol.lockHolder(this.shared.slot);
  }

  #timedOut(timeout: number | undefined): DmaBufError {
    const [action, why] = this.#heldUp();
    return new DmaBufError("ETIMEDOUT", `Cannot ${action} in ${timeout} ms: ${why}`);
  }

  #heldUp(): readonly [action: string, why: string] {
    return [`lock the reservation of ${this.describeOwner()}`, waitsFor(this.agent, [this.#lockHolder])];
  }
}

const NOTHING: Kept = { release() {} };
