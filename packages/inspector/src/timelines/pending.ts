import type { DomainSnapshot } from "dmabuf/node";
import { laneKey, type Lane } from "./lane.js";

/** The fences of one timeline that have not signaled, as far as others know of them. */
export interface PendingFences {
  readonly count: number;
  /** When the work of the first of them could begin, monotonic nanoseconds. */
  readonly since: number;
  /** Whether a time limit has ended one whose work may still be at the memory. */
  readonly isOverdue: boolean;
}

/** By the keys of the lanes. */
export function pendingIn(snapshot: DomainSnapshot, lanes: readonly Lane[]): ReadonlyMap<string, PendingFences> {
  const bySlot = new Map(snapshot.timelines.map((timeline) => [timeline.slot, laneKey(timeline)]));
  const lastEnds = new Map(lanes.map(({ key, lastEnd }) => [key, lastEnd]));
  const found = new Map<string, PendingFences>();
  for (const { timeline, since, overdue } of snapshot.fences) {
    const key = timeline === undefined ? undefined : bySlot.get(timeline);
    if (key === undefined) continue;
    const known = found.get(key);
    const begun = Math.max(lastEnds.get(key) ?? 0, since ?? 0) || snapshot.at;
    found.set(key, {
      count: (known?.count ?? 0) + 1,
      since: Math.min(known?.since ?? Infinity, begun),
      isOverdue: overdue || (known?.isOverdue ?? false),
    });
  }
  return found;
}
