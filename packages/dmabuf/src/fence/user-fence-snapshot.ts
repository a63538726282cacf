import { liveAgentsIn } from "../domain/agent-slot.js";
import type { Segment } from "../domain/layout.js";
import { isUserFenceSignaled, USER_FENCE_SLOTS, userFenceName } from "./user-fence-slot.js";

/** A user fence as it is at one moment. */
export interface SnapshotUserFence {
  /** Its place in the table. */
  readonly slot: number;
  /** Which of all user fences that ever had the place. */
  readonly generation: number;
  /** Its name, for people. */
  readonly name: string;
  /** Whether it has signaled. */
  readonly signaled: boolean;
  /** The agents that have it, by their identities: any of them may signal it. */
  readonly holders: readonly number[];
  /** The agents that are to be rung when it signals. */
  readonly awaitedBy: readonly number[];
}

/** All user fences of a domain. */
export function userFencesIn(segment: Segment): SnapshotUserFence[] {
  const { layout } = segment;
  const found: SnapshotUserFence[] = [];
  for (const key of USER_FENCE_SLOTS.live(segment)) {
    const base = layout.userFence(key.slot);
    const fence = {
      ...key,
      name: userFenceName(segment, key.slot),
      signaled: isUserFenceSignaled(segment, key.slot),
      holders: liveAgentsIn(segment, base + layout.USER_FENCE.REFERENCES),
      awaitedBy: liveAgentsIn(segment, base + layout.USER_FENCE.WAITERS),
    };
    if (USER_FENCE_SLOTS.isLive(segment, key)) found.push(fence);
  }
  return found;
}
