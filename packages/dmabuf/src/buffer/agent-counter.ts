import { liveIn, slotOf, type Identity, type Member } from "../domain/agent-slot.js";
import { ATTACHED, TOUCHED, type Segment } from "../domain/layout.js";
import type { Bits } from "../domain/packing.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { usedSlots } from "../domain/table.js";

/**
 * What each agent counts of a buffer: one word an agent, which only that agent changes, and after its death the reaper. Most
 * buffers never use them: TOUCHED says which were used, and is set before that, so that a sweep leaves the others' memory
 * alone (table.2).
 */
class AgentCounter {
  readonly #list: "ATTACHMENTS" | "PINS";
  readonly #touched: Bits;
  readonly recovery: RecoveryStep = { table: "buffers", sweep: (...of) => this.#sweep(...of) };

  constructor(list: "ATTACHMENTS" | "PINS", touched: Bits) {
    this.#list = list;
    this.#touched = touched;
  }

  raise(member: Member, bufferSlot: number, amount: number): void {
    const { memory, layout, identity } = member;
    const touched = layout.buffer(bufferSlot) + layout.BUFFER.TOUCHED;
    // SYNC POINT used-before-taken: an agent that dies in between has no word that no sweep looks at.
    if (!this.#isTouched(member, bufferSlot)) memory.or(touched, this.#touched.mask);
    memory.add(this.#word(member, bufferSlot, slotOf(identity)), amount);
  }

  lower(member: Member, bufferSlot: number, amount: number): void {
    member.memory.add(this.#word(member, bufferSlot, slotOf(member.identity)), -amount);
  }

  /** What all agents together have counted in a part of the word. */
  total(segment: Segment, bufferSlot: number, part: Bits): number {
    let total = 0;
    const agents = this.#used(segment, bufferSlot);
    for (let slot = 0; slot < agents; slot++) total += part.in(this.#load(segment, bufferSlot, slot));
    return total;
  }

  /** The live agents whose counts are as they are asked for. @param counts Not for 0. */
  *agents(segment: Segment, bufferSlot: number, counts: (count: number) => boolean): Generator<Identity> {
    const agents = this.#used(segment, bufferSlot);
    for (let slot = 0; slot < agents; slot++) {
      const identity = counts(this.#load(segment, bufferSlot, slot)) ? liveIn(segment, slot) : 0;
      // SYNC POINT sweep-before-free: if that is the slot's next agent, the dead one's count is gone by now.
      if (identity !== 0 && counts(this.#load(segment, bufferSlot, slot))) yield identity;
    }
  }

  #sweep(segment: Segment, bufferSlot: number, dead: Identity): void {
    if (!this.#isTouched(segment, bufferSlot)) return;
    const word = this.#word(segment, bufferSlot, slotOf(dead));
    if (segment.memory.load(word) !== 0) segment.memory.store(word, 0);
  }

  /** How many words there are to look at. */
  #used(segment: Segment, bufferSlot: number): number {
    return this.#isTouched(segment, bufferSlot) ? usedSlots(segment, "agents") : 0;
  }

  #isTouched({ memory, layout }: Segment, bufferSlot: number): boolean {
    return this.#touched.in(memory.load(layout.buffer(bufferSlot) + layout.BUFFER.TOUCHED)) === 1;
  }

  #load(segment: Segment, bufferSlot: number, agentSlot: number): number {
    return segment.memory.load(this.#word(segment, bufferSlot, agentSlot));
  }

  #word({ layout }: Segment, bufferSlot: number, agentSlot: number): number {
    return layout.buffer(bufferSlot) + layout.BUFFER[this.#list] + agentSlot;
  }
}

/** How often each agent has pinned the storage (storage-slot.ts). */
export const PINS = new AgentCounter("PINS", TOUCHED.pins);

const ATTACHMENTS = new AgentCounter("ATTACHMENTS", TOUCHED.attachments);

export const COUNTER_RECOVERY: readonly RecoveryStep[] = [PINS.recovery, ATTACHMENTS.recovery];

export function countAttachment(member: Member, bufferSlot: number, isDynamic: boolean): void {
  ATTACHMENTS.raise(member, bufferSlot, attached(isDynamic));
}

export function discountAttachment(member: Member, bufferSlot: number, isDynamic: boolean): void {
  ATTACHMENTS.lower(member, bufferSlot, attached(isDynamic));
}

function attached(isDynamic: boolean): number {
  return ATTACHED.all.of(1) | ATTACHED.dynamic.of(isDynamic ? 1 : 0);
}

/** Importers attached in all agents. */
export function attachmentCount(segment: Segment, bufferSlot: number): number {
  return ATTACHMENTS.total(segment, bufferSlot, ATTACHED.all);
}

/** The live agents that have dynamic importers of a buffer. */
export function agentsWithDynamic(segment: Segment, bufferSlot: number): Identity[] {
  return [...ATTACHMENTS.agents(segment, bufferSlot, (count) => ATTACHED.dynamic.in(count) !== 0)];
}
