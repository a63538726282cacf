import type { Agent } from "../domain/agent.js";
import type { Activity } from "../domain/activity.js";
import { bufferName } from "../domain/buffer-name.js";
import { Held } from "../domain/held.js";
import type { ContextLocks, Lockable } from "./acquire-context.js";
import { handBackLock, lockWord, ticketOf } from "./lock.js";

/** What is kept, until it is released. */
export interface Kept {
  release(): void;
}

/** Keeps a buffer from being freed. The caller holds a reference, which may go then. */
export type KeepBuffer = () => Kept;

/** What all users of a reservation in one agent share: which of them has the lock. */
export class ReservationState {
  readonly agent: Agent;
  readonly slot: number;
  readonly keep: KeepBuffer;
  lock: TakenLock | undefined;

  constructor(agent: Agent, bufferSlot: number, keep: KeepBuffer) {
    this.agent = agent;
    this.slot = bufferSlot;
    this.keep = keep;
  }
}

/** Who has taken a lock. */
export interface Locker extends Lockable {
  readonly shared: ReservationState;
}

/** A lock that this agent has, as the library knows it. It keeps its buffer (lock.7). */
export class TakenLock extends Held implements Disposable {
  readonly user: Locker;
  /** Under which it was taken. */
  readonly context: ContextLocks | undefined;
  /** Whether the library holds it, while other code of this agent runs: a mover, a delegate, one who has waited for it. */
  spansTurns: boolean;
  /** How many fences there is room for. */
  room = 0;
  readonly #ticket: number;
  readonly #holder: bigint | undefined;
  readonly #kept: Kept;
  #isLent = false;
  /** Operations of exporters that run under it. */
  #uses = 0;
  #openWhenFree = false;

  /**
   * Made for a lock that has just been taken.
   *
   * @param holder The word of the agent for which this one holds the lock as its delegate.
   */
  constructor(user: Locker, context: ContextLocks | undefined, holder: bigint | undefined) {
    super(user.agent.held, nameOf, ended, open);
    const { shared } = user;
    this.user = user;
    this.context = context;
    this.spansTurns = holder !== undefined;
    this.#holder = holder;
    this.#ticket = holder === undefined ? (context?.ticket ?? 0) : ticketOf(holder);
    this.#kept = shared.keep();
    shared.lock = this;
  }

  override activity(): Activity {
    return { does: "locks", slot: this.user.shared.slot };
  }

  /** Opens the lock; while an exporter works under it, when that has ended. */
  [Symbol.dispose](): void {
    if (this.#uses > 0) {
      this.#openWhenFree = true;
    } else if (!this.isOver) {
      this.end();
      const { agent, slot } = this.user.shared;
      agent.protocol.openLock(slot, agent.identity, this.#ticket);
      this.#kept.release();
    }
  }

  /** What is in the lock word while the lock is held. */
  get word(): bigint {
    return lockWord(this.user.agent.identity, this.#ticket);
  }

  /** The name of its buffer, for people. */
  get bufferName(): string {
    return bufferName(this.user.agent, this.user.shared.slot);
  }

  /** An exporter works under the lock, until the result is called. */
  use(): () => void {
    this.#uses++;
    return () => {
      this.#uses--;
      if (this.#openWhenFree) this[Symbol.dispose]();
    };
  }

  /** Whether an exporter works under it. */
  get isUsed(): boolean {
    return this.#uses > 0;
  }

  /** Whether this agent has taken no other lock of the reservation since: one that was lost may have been taken again. */
  get isNewest(): boolean {
    return this.user.shared.lock === this;
  }

  /** Whether the exporter's agent may have the lock just now. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** An exporter in another agent works under the lock, until {@link takeBack}. */
  lend(): void {
    this.#isLent = true;
    this.#uses++;
  }

  /** @param isBack False if the lock was lost. */
  takeBack(isBack: boolean): void {
    this.#isLent = false;
    this.room = 0;
    this.#uses--;
    if (!isBack) {
      if (this.isOver) return;
      this.end();
      this.#kept.release();
    } else if (this.#openWhenFree) {
      this[Symbol.dispose]();
    }
  }

  /** Gives the lock back to the agent for which it was taken over. */
  handBack(): void {
    if (this.isOver) return;
    this.end();
    handBackLock(this.user.agent, this.user.shared.slot, this.#holder!);
    this.#kept.release();
  }
}

function nameOf(lock: TakenLock): string {
  return `The lock of the reservation of buffer "${lock.bufferName}"`;
}

/** It ends here, once; the lock word comes next, and then the buffer is released. */
function ended(lock: TakenLock): void {
  const { shared } = lock.user;
  if (shared.lock === lock) shared.lock = undefined;
  shared.agent.validation?.released(lock);
  lock.context?.remove(lock);
}

function open(lock: TakenLock): void {
  lock[Symbol.dispose]();
}
