import type { Agent } from "../domain/agent.js";
import { BUFFER_SLOTS, type BufferKey } from "./buffer-slot.js";

/**
 * The references of an agent: in shared memory it has one for a buffer, however often it is needed here. None is
 * dropped when the agent has left, which gives all of them back: its slot may be another agent's.
 */
export class References {
  readonly #agent: Agent;
  /** By slot; while there is a reference, no other buffer has it. */
  readonly #held = new Map<number, { readonly generation: number; count: number }>();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /** Notes the reference to a buffer that has just been exported. */
  exported({ slot, generation }: BufferKey): void {
    this.#held.set(slot, { generation, count: 1 });
  }

  /** @returns False if the buffer is gone. */
  take(key: BufferKey): boolean {
    const held = this.#held.get(key.slot);
    if (held === undefined) {
      if (!BUFFER_SLOTS.addReference(this.#agent, key)) return false;
      this.exported(key);
    } else if (held.generation === key.generation) {
      held.count++;
    } else {
      // A reference of ours to another generation means that the buffer is gone.
      return false;
    }
    return true;
  }

  /** @returns Whether the buffer has been freed. */
  drop(slot: number): boolean {
    const held = this.#held.get(slot)!;
    if (--held.count > 0) return false;
    this.#held.delete(slot);
    return !this.#agent.closed && BUFFER_SLOTS.dropReference(this.#agent, slot);
  }
}
