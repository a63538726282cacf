import { streamThing } from "../domain/trace-points.js";
import { trace } from "../domain/tracing.js";
import type { StreamParts } from "./stream-parts.js";

/** Tells of what happens to a stream; `traces()` has said that it is wanted. @param place In the ring, 0 for none. */
export function traceStream({ agent, key, name }: StreamParts, point: number, number = 0, place = 0): void {
  trace(agent, point, streamThing(key.slot, key.generation), number, place, name);
}
