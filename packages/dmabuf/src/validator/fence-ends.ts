import { isKeySignaled, isOwnKey, keyOrigin, keyOwner } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { FenceEnd } from "../domain/validation.js";
import { placeHere } from "../host/place.js";
import type { Checker } from "./check.js";

/**
 * Fences that can never signal, since no object is left in their agent that could do it.
 *
 * fence-ends.1. Only a fence that was handed out counts: no other agent, and no reservation, waits for another one.
 * fence-ends.2. What waits in this agent for a fence keeps it, and its signaler with it: then there is still code that
 *     could signal it. If none does until the fence's time limit, that wait was in its way.
 */
export class FenceEnds {
  readonly #validator: Checker;
  readonly #registry = new FinalizationRegistry<End>((end) => this.#lost(end));
  /** fence-ends.2. */
  readonly #kept = new Set<object>();

  constructor(validator: Checker) {
    this.#validator = validator;
  }

  signals(signaler: object, { slot, generation }: Omit<FenceKey, "sequence">): FenceEnd {
    const end = new End(slot, generation, placeHere());
    this.#registry.register(signaler, end);
    return end;
  }

  awaits(key: FenceKey): ((limit: number) => void) | undefined {
    if (!isOwnKey(this.#validator.agent, key)) return undefined;
    const place = { what: "it was waited for here", where: placeHere() };
    return (limit) => {
      const why = `has not signaled in its ${limit} ms, and this thread itself waited for it`;
      this.#validator.report("own-fence", `${this.#describe(key)} ${why}`, undefined, [place]);
    };
  }

  keep(fence: object): void {
    this.#kept.add(fence);
  }

  letGo(fence: object): void {
    this.#kept.delete(fence);
  }

  #lost({ slot, generation, last, where }: End): void {
    const { agent } = this.#validator;
    const key = { slot, generation, sequence: last };
    if (last === 0 || agent.closed || keyOwner(agent, key) !== agent.identity || isKeySignaled(agent, key)) return;
    const message = `${this.#describe(key)} is pending, and nothing is left that could signal it`;
    this.#validator.report("own-fence", message, undefined, [{ what: "what signals it was made here", where }]);
  }

  #describe(key: FenceKey): string {
    const { timelineName = "", context = 0, seqno = 0 } = keyOrigin(this.#validator.agent, key) ?? {};
    return `Fence ${context}:${seqno} of timeline "${timelineName}"`;
  }
}

/** What is known of a signaler: it does not keep it. */
class End implements FenceEnd {
  readonly slot: number;
  readonly generation: number;
  readonly where: string;
  /** The highest number that was handed out. */
  last = 0;

  constructor(slot: number, generation: number, where: string) {
    this.slot = slot;
    this.generation = generation;
    this.where = where;
  }

  handedOut(sequence: number): void {
    this.last = Math.max(this.last, sequence);
  }
}
