import { bufferName } from "../domain/buffer-name.js";
import { Held, owned } from "../domain/held.js";
import type { AcquireContext } from "./acquire-context.js";
import { delegateWord, handBackLock, lockWord, openLock } from "./lock.js";
import type { ReservationState } from "./reservation-state.js";

/** A held lock. Disposing it twice does nothing. */
export class ReservationLock implements Disposable {
  readonly #taken: TakenLock;

  /** @internal Made by `Reservation.lock()`. */
  constructor(taken: TakenLock) {
    this.#taken = taken;
    // One under a context is the context's, which opens it: its user need not keep this object.
    if (taken.context === undefined) owned(taken.held, this);
  }

  get context(): AcquireContext | undefined {
    return this.#taken.context;
  }

  /** @internal The library goes on holding it while other code of this agent runs. */
  spanTurns(): void {
    this.#taken.spansTurns = true;
  }

  /** Opens the lock; while an exporter works under it, when that has ended. */
  [Symbol.dispose](): void {
    this.#taken[Symbol.dispose]();
  }
}

/** A lock that this agent has, as the library knows it. It keeps its buffer (lock.7). */
export class TakenLock implements Disposable {
  /** What the user's object ends. */
  readonly held: Held;
  readonly context: AcquireContext | undefined;
  /** What stands in shared memory while the lock is held. */
  readonly word: bigint;
  readonly #state: ReservationState;
  readonly #holder: bigint | undefined;
  readonly #unkeep: () => void;
  #ended: (() => void) | undefined;
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
    ended: () => void,
  ) {
    const { identity } = state.agent;
    this.#state = state;
    this.context = context;
    this.#holder = holder;
    this.spansTurns = holder !== undefined;
    this.word = holder === undefined ? lockWord(identity, context?.ticket ?? 0) : delegateWord(holder, identity);
    this.#ended = ended;
    this.#unkeep = state.keep();
    const what = (): string => `The lock of the reservation of buffer "${bufferName(state.agent, state.slot)}"`;
    this.held = new Held(state.agent.held, what, () => this[Symbol.dispose]());
    state.lock = this;
    state.readAgain();
  }

  /** Opens the lock; while an exporter works under it, when that has ended. */
  [Symbol.dispose](): void {
    if (this.#uses > 0) this.#openWhenFree = true;
    else this.#end(() => openLock(this.#state.agent, this.#state.slot, this.word));
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

  /** */
  lend(): void {
    this.#isLent = true;
    this.#uses++;
  }

  /** @param isBack False if the lock was lost. */
  takeBack(isBack: boolean): void {
    this.#isLent = false;
    this.#uses--;
    if (!isBack) this.#end(() => {});
    else if (this.#openWhenFree) this[Symbol.dispose]();
  }

  /** Gives the lock back to the agent for which it was taken over. */
  handBack(): void {
    this.#end(() => handBackLock(this.#state.agent, this.#state.slot, this.#holder!));
  }

  /** The buffer is let go when its lock is open. */
  #end(open: () => void): void {
    const ended = this.#ended;
    if (ended === undefined) return;
    this.#ended = undefined;
    this.held.end();
    if (this.#state.lock === this) this.#state.lock = undefined;
    ended();
    this.context?.remove(this);
    open();
    this.#unkeep();
  }
}
