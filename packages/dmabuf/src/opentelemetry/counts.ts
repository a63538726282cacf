import type { Attributes, Histogram, Meter, Observable, ObservableResult } from "@opentelemetry/api";
import { copiedBytes } from "../buffer/copies.js";
import type { TraceMessage, TracePoint } from "../domain/trace-points.js";
import type { Durations, SpanName } from "./spans.js";

/** The counters: what adds to which, and with which attribute. */
const COUNTED: { readonly [Point in TracePoint]?: readonly [name: string, attributes?: Attributes] } = {
  "fence:signaled": ["dmabuf.fence.signals"],
  "stream:publish": ["dmabuf.stream.frames", { "dmabuf.stream.event": "published" }],
  "stream:take": ["dmabuf.stream.frames", { "dmabuf.stream.event": "taken" }],
  "stream:drop": ["dmabuf.stream.frames", { "dmabuf.stream.event": "missed" }],
  "queue:done": ["dmabuf.queue.jobs"],
  "validator:report": ["dmabuf.validator.reports"],
};

/** The gauges: what adds one, and what takes it away. */
const PRESENT: { readonly [Point in TracePoint]?: readonly [name: string, change: 1 | -1] } = {
  "queue:push": ["dmabuf.queue.pending", 1],
  "queue:done": ["dmabuf.queue.pending", -1],
  "fence:wait-start": ["dmabuf.wait.active", 1],
  "fence:wait-end": ["dmabuf.wait.active", -1],
};

const COUNTERS: readonly (readonly [name: string, unit: string, description: string])[] = [
  ["dmabuf.fence.signals", "{fence}", "Times that fences were signaled"],
  ["dmabuf.stream.frames", "{frame}", "Frames that were published, taken, or missed by a consumer"],
  ["dmabuf.queue.jobs", "{job}", "Jobs that have ended"],
  ["dmabuf.validator.reports", "{report}", "Mistakes that the validator has reported"],
];
const GAUGES: readonly (readonly [name: string, unit: string, description: string])[] = [
  ["dmabuf.queue.pending", "{job}", "Jobs that were submitted and have not ended"],
  ["dmabuf.wait.active", "{wait}", "Waits for fences that have begun and not ended"],
];

/** By a set of attributes, as text. */
type Series = Map<string, { readonly attributes: Attributes; value: number }>;

/** Counts for the metrics, which are asked for what was counted. */
export class Counts implements Durations {
  readonly #series = new Map<string, Series>();
  /** The buffers that this thread holds, and how many bytes they have. */
  readonly #buffers = new Map<string, number>();
  readonly #durations = new Map<SpanName, Histogram>();
  readonly #observed: { readonly metric: Observable; readonly observe: (result: ObservableResult) => void }[] = [];

  constructor(meter: Meter) {
    for (const [name, unit, description] of COUNTERS) {
      this.#observe(meter.createObservableCounter(name, { unit, description }), (result) => this.#tell(name, result));
    }
    for (const [name, unit, description] of GAUGES) {
      this.#observe(meter.createObservableGauge(name, { unit, description }), (result) => this.#tell(name, result));
    }
    const copied = { unit: "By", description: "Bytes that the library has copied" };
    this.#observe(meter.createObservableCounter("dmabuf.copied", copied), (result) => result.observe(copiedBytes()));
    const held = { unit: "{buffer}", description: "Buffers that this thread holds" };
    this.#observe(meter.createObservableGauge("dmabuf.buffer.count", held), (result) =>
      result.observe(this.#buffers.size),
    );
    const bytes = { unit: "By", description: "Bytes of the buffers that this thread holds" };
    this.#observe(meter.createObservableGauge("dmabuf.buffer.usage", bytes), (result) =>
      result.observe([...this.#buffers.values()].reduce((sum, size) => sum + size, 0)),
    );
    for (const what of ["dmabuf.fence.wait", "dmabuf.buffer.access", "dmabuf.queue.job"] as const) {
      this.#durations.set(what, meter.createHistogram(`${what}.duration`, { unit: "s" }));
    }
  }

  told(message: TraceMessage): void {
    const { point, domain, count = 1, error, code } = message;
    const counted = COUNTED[point];
    if (counted !== undefined) {
      const type = error ?? code;
      const attributes = {
        "dmabuf.domain.id": domain,
        ...counted[1],
        ...(type === undefined ? {} : { "error.type": type }),
      };
      this.#add(counted[0], attributes, count);
    }
    const present = PRESENT[point];
    if (present !== undefined) this.#add(present[0], { "dmabuf.domain.id": domain }, present[1]);
    if (point === "buffer:export" || point === "buffer:import")
      this.#buffers.set(bufferOf(message), message.bytes ?? 0);
    else if (point === "buffer:release") this.#buffers.delete(bufferOf(message));
  }

  took(what: SpanName, seconds: number, attributes: Attributes): void {
    this.#durations.get(what)?.record(seconds, attributes);
  }

  close(): void {
    for (const { metric, observe } of this.#observed) metric.removeCallback(observe);
  }

  #observe(metric: Observable, observe: (result: ObservableResult) => void): void {
    metric.addCallback(observe);
    this.#observed.push({ metric, observe });
  }

  #tell(name: string, result: ObservableResult): void {
    for (const { value, attributes } of this.#series.get(name)?.values() ?? []) result.observe(value, attributes);
  }

  #add(name: string, attributes: Attributes, amount: number): void {
    const series: Series = this.#series.get(name) ?? new Map<string, never>();
    this.#series.set(name, series);
    const key = JSON.stringify(attributes);
    const one = series.get(key) ?? { attributes, value: 0 };
    series.set(key, one);
    // What began before anything was listened to ends, too.
    one.value = Math.max(0, one.value + amount);
  }
}

function bufferOf({ domain, agent, inode }: TraceMessage): string {
  return `${domain} ${agent} ${inode}`;
}
