import { liveAgentsIn } from "../domain/agent-slot.js";
import type { Segment } from "../domain/layout.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { isStub, readPoints, type PointElement } from "./point-list.js";
import { SYNCOBJ_SLOTS, syncobjVersion } from "./syncobj-slot.js";

/** A fence of a syncobj, or a point with several. */
export interface SnapshotPoint {
  /** The point's number on the syncobj's timeline, if it is one. */
  readonly point?: number;
  /** Those that are pending, as `context:seqno`. */
  readonly fences: readonly string[];
  /** Whether one of several fences is enough. */
  readonly any: boolean;
}

/** A syncobj that several agents use, as it is at one moment. */
export interface SnapshotSyncobj {
  /** Its place in the table. */
  readonly slot: number;
  /** Which of all syncobjs that ever had the place. */
  readonly generation: number;
  /** The agents that have it, by their identities. */
  readonly holders: readonly number[];
  /** What is in it, the oldest point first. */
  readonly points: readonly SnapshotPoint[];
  /** The agents that are to be rung when a fence comes. */
  readonly awaitedBy: readonly number[];
}

/**
 * All syncobjs that several agents use.
 *
 * @param pending Is told of each fence, and names those that are pending.
 */
export function syncobjsIn(
  segment: Segment,
  pending: (key: FenceKey, slot: number) => string | undefined,
): SnapshotSyncobj[] {
  const { layout } = segment;
  const found: SnapshotSyncobj[] = [];
  for (const key of SYNCOBJ_SLOTS.live(segment)) {
    const base = layout.syncobj(key.slot);
    const elements = tryReadPoints(segment, key.slot);
    const syncobj = {
      ...key,
      holders: liveAgentsIn(segment, base + layout.SYNCOBJ.REFERENCES),
      points: elements.map(({ fences, any, link }) => ({
        ...(link !== undefined && { point: link.seqno }),
        fences: fences
          .map((fence) => (isStub(fence) ? undefined : pending(fence, key.slot)))
          .filter((name) => name !== undefined),
        any,
      })),
      awaitedBy: liveAgentsIn(segment, base + layout.SYNCOBJ.WAITERS),
    };
    if (SYNCOBJ_SLOTS.isLive(segment, key)) found.push(syncobj);
  }
  return found;
}

/** How often a list is read that changes in between. */
const ATTEMPTS = 3;

/** syncobj-slot.5. Nothing if writers are faster each time. */
function tryReadPoints(segment: Segment, slot: number): PointElement[] {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const version = syncobjVersion(segment, slot);
    const elements = readPoints(segment, segment.layout.points(slot, version & 1));
    if (syncobjVersion(segment, slot) === version) return elements;
  }
  return [];
}
