import { buffersIn, type SnapshotBuffer } from "../../buffer/buffer-snapshot.js";
import { copiesIn, type SnapshotCopy } from "../../buffer/copy-snapshot.js";
import type { Identity } from "../../domain/agent-slot.js";
import { ORDER, ORDER_PHASE, ORDER_STATE, REQUEST, REQUEST_PHASE, REQUEST_STATE } from "../../domain/layout.js";
import { protocolOf } from "../../domain/segment-protocol.js";
import { tablesIn, type SnapshotTable } from "../../domain/table-snapshot.js";
import { usedSlots } from "../../domain/table.js";
import { storedActivities } from "../../explain/activity-slot.js";
import { PendingFences, type SnapshotFence } from "../../explain/fence-snapshot.js";
import { activitiesIn, type SnapshotWait } from "../../explain/wait-snapshot.js";
import { syncobjsIn, type SnapshotSyncobj } from "../../fence/syncobj-snapshot.js";
import { timelinesIn, type SnapshotTimeline } from "../../fence/timeline-snapshot.js";
import { userFencesIn, type SnapshotUserFence } from "../../fence/user-fence-snapshot.js";
import type { Protocol } from "../../protocol/protocol.js";
import { streamsIn, type SnapshotStream } from "../../stream/stream-snapshot.js";
import { findAgents, HOST, lives, type ProcessOf } from "./observed-agents.js";
import type { ObservedSegment } from "./observed-segment.js";

/** One agent of a domain, in a snapshot. */
export interface SnapshotAgent {
  /** By this number the other parts of a snapshot name it. No other agent of the domain ever has it. */
  readonly identity: number;
  /** The agent's name, for people. */
  readonly name: string;
  /** The number of its process; none if it is dead, or in a process that this one may not look into. */
  readonly process?: number;
  /** "stopped": its process is, by a signal or a debugger. "dead": its thread or its process has ended. */
  readonly state: "live" | "stopped" | "dead";
}

/**
 * A domain as it is at about one moment: plain data, for JSON and `postMessage()` as it is. Each part is read by itself
 * while the agents go on, so that what one part names may be missing in another.
 */
export interface DomainSnapshot {
  /** That of the form of this object. */
  readonly version: 1;
  /** The domain, as its handles name it. */
  readonly domain: string;
  /** When the look began, in monotonic nanoseconds. */
  readonly at: number;
  /** The same moment in milliseconds since 1970. */
  readonly wallClock: number;
  /** The agents that have joined and not left, and the dead whose places no other has taken. */
  readonly agents: readonly SnapshotAgent[];
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

/** Options of `DomainObserver.snapshot()`. */
export interface SnapshotOptions {
  /**
   * Completions of timelines up to this time are left out: mostly the `at` of the snapshot before, in monotonic nanoseconds.
   * Default 0: all that are kept.
   */
  readonly since?: number;
}

/** Reads a domain's tables, each once. */
export function snapshotOf(segment: ObservedSegment, processOf: ProcessOf, since: number): DomainSnapshot {
  const at = HOST.nowNs();
  const wallClock = Date.now();
  const agents = findAgents(segment, processOf);
  const view = { memory: segment.memory, layout: segment.layout, protocol: withLives(segment, agents) };
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
    agents: agents.length,
    buffers: buffers.length,
    timelines: timelines.length,
    oneShots,
    streams: streams.length,
    requests: requestsIn(segment),
    syncobjs: syncobjs.length,
    userFences: userFences.length,
    orders: ordersIn(segment),
    activities: entries.length,
    copies: copies.length,
  };
  return {
    version: 1,
    domain: segment.domain,
    at,
    wallClock,
    agents: agents.map(({ identity, name, process, state }) => ({
      identity,
      name,
      ...(process !== undefined && { process }),
      state,
    })),
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

/** The protocols with what the kernel says of agents, which is asked once for each of them (domain-observer.3). */
function withLives(
  segment: ObservedSegment,
  agents: readonly { readonly identity: Identity; readonly state: string }[],
): Protocol {
  const known = new Map(agents.map(({ identity, state }) => [identity, Number(state !== "dead")]));
  const isLive = (identity: Identity): number => {
    const state = known.get(identity) ?? Number(lives(segment, identity));
    known.set(identity, state);
    return state;
  };
  return Object.create(protocolOf(segment), { isLive: { value: isLive } }) as Protocol;
}

function placesOf(streams: readonly SnapshotStream[]): Map<number, { stream: number; place: number }> {
  return new Map(
    streams.flatMap(({ slot: stream, places }) => places.map(({ slot }, place) => [slot, { stream, place }] as const)),
  );
}

function requestsIn(segment: ObservedSegment): number {
  return takenIn(segment, "requests", (slot) => {
    const word = segment.memory.load64(segment.layout.request(slot) + REQUEST.STATE);
    return REQUEST_STATE.phase.in(word) !== REQUEST_PHASE.FREE;
  });
}

function ordersIn(segment: ObservedSegment): number {
  return takenIn(segment, "orders", (slot) => {
    const word = segment.memory.load64(segment.layout.order(slot) + ORDER.STATE);
    return ORDER_STATE.phase.in(word) !== ORDER_PHASE.FREE;
  });
}

function takenIn(segment: ObservedSegment, table: "requests" | "orders", isTaken: (slot: number) => boolean): number {
  let count = 0;
  for (let slot = 0; slot < usedSlots(segment, table); slot++) if (isTaken(slot)) count++;
  return count;
}
