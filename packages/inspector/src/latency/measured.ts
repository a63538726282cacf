import type { TraceFile } from "dmabuf/node";
import { spreadOf, type Spread } from "./histogram.js";

/**
 * measured.1. A frame waits from its publication until a consumer takes it, by the traces of both: exact, one clock for all.
 * measured.2. Frames that were dropped, are not taken yet, or whose publication the trace no longer holds are not counted.
 */

/** How long the frames of one stream have waited for one agent. */
export interface MeasuredWait {
  /** `slot.generation`. */
  readonly stream: string;
  readonly agent: number;
  readonly spread: Spread;
}

/** What traces say of the waits of frames. */
export function measuredWaits(files: readonly Pick<TraceFile, "events">[]): MeasuredWait[] {
  const published = new Map<string, number>();
  for (const { events } of files) {
    for (const { point, thing, frame, at } of events) {
      if (point === "stream:publish") published.set(`${thing} ${frame}`, at);
    }
  }
  const waits = new Map<string, { stream: string; agent: number; durations: number[] }>();
  for (const { events } of files) {
    for (const { point, thing, frame, at, agent } of events) {
      const since = point === "stream:take" ? published.get(`${thing} ${frame}`) : undefined;
      if (since === undefined) continue;
      const key = `${thing} ${agent}`;
      const known = waits.get(key) ?? { stream: thing, agent, durations: [] };
      known.durations.push(Math.max(0, at - since));
      waits.set(key, known);
    }
  }
  return [...waits.values()].map(({ stream, agent, durations }) => ({ stream, agent, spread: spreadOf(durations)! }));
}
