import { isLive, liveAgents, liveIn, slotOf, type Identity, type Member } from "./agent-slot.js";
import { agentsInArray, isArrayTouched, touchArray } from "./agent-array.js";
import { BUFFER, type Segment } from "./layout.js";
import type { RecoveryStep } from "./recovery.js";

/**
 * Where a buffer's bytes stand: its storage has a version, which each move raises, and pins, which forbid to move it.
 *
 * storage-slot.1. Only the exporter's agent moves the storage, with the buffer's write hold and its reservation locked.
 * storage-slot.2. The list of a new version is announced to all agents before VERSION names it. VERSION changes by one
 *      store: a mover that dies before it has moved nothing.
 * storage-slot.3. An agent uses the list that VERSION names, and looks at VERSION while it has a hold, the lock or a
 *      pin. Each of them keeps the mover out; so nobody reads old storage.
 * storage-slot.4. Pins are added under the lock, or without it by adding one and then looking at MOVER. A mover stores
 *      MOVER and then looks at the pins. So one of them sees the other, and gives way.
 * storage-slot.5. MOVER names the mover with its generation: a dead one counts as none. The pins of an agent are a word
 *      that only it changes, and after its death the reaper; they count while it is live.
 */

/** In TOUCHED: the pins' words were used. */
const TOUCHED = 2;

/** How often the storage was moved; wraps. */
export function storageVersion({ memory, layout }: Segment, bufferSlot: number): number {
  return memory.load(layout.buffer(bufferSlot) + BUFFER.VERSION);
}

/** Makes the list of this version the buffer's storage. Only the mover may call this. */
export function publishVersion({ memory, layout }: Segment, bufferSlot: number, version: number): void {
  // SYNC POINT announce-before-publish: whoever finds the version finds somebody who has its list.
  memory.store(layout.buffer(bufferSlot) + BUFFER.VERSION, version);
}

/**
 * Says that the storage is about to move. The caller has the write hold and the lock.
 *
 * @returns False if it is pinned, and must not.
 */
export function beginMove(member: Member, bufferSlot: number): boolean {
  const { memory, layout, identity } = member;
  memory.store(layout.buffer(bufferSlot) + BUFFER.MOVER, identity);
  // SYNC POINT pin-then-look: pairs with tryAddPin().
  if (!isPinned(member, bufferSlot)) return true;
  endMove(member, bufferSlot);
  return false;
}

export function endMove({ memory, layout }: Segment, bufferSlot: number): void {
  memory.store(layout.buffer(bufferSlot) + BUFFER.MOVER, 0);
}

/** Keeps the storage where it is, for a caller that has the lock. */
export function addPin({ memory, layout, identity }: Member, bufferSlot: number): void {
  touchArray({ memory, layout }, bufferSlot, TOUCHED);
  memory.add(pinsOf(layout, bufferSlot, identity), 1);
}

/** As {@link addPin} without the lock; false while the storage is being moved. */
export function tryAddPin(member: Member, bufferSlot: number): boolean {
  const { memory, layout } = member;
  addPin(member, bufferSlot);
  // SYNC POINT pin-then-look: pairs with beginMove().
  const mover = memory.load(layout.buffer(bufferSlot) + BUFFER.MOVER);
  if (mover === 0 || !isLive(member, mover)) return true;
  dropPin(member, bufferSlot);
  return false;
}

export function dropPin({ memory, layout, identity }: Member, bufferSlot: number): void {
  memory.add(pinsOf(layout, bufferSlot, identity), -1);
}

/** Whether anybody alive has pinned the storage. */
export function isPinned(segment: Segment, bufferSlot: number): boolean {
  const { memory, layout } = segment;
  const pins = layout.buffer(bufferSlot) + layout.pins;
  const agents = agentsInArray(segment, bufferSlot, TOUCHED);
  for (let slot = 0; slot < agents; slot++) {
    if (memory.load(pins + slot) === 0 || liveIn(segment, slot) === 0) continue;
    // SYNC POINT sweep-before-free: if that is the slot's next agent, the dead one's pins are gone by now.
    if (memory.load(pins + slot) !== 0) return true;
  }
  return false;
}

/** The live agents that have pinned the storage. */
export function pinners(segment: Segment, bufferSlot: number): Identity[] {
  const { memory, layout } = segment;
  const pins = layout.buffer(bufferSlot) + layout.pins;
  return [...liveAgents(segment)].filter((identity) => memory.load(pins + slotOf(identity)) !== 0);
}

export const PIN_RECOVERY: RecoveryStep = {
  table: "buffers",
  sweep(segment, slot, dead) {
    if (!isArrayTouched(segment, slot, TOUCHED)) return;
    const word = pinsOf(segment.layout, slot, dead);
    if (segment.memory.load(word) !== 0) segment.memory.store(word, 0);
  },
};

function pinsOf(layout: Segment["layout"], bufferSlot: number, agent: Identity): number {
  return layout.buffer(bufferSlot) + layout.pins + slotOf(agent);
}
