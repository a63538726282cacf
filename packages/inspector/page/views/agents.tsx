import type { SnapshotAgent } from "dmabuf/node";
import { AgentName, AgentState, nameOf } from "../components/names.js";
import { Table, type Column } from "../components/table.js";
import { bytesText, durationText } from "../format.js";
import { isSelected } from "../store/route.js";
import { shown } from "../store/store.js";

const COLUMNS: readonly Column<SnapshotAgent>[] = [
  {
    id: "name",
    title: "Agent",
    width: "minmax(0, 2fr)",
    cell: ({ identity }) => <AgentName identity={identity} />,
    by: nameOf,
  },
  {
    id: "state",
    title: "State",
    width: "90px",
    cell: ({ state }) => <AgentState state={state} />,
    by: ({ state }) => state,
  },
  {
    id: "process",
    title: "Process",
    width: "90px",
    isNumber: true,
    cell: ({ process }) => process ?? "–",
    by: ({ process = 0 }) => process,
  },
  {
    id: "held",
    title: "Memory held",
    width: "120px",
    isNumber: true,
    isOptional: true,
    cell: ({ identity }) => bytesText(bytesHeldBy(identity)),
    by: ({ identity }) => bytesHeldBy(identity),
  },
  {
    id: "does",
    title: "Does just now",
    width: "minmax(0, 3fr)",
    isOptional: true,
    cell: ({ identity }) => doesText(identity),
  },
];

/** The agents as a table. */
export function Agents() {
  return (
    <Table
      label="Agents"
      columns={COLUMNS}
      rows={shown.value?.agents ?? []}
      keyOf={({ identity }) => identity}
      isSelected={({ identity }) => isSelected({ kind: "agent", identity })}
      empty="No agent is in the domain."
    />
  );
}

function bytesHeldBy(identity: number): number {
  const buffers = shown.value?.buffers ?? [];
  return buffers.reduce((sum, { holders, size }) => sum + (holders.includes(identity) ? size : 0), 0);
}

function doesText(identity: number): string {
  const snapshot = shown.value;
  const longest = snapshot?.waits
    .filter(({ agent }) => agent === identity)
    .sort((one, other) => (one.since ?? Infinity) - (other.since ?? Infinity))[0];
  if (snapshot === undefined || longest === undefined) return "";
  const { text, since } = longest;
  return since === undefined ? text : `${text} for ${durationText(snapshot.at - since)}`;
}
