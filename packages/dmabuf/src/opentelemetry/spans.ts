import { SpanStatusCode, type Attributes, type HrTime, type Span, type Tracer } from "@opentelemetry/api";
import type { TraceMessage, TracePoint } from "../domain/trace-points.js";

/** Hears how long what has ended took. */
export interface Durations {
  took(what: SpanName, seconds: number, attributes: Attributes): void;
}

export type SpanName = "dmabuf.fence.wait" | "dmabuf.buffer.access" | "dmabuf.buffer.move" | "dmabuf.queue.job";

/** What begins, and what ends it. */
const BEGINS: { readonly [Point in TracePoint]?: SpanName } = {
  "fence:wait-start": "dmabuf.fence.wait",
  "buffer:access-begin": "dmabuf.buffer.access",
  "queue:push": "dmabuf.queue.job",
};
const ENDS: { readonly [Point in TracePoint]?: SpanName } = {
  "fence:wait-end": "dmabuf.fence.wait",
  "buffer:access-end": "dmabuf.buffer.access",
  "queue:done": "dmabuf.queue.job",
};

interface OpenSpan {
  readonly span: Span;
  readonly what: SpanName;
  readonly begin: TraceMessage;
}

/** Spans of what lasts. A channel tells in the context of the call, so that the parent is what is active there. */
export class Spans {
  readonly #tracer: Tracer;
  readonly #durations: Durations;
  /** By what joins a begin and its end; waits of one agent for one fence have no number: the oldest ends first. */
  readonly #open = new Map<string, OpenSpan[]>();

  constructor(tracer: Tracer, durations: Durations) {
    this.#tracer = tracer;
    this.#durations = durations;
  }

  told(message: TraceMessage): void {
    const { point, domain, agent } = message;
    const [begins, ends] = [BEGINS[point], ENDS[point]];
    if (begins !== undefined) this.#begin(begins, message);
    else if (ends !== undefined) this.#end(ends, message);
    else if (point === "queue:run")
      this.#open.get(keyOf("dmabuf.queue.job", message))?.[0]?.span.addEvent("run", timeOf(message.at));
    else if (point === "buffer:move") this.#moved(message);
    else if (point === "agent:leave") this.#endAll((begin) => begin.domain === domain && begin.agent === agent);
  }

  close(): void {
    this.#endAll(() => true);
  }

  #begin(what: SpanName, begin: TraceMessage): void {
    const span = this.#tracer.startSpan(what, { startTime: timeOf(begin.at), attributes: attributesOf(begin) });
    const key = keyOf(what, begin);
    const open = this.#open.get(key);
    if (open === undefined) this.#open.set(key, [{ span, what, begin }]);
    else open.push({ span, what, begin });
  }

  /** One that began before anything was listened to has no span. */
  #end(what: SpanName, end: TraceMessage): void {
    const key = keyOf(what, end);
    const open = this.#open.get(key);
    const first = open?.shift();
    if (open?.length === 0) this.#open.delete(key);
    if (first === undefined) return;
    const { span, begin } = first;
    const { result, error = result === "timed-out" ? "ETIMEDOUT" : result === "failed" ? "_OTHER" : undefined } = end;
    if (result !== undefined) span.setAttribute("dmabuf.wait.result", result);
    fail(span, error);
    span.end(timeOf(end.at));
    const { "dmabuf.buffer.access.mode": mode } = attributesOf(begin);
    this.#durations.took(what, (end.at - begin.at) / 1e9, {
      ...(mode === undefined ? {} : { "dmabuf.buffer.access.mode": mode }),
      ...(error === undefined ? {} : { "error.type": error }),
    });
  }

  #moved(message: TraceMessage): void {
    const { at, ns = 0 } = message;
    const attributes = attributesOf(message);
    this.#tracer.startSpan("dmabuf.buffer.move", { startTime: timeOf(at - ns), attributes }).end(timeOf(at));
  }

  #endAll(isMeant: (begin: TraceMessage) => boolean): void {
    for (const [key, open] of this.#open) {
      for (const { span, begin } of open) {
        if (!isMeant(begin)) continue;
        fail(span, "ECANCELED");
        span.end();
      }
      const rest = open.filter(({ begin }) => !isMeant(begin));
      if (rest.length === 0) this.#open.delete(key);
      else this.#open.set(key, rest);
    }
  }
}

function fail(span: Span, error: string | undefined): void {
  if (error === undefined) return;
  span.setAttribute("error.type", error);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function keyOf(what: SpanName, { domain, agent, thing, id = 0 }: TraceMessage): string {
  return `${what} ${domain} ${agent} ${thing} ${id}`;
}

/** What an event is about, as attributes. */
function attributesOf({ domain, agent, point, name, context, seqno, inode, mode }: TraceMessage): Attributes {
  const kind = point.slice(0, point.indexOf(":"));
  const named = kind === "fence" ? "dmabuf.timeline.name" : `dmabuf.${kind}.name`;
  return {
    "dmabuf.domain.id": domain,
    "dmabuf.agent.id": agent,
    ...(name === undefined ? {} : { [named]: name }),
    ...(context === undefined ? {} : { "dmabuf.fence.context": context }),
    ...(seqno === undefined ? {} : { "dmabuf.fence.seqno": seqno }),
    ...(inode === undefined ? {} : { "dmabuf.buffer.inode": inode }),
    ...(mode === undefined ? {} : { "dmabuf.buffer.access.mode": mode }),
  };
}

/** Of monotonic nanoseconds, the wall clock's time as the SDK takes it. */
function timeOf(at: number): HrTime {
  const ns = at + OFFSET_NS;
  const seconds = Math.floor(ns / 1e9);
  return [seconds, Math.round(ns - seconds * 1e9)];
}

/** Between the two clocks, measured as the SDK does it. */
const OFFSET_NS = (performance.timeOrigin + performance.now()) * 1e6 - Number(process.hrtime.bigint());
