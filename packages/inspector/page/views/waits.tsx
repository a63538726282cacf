import { computed } from "@preact/signals";
import type { SnapshotWait } from "dmabuf/node";
import { useEffect } from "preact/hooks";
import { waitGraphOf, type WaitEdge, type WaitGraph } from "../../src/waits/wait-graph.js";
import { createForm, FormChoice } from "../components/form-choice.js";
import { AgentName } from "../components/names.js";
import { Table, type Column } from "../components/table.js";
import { durationText } from "../format.js";
import { Plane, type PlaneNode, type PlaneWay } from "../graph/plane.js";
import { agents, shown } from "../store/store.js";
import { explanationShown, followExplanations } from "../waits/explanations.js";
import { WaitList } from "../waits/list.js";
import { forText, WaitNodeBox } from "../waits/nodes.js";

const form = createForm();

const explanation = computed(explanationShown);
const graph = computed((): WaitGraph | undefined =>
  typeof explanation.value === "string" ? undefined : waitGraphOf(explanation.value, shown.value?.waits),
);

/** Who waits for whom, and who is at the root of it. */
export function Waits() {
  useEffect(followExplanations, []);
  return (
    <>
      <Verdict />
      <section class="card" aria-labelledby="who-waits">
        <header class="bar">
          <h2 id="who-waits">Who waits for whom</h2>
          <FormChoice form={form} />
        </header>
        <Shown />
        <Legend />
      </section>
      <h2>What agents hold or wait for</h2>
      <Table
        label="What agents hold or wait for"
        columns={COLUMNS}
        rows={shown.value?.waits ?? []}
        keyOf={keyOf}
        isSelected={() => false}
        empty="No agent has held anything, or waited for it, for longer than a tenth of a second."
      />
    </>
  );
}

/** The sentence. Its numbers change each second: what is read out is only whether something is stuck. */
function Verdict() {
  const said = explanation.value;
  if (typeof said === "string" || graph.value === undefined)
    return said === "" ? null : <p class="verdict">{said as string}</p>;
  const { isStuck, nodes } = graph.value;
  const title = isStuck ? "Something is stuck" : nodes.length === 0 ? "Nothing waits" : "Nothing is stuck";
  return (
    <section class={isStuck ? "verdict stuck" : "verdict"}>
      <div role="status">
        <h2>{title}</h2>
      </div>
      <p class="number">{sentence(said.sentence)}</p>
    </section>
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function Shown() {
  const known = graph.value;
  if (known === undefined) return <p class="empty">It is not known who waits for whom at this moment.</p>;
  if (known.nodes.length === 0) return <p class="empty">No agent waits for anything.</p>;
  if (form.value === "list") return <WaitList graph={known} />;
  return <Plane label="Agents, and what they wait for" nodes={nodesOf(known)} ways={known.edges.map(wayOf)} />;
}

const SIZES = { agent: { width: 200, height: 56 }, thing: { width: 220, height: 76 } };

function nodesOf({ nodes, edges }: WaitGraph): PlaneNode[] {
  return nodes.map((node) => ({
    id: node.id,
    ...SIZES[node.kind],
    content: <WaitNodeBox node={node} edges={edges} />,
  }));
}

function wayOf({ id, from, to, kind, text, since, isStuck }: WaitEdge): PlaneWay {
  return { id, from, to, look: `${kind}${isStuck ? " stuck" : ""}`, title: `${text}${forText(since)}` };
}

function Legend() {
  return (
    <details class="about">
      <summary>How to read this</summary>
      <ul class="legend">
        <li>
          <span class="sample waits" aria-hidden="true" />
          An agent waits for a thing: it is to the left of it.
        </li>
        <li>
          <span class="sample held" aria-hidden="true" />A thing is held up by an agent: that one is to the right.
        </li>
        <li>
          <span class="sample stuck" aria-hidden="true" />
          Stuck: a stopped or dead agent holds it up, agents wait for one another in a circle (↻), or it has lasted for
          more than 10 seconds. Who is at the root of it is filled.
        </li>
        <li>Consumers that wait for the next frame, and producers that wait for consumers, may do so for ever.</li>
      </ul>
    </details>
  );
}

const COLUMNS: readonly Column<SnapshotWait>[] = [
  {
    id: "agent",
    title: "Agent",
    width: "minmax(0, 1fr)",
    cell: ({ agent }) => <AgentName identity={agent} />,
    by: ({ agent }) => agents.value.get(agent)?.name ?? "",
  },
  {
    id: "does",
    title: "Does",
    width: "minmax(0, 3fr)",
    cell: ({ text, sure }) => <span title={text}>{sure ? text : text.replace(/^waits/, "seems to wait")}</span>,
    by: ({ text }) => text,
  },
  {
    id: "since",
    title: "For",
    width: "80px",
    isNumber: true,
    cell: ({ since }) => (since === undefined ? "" : durationText((shown.value?.at ?? since) - since)),
    by: ({ since = Infinity }) => -since,
  },
  {
    id: "blocks",
    title: "Thread",
    width: "90px",
    isOptional: true,
    cell: ({ blocks }) => (blocks ? "blocked" : <span class="quiet">goes on</span>),
    by: ({ blocks }) => Number(blocks),
  },
  {
    id: "place",
    title: "At",
    width: "minmax(0, 2fr)",
    isOptional: true,
    cell: ({ place }) => (
      <span class="code small" title={place}>
        {place?.replace(/^.*[/\\]/, "") ?? ""}
      </span>
    ),
  },
];

function keyOf(wait: SnapshotWait): string {
  const { agent, does, text, since } = wait;
  const same = (shown.value?.waits ?? []).filter((each) => each.agent === agent && each.text === text);
  return `${agent} ${does} ${text} ${since ?? ""} ${same.indexOf(wait)}`;
}
