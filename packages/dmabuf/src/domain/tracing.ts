import type { Identity } from "./agent-slot.js";
import type { FenceKey } from "./timeline-slot.js";
import { POINT, type TracePoint } from "./trace-points.js";

export { POINT };

/**
 * The one hook of all that is traced.
 *
 * tracing.1. A point is one look whether its agent has a tracer, which it has while a sink listens to it; the tracer says whether
 *     a sink wants the point: `agent.tracer?.stream("stream:take", …)`, or `if (traces(agent, POINT["fence:init"])) trace(…)`. So
 *     nothing is read, made or called for what no sink listens to.
 * tracing.2. There are two sinks: the agent's ring, and the channel of `node:diagnostics_channel` with the point's name, where
 *     there is that module. A subscriber runs in the call in which the event happens, and in its asynchronous context.
 * tracing.3. No sink makes a call of the library fail. What a subscriber throws is the runtime's to report.
 */

/** Tells the sinks what happens in an agent. */
export interface Tracer {
  /** Whether a sink wants what happens at a point. @param point A number of `POINT`. */
  wants(point: number): boolean;
  /**
   * Tells of an event.
   *
   * @param thing What it has happened to, as `eventFrom()` reads it, and so the others.
   * @param at When, in monotonic nanoseconds. Default: now.
   */
  tell(point: number, thing: number, number: number, detail: number, name: string | undefined, at?: number): void;
  /** Tells of what happens to a stream, if a sink wants it. @param place In the ring, 0 for none. */
  stream(point: TracePoint, stream: TracedStream, number?: number, place?: number, at?: number): void;
  /** Tells of what happens to an agent, if a sink wants it. */
  agent(point: TracePoint, identity: Identity): void;
  /** Tells that this agent ends a fence whose time limit has passed, if a sink wants it. */
  timesOut(key: FenceKey, at: number): void;
}

/** What is traced of a stream. */
export interface TracedStream {
  readonly key: { readonly slot: number; readonly generation: number };
  readonly name: string;
}

/** Something of an agent's that is traced. */
export interface Traced {
  readonly tracer: Tracer | undefined;
}

/** Whether a sink wants what happens at a point. @param point A number of `POINT`. */
export function traces({ tracer }: Traced, point: number): boolean {
  return tracer !== undefined && tracer.wants(point);
}

/** As {@link Tracer.tell}; {@link traces} has said that a sink wants it. */
export function trace(
  { tracer }: Traced,
  point: number,
  thing: number,
  number: number,
  detail: number,
  name: string | undefined,
  at?: number,
): void {
  tracer!.tell(point, thing, number, detail, name, at);
}
