/** What OpenTelemetry's own SDK gets. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { context, createContextKey, SpanStatusCode } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { createDomain } from "../../test/agents.js";
import { rawFormat } from "../stream/format.js";
import { instrument } from "./instrument.js";

const LIMIT = { timeout: 60_000 };

function sdk(t: TestContext) {
  const spans = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  const meters = new MeterProvider({ readers: [reader] });
  t.after(() => meters.shutdown());
  const instrumentation = instrument({ tracer: tracers.getTracer("test"), meter: meters.getMeter("test") });
  t.after(() => instrumentation.close());
  /** The values of a metric, by its attributes without the domain. */
  const values = async (name: string): Promise<[attributes: object, value: unknown][]> => {
    exporter.reset();
    await reader.forceFlush();
    const all = exporter.getMetrics().flatMap((each) => each.scopeMetrics.flatMap(({ metrics }) => metrics));
    const metric = all.find(({ descriptor }) => descriptor.name === name);
    return (metric?.dataPoints ?? []).map(({ attributes, value }) => {
      const { "dmabuf.domain.id": _, ...rest } = attributes;
      return [rest, typeof value === "number" ? value : value.count];
    });
  };
  return { spans: () => spans.getFinishedSpans(), values, instrumentation, tracer: tracers.getTracer("test") };
}

/** The one span of a name. */
function only(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const named = spans.filter((span) => span.name === name);
  assert.equal(named.length, 1);
  return named[0]!;
}

describe("spans", () => {
  test("a wait for a fence, with its result", LIMIT, async (t) => {
    const { spans } = sdk(t);
    const domain = createDomain(t);
    const timeline = domain.createTimeline({ name: "gpu" });
    const fence = timeline.createFence();
    const before = Date.now();
    assert.equal(await fence.wait({ timeout: 20 }), "timed-out");
    const span = only(spans(), "dmabuf.fence.wait");
    assert.equal(span.attributes["dmabuf.timeline.name"], "gpu");
    assert.equal(span.attributes["dmabuf.fence.context"], timeline.context);
    assert.equal(span.attributes["dmabuf.fence.seqno"], 1);
    assert.equal(span.attributes["dmabuf.domain.id"], domain.id);
    assert.equal(span.attributes["dmabuf.wait.result"], "timed-out");
    assert.equal(span.attributes["error.type"], "ETIMEDOUT");
    assert.equal(span.status.code, SpanStatusCode.ERROR);
    assert.ok(span.duration[0] * 1e9 + span.duration[1] >= 19e6);
    const started = span.startTime[0] * 1000 + span.startTime[1] / 1e6;
    assert.ok(Math.abs(started - before) < 60_000, "it is of the wall clock");
  });

  test("an access to a buffer, and a move of its storage", LIMIT, async (t) => {
    const { spans } = sdk(t);
    const domain = createDomain(t);
    const memory = (): SharedArrayBuffer => new SharedArrayBuffer(4096);
    const buffer = domain.export([{ memory: memory(), offset: 0, length: 4096 }], { name: "frame" });
    const [first, second] = [await buffer.access("read"), await buffer.access("read")];
    second.close();
    first.close();
    await buffer.move([{ memory: memory(), offset: 0, length: 4096 }]);
    const accesses = spans().filter(({ name }) => name === "dmabuf.buffer.access");
    assert.equal(accesses.length, 2);
    for (const { attributes, status } of accesses) {
      assert.equal(attributes["dmabuf.buffer.name"], "frame");
      assert.equal(attributes["dmabuf.buffer.inode"], buffer.inode);
      assert.equal(attributes["dmabuf.buffer.access.mode"], "read");
      assert.equal(status.code, SpanStatusCode.UNSET);
    }
    assert.equal(only(spans(), "dmabuf.buffer.move").attributes["dmabuf.buffer.name"], "frame");
  });

  test("a job, from its submission to its end, with what it has failed with", LIMIT, async (t) => {
    const { spans } = sdk(t);
    const domain = createDomain(t);
    const failed = Object.assign(new Error("gone"), { code: "ENODEV" });
    const queue = domain.createQueue<undefined>({ name: "encoder", run: () => Promise.reject(failed) });
    await (await queue.submit({})).wait();
    const span = only(spans(), "dmabuf.queue.job");
    assert.equal(span.attributes["dmabuf.queue.name"], "encoder");
    assert.equal(span.attributes["error.type"], "ENODEV");
    assert.equal(span.status.code, SpanStatusCode.ERROR);
    assert.deepEqual(
      span.events.map(({ name }) => name),
      ["run"],
    );
  });

  test("what an agent that leaves has open ends with it, and what is open at the close", LIMIT, async (t) => {
    const { spans, instrumentation } = sdk(t);
    const [domain, other] = [createDomain(t), createDomain(t)];
    await domain.allocate(4096).access("read");
    await other.allocate(4096).access("write");
    domain.close();
    assert.deepEqual(
      spans().map(({ attributes }) => attributes["dmabuf.buffer.access.mode"]),
      ["read"],
    );
    instrumentation.close();
    instrumentation.close();
    assert.equal(spans().length, 2);
    await other.allocate(4096).access("read");
    assert.equal(spans().length, 2);
  });
});

