import type { TraceEvent, TraceFile } from "dmabuf/node";
import { flowsOf } from "./flows.js";
import { CLOCK, EVENT_TYPE, INCREMENTAL_STATE_CLEARED, Trace } from "./perfetto-schema.js";
import { lanesOf, slicesOf, type Slice } from "./slices.js";

interface Packet {
  /** For the order alone. */
  readonly at: number;
  readonly timestamp?: number;
  readonly [field: string]: unknown;
}

/** What an event's own words do not repeat. */
const PLAIN: ReadonlySet<string> = new Set(["point", "at", "agent", "name"]);

/**
 * The same as a file that Perfetto opens (https://ui.perfetto.dev): processes, in each of them its agents' tracks, and arrows
 * from submissions to signals to the waiters, and from publications to those that took the frames.
 *
 * perfetto.1. Each begin on a track has its end there, and what is between them is within.
 * perfetto.2. The earliest event of an arrow is its submission or publication, since events are in the order of their times.
 */
export function perfettoTrace(files: readonly TraceFile[]): Uint8Array {
  const flows = flowsOf(files);
  const until = Math.max(0, ...files.map(({ events }) => events.at(-1)?.at ?? 0));
  const tracks = new Tracks();
  const packets: Packet[] = [];
  for (const file of files) {
    for (const [track, slices] of byTrack(slicesOf(file, until))) {
      const lanes = lanesOf(slices);
      for (const [i, slice] of slices.entries()) {
        packets.push(...packetsOf(slice, tracks.of(file, track, lanes[i]!), flows));
      }
    }
  }
  packets.sort((one, other) => one.at - other.at);
  const first = { clockSnapshot: clocksOf(files), sequenceFlags: INCREMENTAL_STATE_CLEARED };
  const all = [first, ...tracks.descriptors.map((trackDescriptor) => ({ trackDescriptor })), ...packets];
  return Trace.encode({ packet: all.map((packet) => ({ ...packet, trustedPacketSequenceId: 1 })) }).finish();
}

function byTrack(slices: readonly Slice[]): Map<string, Slice[]> {
  const groups = new Map<string, Slice[]>();
  for (const slice of slices) {
    const group = groups.get(slice.track) ?? [];
    groups.set(slice.track, group);
    group.push(slice);
  }
  return groups;
}

/** What was monotonic is shown with the time of day, too. */
function clocksOf(files: readonly TraceFile[]): object {
  const { startedAt = 0, wallClock = 0 } = files[0] ?? {};
  const clocks = [
    { clockId: CLOCK.MONOTONIC, timestamp: whole(startedAt) },
    { clockId: CLOCK.REALTIME, timestamp: whole(wallClock * 1e6) },
  ];
  return { clocks, primaryTraceClock: CLOCK.MONOTONIC };
}

function packetsOf(
  { name, begin, end, first, last }: Slice,
  trackUuid: number,
  flows: ReadonlyMap<TraceEvent, readonly number[]>,
): Packet[] {
  const categories = [first.point.replace(/:.*/s, "")];
  const packet = (at: number, trackEvent: object): Packet => ({
    at,
    timestamp: whole(at),
    timestampClockId: CLOCK.MONOTONIC,
    trackEvent: { trackUuid, ...trackEvent },
  });
  const beginning = { name, categories, debugAnnotations: annotationsOf(first), flowIds: flows.get(first) ?? [] };
  if (end === undefined) return [packet(begin, { type: EVENT_TYPE.INSTANT, ...beginning })];
  const ending = last === undefined ? [] : (flows.get(last) ?? []);
  // An arrow into the end of a slice goes to a moment of its own there: one into the slice would point at its begin.
  const arrival =
    ending.length === 0 || last?.point !== "fence:wait-end"
      ? []
      : [packet(end, { type: EVENT_TYPE.INSTANT, name: "goes on", categories, flowIds: ending })];
  const annotations = last === undefined ? [{ name: "end", stringValue: "not in the trace" }] : annotationsOf(last);
  return [
    packet(begin, { type: EVENT_TYPE.SLICE_BEGIN, ...beginning }),
    ...arrival,
    packet(end, { type: EVENT_TYPE.SLICE_END, debugAnnotations: annotations }),
  ];
}

function annotationsOf(event: TraceEvent): object[] {
  return Object.entries(event)
    .filter(([name, value]) => value !== undefined && !PLAIN.has(name))
    .map(([name, value]) =>
      typeof value === "number" && Number.isSafeInteger(value)
        ? { name, intValue: value }
        : { name, stringValue: String(value) },
    );
}

function whole(value: number): number {
  return Math.round(value);
}

/** The tracks of a trace: a process, and below it one for each kind of thing that its agents do. */
class Tracks {
  readonly descriptors: object[] = [];
  readonly #uuids = new Map<string, number>();

  /** The number of an agent's track. @param lane From 0 on, where things overlap. */
  of({ agent }: TraceFile, track: string, lane: number): number {
    const process = this.#uuid(`process ${agent.process}`, () => ({
      process: { pid: agent.process, processName: `process ${agent.process}` },
    }));
    const own = this.#uuid(`agent ${agent.identity}`, () => ({ parentUuid: process, name: agent.name }));
    const suffix = lane === 0 ? "" : ` ${lane + 1}`;
    return this.#uuid(`agent ${agent.identity} ${track} ${lane}`, () => ({
      parentUuid: own,
      name: `${track}${suffix}`,
    }));
  }

  #uuid(key: string, describe: () => object): number {
    const known = this.#uuids.get(key);
    if (known !== undefined) return known;
    const described = describe();
    const uuid = this.#uuids.size + 1;
    this.#uuids.set(key, uuid);
    this.descriptors.push({ uuid, ...described });
    return uuid;
  }
}
