import { liveIn, slotOf, type Identity, type Member } from "./agent-slot.js";
import type { Segment } from "./layout.js";

/**
 * How many importers are attached to a buffer: one word an agent, which only that agent changes, and after its death
 * the reaper.
 */

const DYNAMIC = 1 << 16;
const ALL_MASK = 0xffff;

export function countAttachment({ memory, layout, identity }: Member, bufferSlot: number, isDynamic: boolean): void {
  memory.add(wordOf(layout, bufferSlot, identity), isDynamic ? DYNAMIC + 1 : 1);
}

export function discountAttachment({ memory, layout, identity }: Member, bufferSlot: number, isDynamic: boolean): void {
  memory.add(wordOf(layout, bufferSlot, identity), isDynamic ? -(DYNAMIC + 1) : -1);
}

/** Importers attached in all agents. */
export function attachmentCount({ memory, layout }: Segment, bufferSlot: number): number {
  let count = 0;
  const words = layout.buffer(bufferSlot) + layout.attachments;
  for (let slot = 0; slot < layout.sizes.agents; slot++) count += memory.load(words + slot) & ALL_MASK;
  return count;
}

/** The live agents that have dynamic importers of a buffer. */
export function agentsWithDynamic(segment: Segment, bufferSlot: number): Identity[] {
  const { memory, layout } = segment;
  const words = layout.buffer(bufferSlot) + layout.attachments;
  const agents: Identity[] = [];
  for (let slot = 0; slot < layout.sizes.agents; slot++) {
    const identity = memory.load(words + slot) >>> 16 === 0 ? 0 : liveIn(segment, slot);
    if (identity !== 0) agents.push(identity);
  }
  return agents;
}

/** What the reaper does with the attachments of a dead agent. */
export function sweepAttachments({ memory, layout }: Segment, dead: Identity): void {
  for (let slot = 0; slot < layout.sizes.buffers; slot++) {
    const word = wordOf(layout, slot, dead);
    if (memory.load(word) !== 0) memory.store(word, 0);
  }
}

function wordOf(layout: Segment["layout"], bufferSlot: number, agent: Identity): number {
  return layout.buffer(bufferSlot) + layout.attachments + slotOf(agent);
}
