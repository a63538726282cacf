import { liveAgentsIn, ringAll, slotOf, type Member } from "../domain/agent-slot.js";
import { setBit } from "../domain/bits.js";
import { USER_FENCE, type Segment } from "../domain/layout.js";
import { ReferencedTable, type SlotKey } from "../domain/referenced-table.js";
import { readName, writeName } from "../domain/text.js";

/**
 * A user fence in shared memory. It belongs to no agent: it lives while an agent or a handle refers to it
 * (referenced-table.1–referenced-table.5).
 *
 * user-fence-slot.1. SIGNALED becomes 1 by one compare-exchange, of whichever agent comes first, and is 0 again only for
 *     the next fence of the slot.
 * user-fence-slot.2. A waiter sets its bit before it looks; the agent that has signaled takes the bits and rings them. If
 *     it dies in between, its recovery rings all (recovery.7).
 * user-fence-slot.3. A death takes references, and signals nothing: not that of the maker, either.
 */

export const USER_FENCE_SLOTS = new ReferencedTable({
  table: "userFences",
  noun: "user fence",
  action: "create the user fence",
  slot: (layout, slot) => layout.userFence(slot),
  places: (layout) => layout.USER_FENCE,
});

export const USER_FENCE_RECOVERY = [USER_FENCE_SLOTS.recovery];

/**
 * Takes a free slot; the calling agent holds the first reference.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimUserFence(member: Member, name: string): SlotKey {
  const { memory, layout } = member;
  return USER_FENCE_SLOTS.claim(member, (slot) => {
    const base = layout.userFence(slot);
    memory.store(base + USER_FENCE.SIGNALED, 0);
    writeName(memory, base + USER_FENCE.NAME, name);
  });
}

/** Returns whether this call has signaled it. The caller holds a reference, as below. */
export function signalUserFence(segment: Segment, slot: number): boolean {
  const { memory, layout } = segment;
  const base = layout.userFence(slot);
  if (memory.compareExchange(base + USER_FENCE.SIGNALED, 0, 1) !== 0) return false;
  ringAll(segment, base + layout.USER_FENCE.WAITERS);
  return true;
}

export function isUserFenceSignaled({ memory, layout }: Segment, slot: number): boolean {
  return memory.load(layout.userFence(slot) + USER_FENCE.SIGNALED) !== 0;
}

/** Asks that this agent's doorbell rings at the signal. The caller looks again afterwards (user-fence-slot.2). */
export function armUserFence({ memory, layout, identity }: Member, slot: number): void {
  setBit(memory, layout.userFence(slot) + layout.USER_FENCE.WAITERS, slotOf(identity));
}

/** Whether another agent has it, or could get it by a handle in flight. */
export function isUserFenceShared(member: Member, slot: number): boolean {
  const { layout, identity } = member;
  const holders = liveAgentsIn(member, layout.userFence(slot) + layout.USER_FENCE.REFERENCES);
  return holders.some((holder) => holder !== identity) || USER_FENCE_SLOTS.countInflight(member, slot) > 0;
}

export function userFenceName({ memory, layout }: Segment, slot: number): string {
  return readName(memory, layout.userFence(slot) + USER_FENCE.NAME);
}
