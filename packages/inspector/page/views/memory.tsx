import { computed } from "@preact/signals";
import type { SnapshotCopy } from "dmabuf/node";
import { copyKey, copyRatesAt, memoryHistory, memoryIn, type AgentUsage } from "../../src/memory/usage.js";
import { Figure } from "../components/figure.js";
import { AgentName } from "../components/names.js";
import { Sparkline } from "../components/sparkline.js";
import { Table, type Column } from "../components/table.js";
import { bytesText, count } from "../format.js";
import { isSelected } from "../store/route.js";
import { agents, minute, shown, shownIndex } from "../store/store.js";

const usage = computed(() => (shown.value === undefined ? undefined : memoryIn(shown.value)));
const rates = computed(() => copyRatesAt(minute.value, shownIndex.value));

/** How much memory there is, whose it is, and what was copied of it. */
export function Memory() {
  const known = usage.value;
  const snapshot = shown.value;
  if (known === undefined || snapshot === undefined) return null;
  const { bytes, unshared, copied, exporters, agents } = known;
  const now = [...rates.value.values()].reduce((sum, rate) => sum + rate, 0);
  return (
    <>
      <dl class="figures">
        <Figure name="Memory of buffers" value={bytesText(bytes)} note={count(snapshot.buffers.length, "buffer")} />
        <Figure name="Not copied" value={bytesText(unshared - bytes)} note="since holders share it" />
        <Figure name="Copied" value={bytesText(copied)} note={`${bytesText(now)}/s just now`} />
      </dl>
      <section class="card" aria-labelledby="by-exporter">
        <h2 id="by-exporter">By exporter</h2>
        <ul class="shares">
          {exporters.map(({ name, buffers, bytes: part, streamBytes }) => (
            <li key={name}>
              <p class="bar">
                <strong>{name}</strong>
                <span class="number">
                  {bytesText(part)} <span class="quiet">in {count(buffers, "buffer")}</span>
                </span>
              </p>
              <Bar parts={[streamBytes, part - streamBytes]} whole={bytes} />
            </li>
          ))}
        </ul>
        {exporters.length === 0 ? (
          <p class="empty">There is no buffer.</p>
        ) : (
          <ul class="legend inline">
            <li>
              <span class="sample part-0" aria-hidden="true" />
              of streams
            </li>
            <li>
              <span class="sample part-1" aria-hidden="true" />
              others
            </li>
          </ul>
        )}
        <div>
          <p class="small quiet">In the last minute</p>
          <Sparkline
            values={memoryHistory(minute.value, shownIndex.value)}
            label="Memory of buffers in the last minute"
          />
        </div>
      </section>
      <h2>By agent</h2>
      <Table
        label="Memory by agent"
        columns={BY_AGENT}
        rows={agents}
        keyOf={({ agent }) => agent}
        isSelected={({ agent }) => isSelected({ kind: "agent", identity: agent })}
        empty="No agent is in the domain."
      />
      <p class="small quiet">
        What several agents hold counts for each of them. The bar's second colour is what an agent holds alone.
      </p>
      <h2>What the library has copied</h2>
      <Table
        label="What the library has copied"
        columns={COPIES}
        rows={snapshot.copies}
        keyOf={copyKey}
        isSelected={() => false}
        empty="It has copied no byte of a buffer."
      />
      <p class="small quiet">
        Copies are counted where the library makes them, for the call that is named. What a program copies by itself is
        not seen. An agent with DMABUF_DEBUG=1 says where in its code.
      </p>
    </>
  );
}

/** Parts of a whole, as one bar. Its numbers are said beside it. */
function Bar({ parts, whole }: { parts: readonly number[]; whole: number }) {
  let from = 0;
  return (
    <svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      {parts.map((part, i) => {
        const width = whole === 0 ? 0 : (100 * part) / whole;
        const x = from;
        from += width;
        return <rect key={i} class={`part-${i}`} x={x} width={width} height={8} />;
      })}
    </svg>
  );
}

const most = computed(() => Math.max(1, ...(usage.value?.agents.map(({ held }) => held) ?? [])));

const BY_AGENT: readonly Column<AgentUsage>[] = [
  {
    id: "agent",
    title: "Agent",
    width: "minmax(0, 2fr)",
    cell: ({ agent }) => <AgentName identity={agent} />,
    by: nameOf,
  },
  {
    id: "held",
    title: "Holds",
    width: "90px",
    isNumber: true,
    cell: ({ held }) => bytesText(held),
    by: ({ held }) => held,
  },
  {
    id: "share",
    title: "Shared, and alone",
    width: "minmax(0, 2fr)",
    isOptional: true,
    cell: ({ alone, held }) => <Bar parts={[held - alone, alone]} whole={most.value} />,
  },
  {
    id: "alone",
    title: "Alone",
    width: "90px",
    isNumber: true,
    cell: ({ alone }) => bytesText(alone),
    by: ({ alone }) => alone,
  },
  {
    id: "exported",
    title: "Exported",
    width: "90px",
    isNumber: true,
    isOptional: true,
    cell: ({ exported }) => bytesText(exported),
    by: ({ exported }) => exported,
  },
  {
    id: "copied",
    title: "Copied",
    width: "90px",
    isNumber: true,
    cell: ({ copied }) => bytesText(copied),
    by: ({ copied }) => copied,
  },
];

const COPIES: readonly Column<SnapshotCopy>[] = [
  {
    id: "agent",
    title: "Agent",
    width: "minmax(0, 2fr)",
    cell: ({ agent }) => <AgentName identity={agent} />,
    by: nameOf,
  },
  {
    id: "why",
    title: "For the call",
    width: "minmax(0, 2fr)",
    cell: ({ why }) => (
      <span class="code" title={why}>
        {why}
      </span>
    ),
    by: ({ why }) => why,
  },
  {
    id: "bytes",
    title: "Bytes",
    width: "90px",
    isNumber: true,
    cell: ({ bytes }) => bytesText(bytes),
    by: (copy) => copy.bytes,
  },
  {
    id: "rate",
    title: "Just now",
    width: "100px",
    isNumber: true,
    isOptional: true,
    cell: (copy) => rateOf(copy),
    by: (copy) => rates.value.get(copyKey(copy)) ?? 0,
  },
  {
    id: "times",
    title: "Times",
    width: "90px",
    isNumber: true,
    isOptional: true,
    cell: ({ times }) => times.toLocaleString("en"),
    by: ({ times }) => times,
  },
  {
    id: "place",
    title: "At",
    width: "minmax(0, 2fr)",
    isOptional: true,
    cell: ({ place = "" }) => (
      <span class="code small" title={place}>
        {place.replace(/^.*[/\\]/, "")}
      </span>
    ),
  },
];

function rateOf(copy: SnapshotCopy): string {
  const rate = rates.value.get(copyKey(copy));
  return rate === undefined ? "" : `${bytesText(rate)}/s`;
}

function nameOf({ agent }: { readonly agent: number }): string {
  return agents.value.get(agent)?.name ?? "";
}
