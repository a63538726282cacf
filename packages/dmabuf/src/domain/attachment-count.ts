import { liveIn, slotOf, type Identity, type Member } from "./agent-slot.js";
import { agentsInArray, isArrayTouched, touchArray } from "./agent-array.js";
import type { Segment } from "./layout.js";
import type { RecoveryStep } from "./recovery.js";

/**
 * How many importers are attached to a buffer: one word an agent, which only that agent changes, and after its death
 * the reaper.
 */

const DYNAMIC = 1 << 16;
const ALL_MASK = 0xffff;

/** In TOUCHED: these words were used. */
const TOUCHED = 1;

export function countAttachment({ memory, layout, identity }: Member, bufferSlot: number, isDynamic: boolean): void {
  touchArray({ memory, layout }, bufferSlot, TOUCHED);
  memory.add(wordOf(layout, bufferSlot, identity), isDynamic ? DYNAMIC + 1 : 1);
}

export function discountAttachment({ memory, layout, identity }: Member, bufferSlot: number, isDynamic: boolean): void {
  memory.add(wordOf(layout, bufferSlot, identity), isDynamic ? -(DYNAMIC + 1) : -1);
}

/** Importers attached in all agents. */
export function attachmentCount(segment: Segment, bufferSlot: number): number {
  const { memory, layout } = segment;
  let count = 0;
  const words = layout.buffer(bufferSlot) + layout.attachments;
  const agents = agentsInArray(segment, bufferSlot, TOUCHED);
  for (let slot = 0; slot < agents; slot++) count += memory.load(words + slot) & ALL_MASK;
  return count;
}

/** The live agents that have dynamic importers of a buffer. */
export function agentsWithDynamic(segment: Segment, bufferSlot: number): Identity[] {
  const { memory, layout } = segment;
  const words = layout.buffer(bufferSlot) + layout.attachments;
  const agents: Identity[] = [];
  const used = agentsInArray(segment, bufferSlot, TOUCHED);
  for (let slot = 0; slot < used; slot++) {
    const identity = memory.load(words + slot) >>> 16 === 0 ? 0 : liveIn(segment, slot);
    if (identity !== 0) agents.push(identity);
  }
  return agents;
}

export const ATTACHMENT_RECOVERY: RecoveryStep = {
  table: "buffers",
  sweep(segment, slot, dead) {
    if (!isArrayTouched(segment, slot, TOUCHED)) return;
    const word = wordOf(segment.layout, slot, dead);
    if (segment.memory.load(word) !== 0) segment.memory.store(word, 0);
  },
};

function wordOf(layout: Segment["layout"], bufferSlot: number, agent: Identity): number {
  return layout.buffer(bufferSlot) + layout.attachments + slotOf(agent);
}
