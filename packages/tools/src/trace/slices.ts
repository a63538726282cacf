import type { TraceEvent, TraceFile, TracePoint } from "dmabuf/node";

/** Something of an agent that lasted, or a moment of it. Times are monotonic nanoseconds. */
export interface Slice {
  readonly agent: number;
  /** The track that it is on, beside the agent's name. */
  readonly track: string;
  readonly name: string;
  readonly begin: number;
  /** Absent for a moment. */
  end?: number;
  /** What began it, and what ended it. */
  readonly first: TraceEvent;
  last?: TraceEvent;
}

interface Pairing {
  readonly track: string;
  readonly title: string;
  readonly ends: readonly TracePoint[];
  /** What joins the two. */
  readonly key: (event: TraceEvent) => string;
}

const byThing = ({ thing }: TraceEvent): string => thing;
const byId = ({ thing, id }: TraceEvent): string => `${thing} ${id}`;
const byPlace = ({ thing, place }: TraceEvent): string => `${thing} ${place}`;

/** What begins with one point, and ends with another one of the same agent. */
const PAIRINGS: Partial<Readonly<Record<TracePoint, Pairing>>> = {
  "fence:wait-start": { track: "waits", title: "wait for", ends: ["fence:wait-end"], key: byThing },
  "buffer:access-begin": { track: "accesses", title: "access", ends: ["buffer:access-end"], key: byId },
  "buffer:map": { track: "mappings", title: "map", ends: ["buffer:unmap"], key: byId },
  "queue:run": { track: "jobs", title: "job", ends: ["queue:done"], key: byThing },
  "stream:loan": { track: "frames", title: "fill", ends: ["stream:publish", "stream:give-back"], key: byPlace },
  "stream:take": { track: "frames", title: "use", ends: ["stream:give-back"], key: byPlace },
};

const TRACK_OF_KIND: Readonly<Record<string, string>> = {
  fence: "fences",
  buffer: "buffers",
  queue: "jobs",
  stream: "frames",
};

/** What an agent has traced, as slices and moments, in the order of their begins. What has no end lasts until `until`. */
export function slicesOf({ agent, events }: TraceFile, until: number): Slice[] {
  const slices: Slice[] = [];
  const open = new Map<string, Slice[]>();
  for (const event of events) {
    const closed = endedBy(event, open);
    for (const slice of closed) {
      slice.end = event.at;
      slice.last = event;
    }
    const pairing = PAIRINGS[event.point];
    if (pairing !== undefined) {
      const { track, title, key } = pairing;
      const name = [title, event.mode, event.name ?? event.thing].filter((word) => word !== undefined).join(" ");
      const slice: Slice = { agent: agent.identity, track, name, begin: event.at, end: until, first: event };
      slices.push(slice);
      const at = `${event.point} ${key(event)}`;
      open.set(at, [...(open.get(at) ?? []), slice]);
    } else if (closed.length === 0 || MOMENTS.has(event.point)) {
      const track = TRACK_OF_KIND[event.point.replace(/:.*/s, "")] ?? "agent";
      const name = `${event.point} ${event.name ?? ""}`.trim();
      slices.push({ agent: agent.identity, track, name, begin: event.at, first: event });
    }
  }
  return slices.sort((one, other) => one.begin - other.begin);
}

/** Also a moment of its own, where it ends something. */
const MOMENTS: ReadonlySet<TracePoint> = new Set(["stream:publish"]);

function endedBy(event: TraceEvent, open: Map<string, Slice[]>): Slice[] {
  for (const [begin, { ends, key }] of Object.entries(PAIRINGS)) {
    if (!ends.includes(event.point)) continue;
    const at = `${begin} ${key(event)}`;
    const slice = open.get(at)?.shift();
    if (slice !== undefined) return [slice];
  }
  return [];
}

/**
 * Slices of one track that overlap go to tracks of their own: in one, they are beside each other. A moment may be within one.
 *
 * @returns For each slice the number of its track, from 0 on.
 */
export function lanesOf(slices: readonly Slice[]): number[] {
  /** When each lane is free. */
  const free: number[] = [];
  return slices.map(({ begin, end }) => {
    if (end === undefined) return 0;
    const lane = free.findIndex((time) => time <= begin);
    const chosen = lane < 0 ? free.length : lane;
    free[chosen] = end;
    return chosen;
  });
}
