import { computed } from "@preact/signals";
import { FormChoice, createForm } from "../components/form-choice.js";
import { Figure } from "../components/figure.js";
import { RingLegend } from "../components/ring.js";
import { bytesText, rateText } from "../format.js";
import { GraphView } from "../graph/graph.js";
import { RelationsList } from "../graph/list.js";
import { relationsIn } from "../graph/relations.js";
import { rates, shown } from "../store/store.js";

const form = createForm();

const relations = computed(() => (shown.value === undefined ? { nodes: [], ways: [] } : relationsIn(shown.value)));

/** Who hands what to whom, and how much of everything there is. */
export function Overview() {
  return (
    <>
      <Figures />
      <section class="card" aria-labelledby="flow">
        <header class="bar">
          <h2 id="flow">Who hands what to whom</h2>
          <FormChoice form={form} />
        </header>
        {form.value === "graph" ? (
          <GraphView relations={relations.value} />
        ) : (
          <RelationsList relations={relations.value} />
        )}
        <Legend />
      </section>
    </>
  );
}

function Figures() {
  const snapshot = shown.value;
  if (snapshot === undefined) return null;
  const { agents, streams, buffers, waits } = snapshot;
  const dead = agents.filter(({ state }) => state !== "live").length;
  const bytes = buffers.reduce((sum, { size }) => sum + size, 0);
  const frames = [...rates.value.values()].reduce((sum, rate) => sum + rate, 0);
  const blocked = waits.filter(({ blocks }) => blocks).length;
  return (
    <dl class="figures">
      <Figure
        name="Agents"
        value={String(agents.length)}
        note={dead > 0 ? `${dead} stopped or dead` : "all live"}
        isBad={dead > 0}
      />
      <Figure name="Streams" value={String(streams.length)} note={`${rateText(frames) || "0/s"} frames in all`} />
      <Figure name="Buffers" value={buffers.length.toLocaleString("en")} note={bytesText(bytes)} />
      <Figure
        name="Waits"
        value={String(waits.length)}
        note={blocked > 0 ? `${blocked} with a thread blocked` : "no thread is blocked"}
      />
    </dl>
  );
}

/** For those who see this for the first time. */
function Legend() {
  return (
    <details class="about" open>
      <summary>How to read this</summary>
      <div class="about-columns">
        <ul class="legend">
          <li>
            <span class="sample agent" aria-hidden="true" />
            An agent: a thread or a process that has joined the domain.
          </li>
          <li>
            <span class="sample stream" aria-hidden="true" />A stream: frames in a ring of buffers. Its producer fills
            them, and all consumers read the same memory.
          </li>
          <li>
            <span class="sample buffers" aria-hidden="true" />
            Buffers that are shared without a stream.
          </li>
          <li>
            <span class="sample way" aria-hidden="true" />
            Who hands to whom; it moves while frames go that way.
          </li>
        </ul>
        <RingLegend />
      </div>
    </details>
  );
}
