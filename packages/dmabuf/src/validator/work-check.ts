import { AccessHold } from "../buffer/access-hold.js";
import { keyTime } from "../domain/fence-slot.js";
import { BUFFER, USAGE_LEVEL } from "../domain/layout.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Passage, Thing } from "../domain/validation.js";
import { tryReadEntries } from "../reservation/entries.js";
import type { Check, Checker } from "./check.js";

/**
 * A fence that says too early that its work has finished.
 *
 * work-check.1. A write access that began before a fence was added to the buffer, and is open when that fence signals, is
 *     the fence's work: it would have waited for other work.
 */
export class WorkCheck implements Check {
  readonly #validator: Checker;
  /** The write accesses of this agent that are open. */
  readonly #open = new Map<object, OpenAccess>();

  constructor(validator: Checker) {
    this.#validator = validator;
  }

  waits(thing: Thing): Passage | undefined {
    if (thing.kind !== "write") return undefined;
    return { over: (held) => held !== undefined && this.holds(held, thing) };
  }

  holds(held: object, thing: Thing): void {
    if (thing.kind !== "write" || !(held instanceof AccessHold)) return;
    const { slot } = thing;
    const { agent } = this.#validator;
    this.#open.set(held, { slot, published: this.#publishedOf(slot), sinceNs: agent.host.nowNs() });
  }

  released(held: object): void {
    this.#open.delete(held);
  }

  signaled(key: FenceKey): void {
    for (const access of this.#open.values()) {
      if (this.#publishedOf(access.slot) !== access.published) this.#look(key, access);
    }
  }

  #look(key: FenceKey, { slot, sinceNs }: OpenAccess): void {
    const { agent } = this.#validator;
    const isOf = (other: FenceKey): boolean => {
      const isSame = other.slot === key.slot && other.generation === key.generation;
      return isSame && other.sequence <= key.sequence && (keyTime(agent, other) ?? 0) >= sinceNs;
    };
    const entries = tryReadEntries(agent, slot) ?? [];
    if (!entries.some((entry) => entry.level === USAGE_LEVEL.WRITE && isOf(entry.key))) return;
    const message = `A fence signals that its work on buffer ${this.#validator.nameOf(slot)} has finished, and the access to write it is still open`;
    this.#validator.report("work-after-fence", message);
  }

  #publishedOf(slot: number): number {
    const { memory, layout } = this.#validator.agent;
    return memory.load(layout.buffer(slot) + BUFFER.PUBLISHED);
  }
}

interface OpenAccess {
  readonly slot: number;
  readonly published: number;
  readonly sinceNs: number;
}
