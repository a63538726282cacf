import type { Agent } from "../domain/agent.js";
import type { AcquireContext } from "./acquire-context.js";
import { delegateWord, handBackLock, lockWord, openLock } from "./lock.js";

/** A held lock. Disposing it twice does nothing. */
export class ReservationLock implements Disposable {
  readonly context: AcquireContext | undefined;
  /** @internal What stands in shared memory while the lock is held. */
  readonly word: bigint;
  readonly #agent: Agent;
  readonly #slot: number;
  readonly #holder: bigint | undefined;
  #opened: (() => void) | undefined;
  /** @internal Whether the library holds it, while other code of this agent runs: set by a mover, and for a delegate. */
  spansTurns: boolean;
  #isLent = false;
  #openWhenBack = false;

  /** @param holder The word of the agent for which this one holds the lock as its delegate. */
  constructor(
    agent: Agent,
    bufferSlot: number,
    context: AcquireContext | undefined,
    holder: bigint | undefined,
    opened: () => void,
  ) {
    this.#agent = agent;
    this.#slot = bufferSlot;
    this.context = context;
    this.#holder = holder;
    this.spansTurns = holder !== undefined;
    this.word =
      holder === undefined ? lockWord(agent.identity, context?.ticket ?? 0) : delegateWord(holder, agent.identity);
    this.#opened = opened;
  }

  [Symbol.dispose](): void {
    if (this.#isLent) this.#openWhenBack = true;
    else if (this.forfeit()) openLock(this.#agent, this.#slot, this.word);
  }

  /** @internal Whether the exporter's agent may have the lock just now. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** @internal */
  lend(): void {
    this.#isLent = true;
  }

  /** @internal @param isBack False if the lock was lost. */
  takeBack(isBack: boolean): void {
    this.#isLent = false;
    if (!isBack) this.forfeit();
    else if (this.#openWhenBack) this[Symbol.dispose]();
  }

  /** @internal Gives the lock back to the agent for which it was taken over. */
  handBack(): void {
    if (this.forfeit()) handBackLock(this.#agent, this.#slot, this.#holder!);
  }

  /** @internal Forgets the lock without opening it; false if that was done before. */
  forfeit(): boolean {
    const opened = this.#opened;
    if (opened === undefined) return false;
    this.#opened = undefined;
    opened();
    this.context?.remove(this);
    return true;
  }
}
