import type { AcquireContext } from "./acquire-context.js";
import { delegateWord, handBackLock, lockWord, openLock } from "./lock.js";
import type { ReservationState } from "./reservation-state.js";

/** A held lock, which keeps its buffer (K7). Disposing it twice does nothing. */
export class ReservationLock implements Disposable {
  readonly context: AcquireContext | undefined;
  /** @internal What stands in shared memory while the lock is held. */
  readonly word: bigint;
  readonly #state: ReservationState;
  readonly #holder: bigint | undefined;
  readonly #unkeep: () => void;
  #ended: (() => void) | undefined;
  /** @internal Whether the library holds it, while other code of this agent runs: set by a mover, and for a delegate. */
  spansTurns: boolean;
  #isLent = false;
  /** Operations of exporters that run under it. */
  #uses = 0;
  #openWhenFree = false;

  /**
   * @internal Made for a lock that has just been taken.
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
    state.lock = this;
    state.readAgain();
  }

  /** Opens the lock; while an exporter works under it, when that has ended. */
  [Symbol.dispose](): void {
    if (this.#uses > 0) this.#openWhenFree = true;
    else this.#end(() => openLock(this.#state.agent, this.#state.slot, this.word));
  }

  /** @internal An exporter works under the lock, until the result is called. */
  use(): () => void {
    this.#uses++;
    return () => {
      this.#uses--;
      if (this.#openWhenFree) this[Symbol.dispose]();
    };
  }

  /** @internal Whether the exporter's agent may have the lock just now. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** @internal */
  lend(): void {
    this.#isLent = true;
    this.#uses++;
  }

  /** @internal @param isBack False if the lock was lost. */
  takeBack(isBack: boolean): void {
    this.#isLent = false;
    this.#uses--;
    if (!isBack) this.#end(() => {});
    else if (this.#openWhenFree) this[Symbol.dispose]();
  }

  /** @internal Gives the lock back to the agent for which it was taken over. */
  handBack(): void {
    this.#end(() => handBackLock(this.#state.agent, this.#state.slot, this.#holder!));
  }

  /** The buffer is let go when its lock is open. */
  #end(open: () => void): void {
    const ended = this.#ended;
    if (ended === undefined) return;
    this.#ended = undefined;
    if (this.#state.lock === this) this.#state.lock = undefined;
    ended();
    this.context?.remove(this);
    open();
    this.#unkeep();
  }
}
