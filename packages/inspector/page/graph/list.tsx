import type { ComponentChildren } from "preact";
import { streamKey } from "../../src/shared/rates.js";
import { count } from "../format.js";
import { NodeLink } from "./nodes.js";
import type { Node, Relations } from "./relations.js";

/** The same relations from top to bottom, where there is no room for a graph, and for those who prefer text. */
export function RelationsList({ relations: { nodes, ways } }: { relations: Relations }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const related = (ids: readonly string[]): readonly Node[] =>
    ids.map((id) => byId.get(id)).filter((node) => node !== undefined);
  const middle = nodes.filter(({ kind }) => kind !== "agent");
  const named = new Set(ways.flatMap(({ from, to }) => [from, to]));
  const alone = nodes.filter(({ kind, id }) => kind === "agent" && !named.has(id));
  return (
    <ul class="flows">
      {middle.map((node) => {
        const from = related(ways.filter(({ to }) => to === node.id).map((way) => way.from));
        const to = related(ways.filter((way) => way.from === node.id).map((way) => way.to));
        return (
          <li key={node.id} class="flow">
            <Nodes nodes={from}>{node.kind === "stream" ? "fills" : "shares"}</Nodes>
            <div class="flow-middle">
              <NodeLink node={node} />
            </div>
            {to.length > 0 && <p class="flow-word">{wordFor(node, to.length)}</p>}
            <Nodes nodes={to} />
          </li>
        );
      })}
      {alone.length > 0 && (
        <li class="flow">
          <p class="flow-word">hand nothing to others just now</p>
          <Nodes nodes={alone} />
        </li>
      )}
    </ul>
  );
}

function wordFor(node: Node, readers: number): string {
  if (node.kind === "stream") return `read by ${count(readers, "agent")}`;
  return `held by ${count(readers, "other agent")}`;
}

function Nodes({ nodes, children }: { nodes: readonly Node[]; children?: ComponentChildren }) {
  if (nodes.length === 0) return null;
  return (
    <>
      <ul class="flow-agents">
        {nodes.map((node) => (
          <li key={node.kind === "stream" ? streamKey(node.stream) : node.id}>
            <NodeLink node={node} />
          </li>
        ))}
      </ul>
      {children !== undefined && <p class="flow-word">{children}</p>}
    </>
  );
}
