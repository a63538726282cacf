import { liveAgentsIn, nameAgents } from "../domain/agent-slot.js";
import type { Passage, Thing } from "../domain/validation.js";
import { TakenLock } from "../reservation/reservation-state.js";
import type { Hold, Went } from "./flows.js";
import type { Check, Checker } from "./check.js";

/**
 * Locks of reservations, and the code that holds them.
 *
 * lock-watch.1. A lock that a timer finds held is held over turns of the event loop. It is reported when another waits for it
 *     then.
 * lock-watch.2. It may be held over waits of the library: for fences, for further locks under its context, and for what an
 *     exporter is asked for under it. So it may where the library itself holds it.
 * lock-watch.3. Code that holds locks under one acquire context takes none under another: the two would wait for each other as
 *     if they were of two agents. It is that code if it opens the first one after it has got the other.
 */
export class LockWatch implements Check {
  readonly #validator: Checker;
  readonly #locks = new Map<TakenLock, HeldLock>();
  #cancelTimer: (() => void) | undefined;

  constructor(validator: Checker) {
    this.#validator = validator;
  }

  waits(thing: Thing): Passage | undefined {
    if (thing.kind !== "lock") return undefined;
    this.#validator.flows.expect();
    return { over: (held) => held !== undefined && this.holds(held, thing) };
  }

  holds(held: object, thing: Thing): void {
    if (thing.kind !== "lock" || !(held instanceof TakenLock)) return;
    const { flows } = this.#validator;
    const lock = new HeldLock(held, thing.slot, flows.next(), flows.next());
    flows.hold(lock);
    flows.go(lock);
    this.#locks.set(held, lock);
    this.#validator.took(held);
    this.#watch();
  }

  released(held: object): void {
    const lock = held instanceof TakenLock ? this.#locks.get(held) : undefined;
    if (lock === undefined) return;
    this.#locks.delete(lock.taken);
    this.#checkContexts(lock);
    this.#validator.flows.letGo(lock);
  }

  /** The code that runs now waits by the library. @returns What ends that. */
  pends(): () => void {
    const mine = [...this.#locks.values()].filter((lock) => this.#mayHold(lock));
    for (const lock of mine) lock.waits++;
    return () => {
      for (const lock of mine) lock.waits--;
    };
  }

  close(): void {
    this.#cancelTimer?.();
    for (const lock of this.#locks.values()) this.#validator.flows.letGo(lock);
    this.#locks.clear();
  }

  /** Whether the code that runs now may be that which holds a lock. */
  #mayHold(lock: HeldLock): boolean {
    const { flows } = this.#validator;
    return !flows.spanTurns || flows.wentSince(lock).includes(lock);
  }

  /** lock-watch.3. */
  #checkContexts({ taken, since }: HeldLock): void {
    const { context } = taken;
    if (context === undefined) return;
    for (const later of this.#validator.flows.wentSince({ since })) {
      if (!(later instanceof HeldLock) || later.taken.user.agent !== this.#validator.agent) continue;
      const other = later.taken.context;
      if (other === undefined || other === context) continue;
      const message = `${nameOf(later)} was taken under another acquire context than ${nameOf({ taken })}, which the same code held`;
      this.#validator.reportHeld("back-off", [taken, later.taken], message);
    }
  }

  #watch(): void {
    this.#cancelTimer ??= this.#validator.agent.host.after(LOOK_MS, () => this.#look());
  }

  #look(): void {
    this.#cancelTimer = undefined;
    const { agent } = this.#validator;
    const { layout } = agent;
    for (const lock of this.#locks.values()) {
      const { taken, slot, waits } = lock;
      if (waits > 0 || taken.spansTurns || taken.isUsed) continue;
      const others = liveAgentsIn(agent, layout.buffer(slot) + layout.BUFFER.LOCK_WAITERS);
      if (others.length === 0) continue;
      const message = `${nameOf(lock)} is held over turns of the event loop, and ${nameAgents(agent, others)} waits for it`;
      this.#validator.reportHeld("lock-across-await", [taken], message);
    }
    if (this.#locks.size > 0) this.#watch();
  }
}

/** A lock that is held, and that a flow went through. */
class HeldLock implements Hold, Went {
  readonly taken: TakenLock;
  readonly slot: number;
  readonly since: number;
  readonly at: number;
  /** How many waits of the library are under way in the code that holds it. */
  waits = 0;

  constructor(taken: TakenLock, slot: number, since: number, at: number) {
    this.taken = taken;
    this.slot = slot;
    this.since = since;
    this.at = at;
  }
}

function nameOf({ taken }: Pick<HeldLock, "taken">): string {
  return `The lock of the reservation of buffer "${taken.bufferName}"`;
}

/** Milliseconds between two looks. */
const LOOK_MS = 20;
