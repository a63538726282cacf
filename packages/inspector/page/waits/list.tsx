import type { WaitEdge, WaitGraph, WaitNode } from "../../src/waits/wait-graph.js";
import { AgentName } from "../components/names.js";
import { forText, nodeTitle } from "./nodes.js";

/** The same from top to bottom: each thing that is waited for, with those who wait for it and those who hold it up. */
export function WaitList({ graph: { nodes, edges } }: { graph: WaitGraph }) {
  const things = nodes.filter(({ kind }) => kind === "thing").sort((one, other) => +other.isStuck - +one.isStuck);
  const agentOf = (id: string): number => {
    const node = nodes.find((each) => each.id === id);
    return node?.kind === "agent" ? node.agent.identity : 0;
  };
  return (
    <ul class="wait-list">
      {things.map((thing) => (
        <li key={thing.id} class={thing.isStuck ? "wait-item stuck" : "wait-item"}>
          <p>
            <strong>{nodeTitle(thing)}</strong>
            <Mark node={thing} />
          </p>
          <ul class="lines">
            {edges
              .filter(({ to }) => to === thing.id)
              .map((edge) => (
                <li key={edge.id}>
                  <AgentName identity={agentOf(edge.from)} /> waits for it
                  <Since edge={edge} />
                </li>
              ))}
            {edges
              .filter(({ from }) => from === thing.id)
              .map((edge) => (
                <li key={edge.id}>
                  <AgentName identity={agentOf(edge.to)} /> {edge.text}
                  <Since edge={edge} />
                </li>
              ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

function Mark({ node: { isInCircle, isStuck } }: { node: WaitNode }) {
  if (!isStuck) return null;
  return <span class="bad small"> {isInCircle ? "↻ stuck in a circle" : "stuck"}</span>;
}

function Since({ edge: { since, place } }: { edge: WaitEdge }) {
  return (
    <span class="number">
      {forText(since)}
      {place !== undefined && <span class="code small"> {place}</span>}
    </span>
  );
}
