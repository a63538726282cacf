import { liveAgentsIn, nameAgents } from "../domain/agent-slot.js";
import type { Passage, Thing } from "../domain/validation.js";
import { TakenLock } from "../reservation/reservation-state.js";
import type { Check, Validator } from "./validator.js";

/**
 * Locks of reservations that are held while the event loop goes on, for others that need them.
 *
 * lock-watch.1. A lock that a timer finds held is held over turns of the event loop. It is reported when another waits for it
 *     then.
 * lock-watch.2. It may be held over waits of the library: for fences, for further locks under its context, and for what an
 *     exporter is asked for under it. So it may where the library itself holds it.
 */
export class LockWatch implements Check {
  readonly #validator: Validator;
  readonly #locks = new Map<TakenLock, Watched>();
  #cancelTimer: (() => void) | undefined;

  constructor(validator: Validator) {
    this.#validator = validator;
    validator.agent.gone.onEnd(() => this.#cancelTimer?.());
  }

  waits(thing: Thing): Passage | undefined {
    if (thing.kind !== "lock") return undefined;
    return { over: (held) => held !== undefined && this.holds(held, thing) };
  }

  holds(held: object, thing: Thing): void {
    if (thing.kind !== "lock" || !(held instanceof TakenLock)) return;
    this.#locks.set(held, { slot: thing.slot, waits: 0 });
    this.#watch();
  }

  released(held: object): void {
    if (held instanceof TakenLock) this.#locks.delete(held);
  }

  /** The code that runs now waits by the library. @returns What ends that. */
  pends(): () => void {
    const mine: Watched[] = [];
    for (const [lock, watched] of this.#locks) if (this.#validator.holdsNow(lock)) mine.push(watched);
    for (const watched of mine) watched.waits++;
    return () => {
      for (const watched of mine) watched.waits--;
    };
  }

  #watch(): void {
    this.#cancelTimer ??= this.#validator.agent.host.after(LOOK_MS, () => this.#look());
  }

  #look(): void {
    this.#cancelTimer = undefined;
    const { agent } = this.#validator;
    const { layout } = agent;
    for (const [lock, { slot, waits }] of this.#locks) {
      if (waits > 0 || lock.spansTurns || lock.isUsed) continue;
      const others = liveAgentsIn(agent, layout.buffer(slot) + layout.BUFFER.LOCK_WAITERS);
      if (others.length > 0) this.#report(lock, nameAgents(agent, others));
    }
    if (this.#locks.size > 0) this.#watch();
  }

  #report(lock: TakenLock, others: string): void {
    this.#locks.delete(lock);
    const message = `The lock of the reservation of buffer "${lock.bufferName}" is held over turns of the event loop, and ${others} waits for it`;
    this.#validator.reportHeld("lock-across-await", lock, message);
  }
}

/** A lock, and how many waits of the library are under way in the code that holds it. */
interface Watched {
  readonly slot: number;
  waits: number;
}

/** Milliseconds between two looks. */
const LOOK_MS = 20;
