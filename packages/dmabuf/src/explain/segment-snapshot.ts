import { buffersIn, type SnapshotBuffer } from "../buffer/buffer-snapshot.js";
import { copiesIn, type SnapshotCopy } from "../buffer/copy-snapshot.js";
import {
  ORDER,
  ORDER_PHASE,
  ORDER_STATE,
  REQUEST,
  REQUEST_PHASE,
  REQUEST_STATE,
  type Segment,
} from "../domain/layout.js";
import { tablesIn, type SnapshotTable } from "../domain/table-snapshot.js";
import { usedSlots } from "../domain/table.js";
import { syncobjsIn, type SnapshotSyncobj } from "../fence/syncobj-snapshot.js";
import { timelinesIn, type SnapshotTimeline } from "../fence/timeline-snapshot.js";
import { userFencesIn, type SnapshotUserFence } from "../fence/user-fence-snapshot.js";
import { streamsIn, type SnapshotStream } from "../stream/stream-snapshot.js";
import { storedActivities } from "./activity-slot.js";
import { PendingFences, type SnapshotFence } from "./fence-snapshot.js";
import { activitiesIn, type SnapshotWait } from "./wait-snapshot.js";

/** What the control segment says of a domain at about one moment, but for its agents. */
export interface SegmentSnapshot {
  /** All that are held by an agent or a handle. */
  readonly buffers: readonly SnapshotBuffer[];
  /** All that were not given back. */
  readonly timelines: readonly SnapshotTimeline[];
  /** The fences that are not over and that agents have named to each other. */
  readonly fences: readonly SnapshotFence[];
  /** All that are held by an agent or a handle. */
  readonly userFences: readonly SnapshotUserFence[];
  /** Those that several agents use. */
  readonly syncobjs: readonly SnapshotSyncobj[];
  /** All that have a producer or a consumer. */
  readonly streams: readonly SnapshotStream[];
  /** What agents hold and wait for. */
  readonly waits: readonly SnapshotWait[];
  /** What the library itself has copied. */
  readonly copies: readonly SnapshotCopy[];
  /** How full the tables of the domain are. */
  readonly tables: readonly SnapshotTable[];
}

/**
 * Reads the tables of a control segment, each once, by shared words alone.
 *
 * @param agents How many there are.
 * @param since Completions of timelines up to this time are left out.
 */
export function readSegment(view: Segment, agents: number, since: number): SegmentSnapshot {
  const timelines = timelinesIn(view, since);
  const streams = streamsIn(view);
  const fences = new PendingFences(view, timelines);
  const places = placesOf(streams);
  const buffers = buffersIn(
    view,
    (key, use) => fences.inBuffer(key, use),
    (slot) => places.get(slot),
  );
  const syncobjs = syncobjsIn(view, (key, slot) => fences.inSyncobj(key, slot));
  const oneShots = fences.addOneShots();
  const entries = storedActivities(view);
  fences.addActivities(entries);
  fences.addWaiters();
  const copies = copiesIn(view);
  const userFences = userFencesIn(view);
  const used = {
    agents,
    buffers: buffers.length,
    timelines: timelines.length,
    oneShots,
    streams: streams.length,
    requests: requestsIn(view),
    syncobjs: syncobjs.length,
    userFences: userFences.length,
    orders: ordersIn(view),
    activities: entries.length,
    copies: copies.length,
  };
  return {
    buffers,
    timelines,
    fences: fences.all,
    userFences,
    syncobjs,
    streams,
    waits: activitiesIn({ ...view, entries, identity: 0 }, fences),
    copies,
    tables: tablesIn(view, used),
  };
}

function placesOf(streams: readonly SnapshotStream[]): Map<number, { stream: number; place: number }> {
  return new Map(
    streams.flatMap(({ slot: stream, places }) => places.map(({ slot }, place) => [slot, { stream, place }] as const)),
  );
}

function requestsIn(segment: Segment): number {
  return takenIn(segment, "requests", (slot) => {
    const word = segment.memory.load64(segment.layout.request(slot) + REQUEST.STATE);
    return REQUEST_STATE.phase.in(word) !== REQUEST_PHASE.FREE;
  });
}

function ordersIn(segment: Segment): number {
  return takenIn(segment, "orders", (slot) => {
    const word = segment.memory.load64(segment.layout.order(slot) + ORDER.STATE);
    return ORDER_STATE.phase.in(word) !== ORDER_PHASE.FREE;
  });
}

function takenIn(segment: Segment, table: "requests" | "orders", isTaken: (slot: number) => boolean): number {
  let count = 0;
  for (let slot = 0; slot < usedSlots(segment, table); slot++) if (isTaken(slot)) count++;
  return count;
}
