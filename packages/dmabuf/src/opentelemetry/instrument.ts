import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { metrics, trace, type Meter, type Tracer } from "@opentelemetry/api";
import { checkOptions, isObject, type Kind, type Kinds } from "../arguments.js";
import { TRACE_POINTS, type TraceMessage } from "../domain/trace-points.js";
import { openChannels } from "../trace/channels.js";
import { Counts } from "./counts.js";
import { Spans } from "./spans.js";

/** Options of {@link instrument}. */
export interface InstrumentOptions {
  /** Makes the spans. Default: that of the global provider, with the name "dmabuf". */
  readonly tracer?: Tracer;
  /** Makes the metrics. Default: that of the global provider, with the name "dmabuf". */
  readonly meter?: Meter;
}

/** What {@link instrument} gives. */
export interface Instrumentation extends Disposable {
  /** Ends it: spans that are open end, and the metrics stay as they are. Twice does nothing. */
  close(): void;
}

const TRACER: Kind = { wanted: "a Tracer of @opentelemetry/api", isKind: (value) => hasMethod(value, "startSpan") };
const METER: Kind = {
  wanted: "a Meter of @opentelemetry/api",
  isKind: (value) => hasMethod(value, "createObservableCounter"),
};
const OPTIONS: Kinds<InstrumentOptions> = { tracer: TRACER, meter: METER };

/**
 * Tells OpenTelemetry what this thread does with its domains, until it is closed.
 *
 * Spans, each a child of what is active where it begins: `dmabuf.fence.wait`, `dmabuf.buffer.access`, `dmabuf.buffer.move`, and
 * `dmabuf.queue.job` from its submission to its end, with an event `run`. One that fails has the status `ERROR`, and the errno
 * name as `error.type`. Their attributes begin with `dmabuf.`: the domain, the agent, and what it is about.
 *
 * Metrics: the counters `dmabuf.fence.signals`, `dmabuf.stream.frames` (by `dmabuf.stream.event`: published, taken or missed),
 * `dmabuf.queue.jobs`, `dmabuf.validator.reports` and `dmabuf.copied`; the gauges of what is there now `dmabuf.buffer.count`,
 * `dmabuf.buffer.usage` in bytes, `dmabuf.queue.pending` and `dmabuf.wait.active`; the histograms `dmabuf.fence.wait.duration`,
 * `dmabuf.buffer.access.duration` and `dmabuf.queue.job.duration`, in seconds.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 * import { instrument } from "dmabuf/opentelemetry";
 *
 * using _instrumentation = instrument(); // to what the program's SDK has set up
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096, { name: "frame" });
 * using _access = await buffer.access("write"); // a span "dmabuf.buffer.access"
 * ```
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  checkOptions("instrument()", options, OPTIONS);
  const { tracer = trace.getTracer("dmabuf"), meter = metrics.getMeter("dmabuf") } = options;
  openChannels();
  const counts = new Counts(meter);
  const spans = new Spans(tracer, counts);
  const told = (message: unknown): void => {
    spans.told(message as TraceMessage);
    counts.told(message as TraceMessage);
  };
  const names = TRACE_POINTS.map((point) => `dmabuf:${point}`);
  for (const name of names) subscribe(name, told);
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    for (const name of names) unsubscribe(name, told);
    spans.close();
    counts.close();
  };
  return { close, [Symbol.dispose]: close };
}

function hasMethod(value: unknown, name: string): boolean {
  return isObject(value) && typeof (value as Readonly<Record<string, unknown>>)[name] === "function";
}
