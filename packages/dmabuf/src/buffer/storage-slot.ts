import { isLive, type Identity, type Member } from "../domain/agent-slot.js";
import { BUFFER, type Segment } from "../domain/layout.js";
import { PINS } from "./agent-counter.js";

/**
 * Where a buffer's bytes are: its storage has a version, which each move raises, and pins, which forbid to move it.
 *
 * storage-slot.1. Only the exporter's agent moves the storage, with the buffer's write hold and its reservation locked.
 * storage-slot.2. The list of a new version is announced to all agents before VERSION names it. VERSION changes by one
 *     store: a mover that dies before it has moved nothing.
 * storage-slot.3. An agent uses the list that VERSION names, and looks at VERSION while it has a hold, the lock or a
 *     pin. Each of them keeps the mover out; so no agent reads old storage.
 * storage-slot.4. Pins are added under the lock, or without it by adding one and then looking at MOVER. A mover stores
 *     MOVER and then looks at the pins. So one of them sees the other, and gives way.
 * storage-slot.5. MOVER names the mover with its generation: a dead one counts as none. The pins of an agent are a word
 *     that only it changes, and after its death the reaper; they count while it is live.
 */

/** The version of the storage: 0 until it is moved, and never again. */
export function storageVersion({ memory, layout }: Segment, bufferSlot: number): number {
  return memory.load(layout.buffer(bufferSlot) + BUFFER.VERSION);
}

/** Makes the list of this version the buffer's storage. Only the mover may call this. */
export function publishVersion({ memory, layout }: Segment, bufferSlot: number, version: number): void {
  // SYNC POINT announce-before-publish: an agent that finds the version finds another that has its list.
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
export function addPin(member: Member, bufferSlot: number): void {
  PINS.raise(member, bufferSlot, 1);
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

export function dropPin(member: Member, bufferSlot: number): void {
  PINS.lower(member, bufferSlot, 1);
}

/** The live agents that have pinned the storage. */
export function pinners(segment: Segment, bufferSlot: number): Identity[] {
  return [...PINS.agents(segment, bufferSlot, (pins) => pins !== 0)];
}

/** Whether any live agent has pinned the storage. */
export function isPinned(segment: Segment, bufferSlot: number): boolean {
  return PINS.agents(segment, bufferSlot, (pins) => pins !== 0).next().done !== true;
}
