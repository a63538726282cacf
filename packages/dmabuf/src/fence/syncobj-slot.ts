import { DmaBufError } from "../errors.js";
import type { Agent } from "../domain/agent.js";
import { ringAll, slotOf, type Member } from "../domain/agent-slot.js";
import { setBit } from "../domain/bits.js";
import { SYNCOBJ, SYNCOBJ_FENCES, type Segment } from "../domain/layout.js";
import { countFences, readPoints, withPoint, writePoints, type PointElement, type PointFences } from "./point-list.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { ReferencedTable, type SlotKey } from "../domain/referenced-table.js";
import { openShortLock, shortlyLocked } from "../domain/short-lock.js";
import { allocateContexts } from "../domain/timeline-slot.js";

/**
 * A syncobj that several agents use. It belongs to no agent: it lives while an agent or a handle holds it
 * (referenced-table.1–referenced-table.5).
 *
 * syncobj-slot.4. Its fences are stored in two copies, of which PUBLISHED says the valid one. Only the holder of LOCK
 *     writes, only the copy that is not valid, and publishes it by one store: a change is there as a whole or not at
 *     all.
 * syncobj-slot.5. A reader takes no lock: what it read counts if PUBLISHED is the same after it.
 * syncobj-slot.6. LOCK is a short lock, see short-lock.ts: no agent waits long for it, and not at all for a dead one.
 * syncobj-slot.7. A waiter sets its bit before it looks; the agent that has published a fence takes the bits
 *     and rings them.
 */

const READ_ATTEMPTS = 8;

export const SYNCOBJ_SLOTS = new ReferencedTable({
  table: "syncobjs",
  noun: "syncobj",
  action: "share the syncobj",
  slot: (layout, slot) => layout.syncobj(slot),
  places: (layout) => layout.SYNCOBJ,
});

/**
 * Takes a free slot; the calling agent holds the first reference.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken, or if there is no room for so many fences.
 */
export function claimSyncobj(member: Member, elements: readonly PointElement[]): SlotKey {
  checkRoom(elements);
  return SYNCOBJ_SLOTS.claim(member, (slot) => publish(member, slot, elements));
}

/** Changes with each change of the fences. */
export function syncobjVersion({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.syncobj(slot) + SYNCOBJ.PUBLISHED);
}

/** The fences as of one instant, and their version. The caller holds a reference, as below. */
export function readSyncobj(agent: Agent, slot: number): { version: number; elements: PointElement[] } {
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
    const version = syncobjVersion(agent, slot);
    const elements = readPoints(agent, agent.layout.points(slot, version & 1));
    // SYNC POINT copy-before-publish: pairs with publish().
    if (syncobjVersion(agent, slot) === version) return { version, elements };
  }
  // Writers are faster than this reader: keep them out for a moment.
  return locked(agent, slot, () => {
    const version = syncobjVersion(agent, slot);
    return { version, elements: readPoints(agent, agent.layout.points(slot, version & 1)) };
  });
}

/**
 * Puts other fences in the place of those that were there.
 *
 * @throws {DmaBufError} `ENOSPC` if there is no room for so many; `EBUSY` if another agent has stopped in a change.
 */
export function replaceSyncobj(agent: Agent, slot: number, elements: readonly PointElement[]): void {
  checkRoom(elements);
  locked(agent, slot, () => publish(agent, slot, elements));
  if (elements.length > 0) ringAll(agent, agent.layout.syncobj(slot) + agent.layout.SYNCOBJ.WAITERS);
}

/** Adds a point on top of what is there. Errors as {@link replaceSyncobj}. */
export function addSyncobjPoint(agent: Agent, slot: number, seqno: number, fences: PointFences): void {
  const { layout } = agent;
  locked(agent, slot, () => {
    const present = readPoints(agent, layout.points(slot, syncobjVersion(agent, slot) & 1));
    const elements = withPoint(agent, present, seqno, fences, () => allocateContexts(agent, 1));
    checkRoom(elements);
    publish(agent, slot, elements);
  });
  ringAll(agent, layout.syncobj(slot) + layout.SYNCOBJ.WAITERS);
}

/** Asks that this agent's doorbell rings when a fence comes. The caller looks again afterwards (syncobj-slot.7). */
export function armSyncobj({ memory, layout, identity }: Member, slot: number): void {
  setBit(memory, layout.syncobj(slot) + layout.SYNCOBJ.WAITERS, slotOf(identity));
}

export const SYNCOBJ_RECOVERY: readonly RecoveryStep[] = [
  {
    table: "syncobjs",
    // Woken even if it is open: the dead agent may not have come to that.
    release: (segment, slot, dead) => openShortLock(segment, lockOf(segment, slot), dead),
  },
  SYNCOBJ_SLOTS.recovery,
];

function checkRoom(elements: readonly PointElement[]): void {
  const count = countFences(elements);
  if (count <= SYNCOBJ_FENCES) return;
  throw new DmaBufError(
    "ENOSPC",
    `Cannot put ${count} fences in the syncobj: one that several threads use has room for ${SYNCOBJ_FENCES} that are pending`,
  );
}

function publish(segment: Segment, slot: number, elements: readonly PointElement[]): void {
  const { memory, layout } = segment;
  const published = layout.syncobj(slot) + SYNCOBJ.PUBLISHED;
  const version = (memory.load(published) + 1) | 0;
  writePoints(segment, layout.points(slot, version & 1), elements);
  // SYNC POINT copy-before-publish: a reader that sees the new version finds the copy complete.
  memory.store(published, version);
}

function locked<T>(agent: Agent, slot: number, run: () => T): T {
  const version = (): number => syncobjVersion(agent, slot);
  return shortlyLocked(agent, { word: lockOf(agent, slot), noun: "syncobj", version }, run);
}

function lockOf({ layout }: Segment, slot: number): number {
  return layout.syncobj(slot) + SYNCOBJ.LOCK;
}
