import type { SnapshotConsumer, SnapshotStream } from "dmabuf/node";
import { useMemo } from "preact/hooks";
import { consumerKeys, estimatedWaits } from "../../src/latency/estimated.js";
import type { Spread } from "../../src/latency/histogram.js";
import type { MeasuredWait } from "../../src/latency/measured.js";
import { streamKey } from "../../src/shared/rates.js";
import { Histogram } from "../components/histogram.js";
import { AgentName } from "../components/names.js";
import { count, rateText, shortDuration } from "../format.js";
import { tracedWaits } from "../store/client.js";
import { usePolled } from "../store/polled.js";
import { minute, rates, shown, shownIndex } from "../store/store.js";

/** How long frames wait for each consumer of each stream: measured where both ends trace, and estimated otherwise. */
export function Latency() {
  const { answer, failed } = usePolled(tracedWaits);
  // Once a second: what is estimated is by the second.
  const second = Math.floor((shown.value?.at ?? 0) / 1e9);
  const estimated = useMemo(
    () => estimatedWaits(minute.value.slice(0, shownIndex.value + 1)),
    [second, minute.value[0]],
  );
  const streams = (shown.value?.streams ?? []).filter(({ consumers }) => consumers.length > 0);
  return (
    <>
      {streams.length === 0 && <p class="card empty">No stream of the domain has a consumer.</p>}
      {streams.map((stream) => (
        <StreamWaits key={streamKey(stream)} stream={stream} measured={answer?.waits ?? []} estimated={estimated} />
      ))}
      <details class="about">
        <summary>What is measured</summary>
        <p>
          How long a frame waits from its publication until a consumer takes it. Where the producer and the consumer run
          with <code>DMABUF_TRACE=1</code> that is measured, for each frame that their traces still hold: also while the
          page is paused it is of the last look. Otherwise it is estimated from snapshots, by Little’s law: how many
          frames wait on average, divided by how many come, for each second of the last minute. An estimate does not
          show single frames that wait long. Frames that were dropped are not counted where it is measured.
        </p>
      </details>
      <p role="status" class="small quiet">
        {failed}
      </p>
    </>
  );
}

interface StreamWaitsProps {
  readonly stream: SnapshotStream;
  readonly measured: readonly MeasuredWait[];
  readonly estimated: ReadonlyMap<string, Spread>;
}

function StreamWaits({ stream, measured, estimated }: StreamWaitsProps) {
  const key = streamKey(stream);
  const keys = consumerKeys(stream);
  const exact = (agent: number) => measured.find((each) => each.stream === key && each.agent === agent)?.spread;
  return (
    <section class="card" aria-label={`Stream ${stream.name}`}>
      <header class="bar">
        <h2>{stream.name || "a stream"}</h2>
        <span class="quiet number">{stream.end ?? rateText(rates.value.get(key))}</span>
      </header>
      <div class="latencies">
        {stream.consumers.map((consumer, i) => (
          <ConsumerWaits
            key={keys[i]}
            consumer={consumer}
            measured={exact(consumer.agent)}
            estimated={estimated.get(keys[i]!)}
          />
        ))}
      </div>
    </section>
  );
}

interface ConsumerWaitsProps {
  readonly consumer: SnapshotConsumer;
  readonly measured: Spread | undefined;
  readonly estimated: Spread | undefined;
}

function ConsumerWaits({ consumer: { agent, policy, behind }, measured, estimated }: ConsumerWaitsProps) {
  const spread = measured ?? estimated;
  const isExact = measured !== undefined;
  return (
    <section class="latency">
      <header class="bar">
        <h3>
          <AgentName identity={agent} />
        </h3>
        <span class={isExact ? "small good" : "small quiet"}>{isExact ? "Measured" : "Estimated"}</span>
      </header>
      {spread === undefined ? (
        <p class="quiet">
          {behind > 0 ? `Nothing is known yet: ${count(behind, "frame")} wait.` : "Nothing is known yet."}
        </p>
      ) : (
        <>
          <Histogram counts={spread.counts} label={labelOf(spread, isExact)} />
          <dl class="latency-figures number">
            <Figure name="Median" value={shortDuration(spread.median)} />
            <Figure name="95 %" value={shortDuration(spread.most95)} />
            <Figure name="Longest" value={shortDuration(spread.longest)} />
            <Figure name={isExact ? "Frames" : "Seconds"} value={spread.times.toLocaleString("en")} />
          </dl>
        </>
      )}
      <p class="small quiet">{policy}</p>
    </section>
  );
}

function labelOf({ times, median, most95, longest }: Spread, isExact: boolean): string {
  const of = isExact
    ? `Waits of ${count(times, "frame")}, measured`
    : `Average waits of ${count(times, "second")}, estimated`;
  const [half, most, all] = [median, most95, longest].map(shortDuration);
  return `${of}: half of them at most ${half}, 95 % at most ${most}, all at most ${all}`;
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt class="small quiet">{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
