import type { Agent } from "../domain/agent.js";
import { bufferName } from "../domain/buffer-name.js";
import { Held } from "../domain/held.js";
import { locksOf, type AcquireContext } from "./acquire-context.js";
import { readEntries, type Entry } from "./entries.js";
import { handBackLock, lockWord, ticketOf } from "./lock.js";

/** Keeps a buffer from being freed until the result is called. The caller holds a reference, which may go then. */
export type KeepBuffer = () => () => void;

/** What all users of a reservation in one agent share: which of them has the lock, and the fences under it. */
export class ReservationState {
  readonly agent: Agent;
  readonly slot: number;
  readonly keep: KeepBuffer;
  lock: TakenLock | undefined;
  /** Valid while the lock is held. */
  entries: Entry[] = [];
  room = 0;

  constructor(agent: Agent, bufferSlot: number, keep: KeepBuffer) {
    this.agent = agent;
    this.slot = bufferSlot;
    this.keep = keep;
  }

  /** The lock has come, or come back. */
  readAgain(): void {
    this.entries = readEntries(this.agent, this.slot);
    this.room = this.entries.length;
  }
}

/** A lock that this agent has, as the library knows it. It keeps its buffer (lock.7). */
export class TakenLock implements Disposable {
  /** What the user's object ends. */
  readonly held: Held;
  readonly context: AcquireContext | undefined;
  readonly #ticket: number;
  readonly #state: ReservationState;
  readonly #holder: bigint | undefined;
  readonly #unkeep: () => void;
  #ended: ((self: TakenLock) => void) | undefined;
  /** Whether the library holds it, while other code of this agent runs: set by a mover, and for a delegate. */
  spansTurns: boolean;
  #isLent = false;
  /** Operations of exporters that run under it. */
  #uses = 0;
  #openWhenFree = false;

  /**
   * Made for a lock that has just been taken.
   *
   * @param holder The word of the agent for which this one holds the lock as its delegate.
   * @param ended Called when it is no longer held.
   */
  constructor(
    state: ReservationState,
    context: AcquireContext | undefined,
    holder: bigint | undefined,
    ended: (self: TakenLock) => void,
  ) {
    const { agent } = state;
    this.#state = state;
    this.context = context;
    this.#holder = holder;
    this.spansTurns = holder !== undefined;
    this.#ticket = holder === undefined ? (context?.ticket ?? 0) : ticketOf(holder);
    this.#ended = ended;
    this.#unkeep = state.keep();
    const what = (): string => `The lock of the reservation of buffer "${bufferName(agent, state.slot)}"`;
    this.held = new Held(agent.held, what, () => this[Symbol.dispose]());
    state.lock = this;
    state.readAgain();
  }

  /** Opens the lock; while an exporter works under it, when that has ended. */
  [Symbol.dispose](): void {
    if (this.#uses > 0) {
      this.#openWhenFree = true;
    } else if (this.#isEnding()) {
      const { agent, slot } = this.#state;
      agent.protocol.openLock(slot, agent.identity, this.#ticket);
      this.#unkeep();
    }
  }

  /** What is in the lock word while the lock is held. */
  get word(): bigint {
    return lockWord(this.#state.agent.identity, this.#ticket);
  }

  /** An exporter works under the lock, until the result is called. */
  use(): () => void {
    this.#uses++;
    return () => {
      this.#uses--;
      if (this.#openWhenFree) this[Symbol.dispose]();
    };
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
    this.#uses--;
    if (!isBack) {
      if (this.#isEnding()) this.#unkeep();
    } else if (this.#openWhenFree) {
      this[Symbol.dispose]();
    }
  }

  /** Gives the lock back to the agent for which it was taken over. */
  handBack(): void {
    if (!this.#isEnding()) return;
    handBackLock(this.#state.agent, this.#state.slot, this.#holder!);
    this.#unkeep();
  }

  /** Ends it here, once; the lock word comes next, and then the buffer is released. */
  #isEnding(): boolean {
    const ended = this.#ended;
    if (ended === undefined) return false;
    this.#ended = undefined;
    this.held.end();
    if (this.#state.lock === this) this.#state.lock = undefined;
    ended(this);
    if (this.context !== undefined) locksOf(this.context).remove(this);
    return true;
  }
}
