import { streamKey } from "../../src/shared/rates.js";
import type { SnapshotAgent, SnapshotStream } from "dmabuf/node";
import { nameOf } from "../components/names.js";
import { Ring } from "../components/ring.js";
import { bytesText, count, rateText } from "../format.js";
import { isSelected, selectionLink, viewLink } from "../store/route.js";
import { rates, shown } from "../store/store.js";
import type { Node, SharedBuffers } from "./relations.js";

/** A node of the graph: a link to its details. */
export function NodeLink({ node }: { node: Node }) {
  switch (node.kind) {
    case "agent":
      return <AgentNode agent={node.agent} behind={node.behind} />;
    case "stream":
      return <StreamNode stream={node.stream} />;
    case "buffers":
      return <BuffersNode shared={node.shared} />;
  }
}

function AgentNode({ agent, behind }: { agent: SnapshotAgent; behind: number }) {
  const { identity, state } = agent;
  const thing = { kind: "agent", identity } as const;
  const isBlocked = shown.value?.waits.some(({ agent, blocks }) => agent === identity && blocks) === true;
  const isLate = behind > 0 && state === "live";
  return (
    <a
      class={`node agent ${state}`}
      href={selectionLink(thing)}
      aria-current={isSelected(thing) ? "true" : undefined}
      title={nameOf(agent)}
    >
      <span class="dot" aria-hidden="true" />
      <span class="node-text">
        <strong>{nameOf(agent)}</strong>
        <span class={isLate ? "small warn number" : "small quiet number"}>
          {isLate ? `${count(behind, "frame")} behind` : doing(agent, isBlocked)}
        </span>
      </span>
    </a>
  );
}

function doing({ state, process }: SnapshotAgent, isBlocked: boolean): string {
  if (state !== "live") return state;
  if (isBlocked) return "blocked";
  return process === undefined ? "agent" : `process ${process}`;
}

function StreamNode({ stream }: { stream: SnapshotStream }) {
  const key = streamKey(stream);
  const thing = { kind: "stream", key } as const;
  const name = stream.name || "stream";
  return (
    <a
      class={stream.end === undefined ? "node stream" : "node stream over"}
      href={selectionLink(thing)}
      aria-current={isSelected(thing) ? "true" : undefined}
      title={name}
    >
      <span class="stream-head">
        <strong>{name}</strong>
        <span class="number rate">{stream.end ?? rateText(rates.value.get(key))}</span>
      </span>
      <Ring places={stream.places} />
      <span class="small quiet">stream of {count(stream.places.length, "buffer")}</span>
    </a>
  );
}

function BuffersNode({ shared: { buffers, bytes } }: { shared: SharedBuffers }) {
  const [first, ...others] = buffers;
  if (first === undefined) return null;
  const thing = { kind: "buffer", inode: first.inode } as const;
  const name = others.length === 0 && first.name !== "" ? first.name : count(buffers.length, "buffer");
  return (
    <a
      class="node buffers"
      href={others.length === 0 ? selectionLink(thing) : viewLink("buffers")}
      aria-current={others.length === 0 && isSelected(thing) ? "true" : undefined}
      title={name}
    >
      <span class="node-text">
        <strong>{name}</strong>
        <span class="small quiet number">{bytesText(bytes)}</span>
      </span>
    </a>
  );
}