test("metrics tell what was counted, and what is there", LIMIT, async (t) => {
  const { values } = sdk(t);
  const domain = createDomain(t);
  const timeline = domain.createTimeline();
  timeline.createFence();
  timeline.signal(1, "EIO");
  const [ok, pending] = [timeline.createFence(), timeline.createFence()];
  ok.signal();
  const wait = pending.wait();
  const stream = domain.createStream({ format: rawFormat(4) });
  const consumer = stream.frames({ policy: "newest" });
  for (let i = 0; i < 3; i++) stream.loanSync()!.publish();
  consumer.nextSync()!.close();
  const queue = domain.createQueue<undefined>({ run: () => {} });
  const job = await queue.submit({});
  await job.wait();
  const buffer = domain.allocate(8192);
  const access = await buffer.access("write");
  access.copy();
  access.close();

  assert.deepEqual(await values("dmabuf.stream.frames"), [
    [{ "dmabuf.stream.event": "published" }, 3],
    [{ "dmabuf.stream.event": "missed" }, 2],
    [{ "dmabuf.stream.event": "taken" }, 1],
  ]);
  const signals = await values("dmabuf.fence.signals");
  assert.deepEqual(signals[0], [{ "error.type": "EIO" }, 1]);
  assert.deepEqual(await values("dmabuf.queue.jobs"), [[{}, 1]]);
  assert.deepEqual(await values("dmabuf.queue.pending"), [[{}, 0]]);
  assert.deepEqual(await values("dmabuf.wait.active"), [[{}, 1]]);
  assert.deepEqual(await values("dmabuf.buffer.count"), [[{}, 5]]);
  assert.deepEqual(await values("dmabuf.buffer.usage"), [[{}, 4 * 4096 + 8192]]);
  assert.ok(((await values("dmabuf.copied"))[0]![1] as number) >= 8192);
  assert.deepEqual(await values("dmabuf.buffer.access.duration"), [[{ "dmabuf.buffer.access.mode": "write" }, 1]]);
  buffer.close();
  assert.deepEqual(await values("dmabuf.buffer.count"), [[{}, 4]]);
  pending.signal();
  await wait;
  assert.deepEqual(await values("dmabuf.wait.active"), [[{}, 0]]);
});

test("without an SDK nothing happens, and what is no tracer or meter is refused", async (t) => {
  using _instrumentation = instrument();
  await createDomain(t).allocate(4096).access("read");
  assert.throws(() => instrument({ tracer: {} as never }), TypeError);
  assert.throws(() => instrument({ meter: 5 as never }), TypeError);
  // The API's own context is not touched.
  assert.equal(context.active().getValue(createContextKey("dmabuf")), undefined);
});
