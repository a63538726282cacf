import { streamKey } from "../../src/shared/rates.js";
import type { WaitEdge, WaitNode } from "../../src/waits/wait-graph.js";
import { durationText } from "../format.js";
import { isSelected, selectionLink, type Selection } from "../store/route.js";
import { shown } from "../store/store.js";

/** A node of the graph: a link to its details, where it has some. */
export function WaitNodeBox({ node, edges }: { node: WaitNode; edges: readonly WaitEdge[] }) {
  const thing = selectionOf(node);
  const { isStuck, isInCircle } = node;
  const look = `node ${node.kind === "agent" ? "waiter" : "awaited"}${isStuck ? " stuck" : ""}${isToBlame(node) ? " blamed" : ""}`;
  const title = nodeTitle(node);
  const content = (
    <>
      {node.kind === "agent" && <span class="dot" aria-hidden="true" />}
      <span class="node-text">
        <strong>{title}</strong>
        <span class="small quiet number">{noteOf(node, edges)}</span>
      </span>
      {isInCircle && (
        <span class="circle-mark" title="in a circle">
          ↻<span class="unseen"> in a circle</span>
        </span>
      )}
    </>
  );
  if (thing === undefined) {
    return (
      <div class={look} title={title}>
        {content}
      </div>
    );
  }
  return (
    <a class={look} href={selectionLink(thing)} aria-current={isSelected(thing) ? "true" : undefined} title={title}>
      {content}
    </a>
  );
}

export function nodeTitle(node: WaitNode): string {
  if (node.kind === "agent") return node.agent.name || `agent ${node.agent.identity}`;
  return node.text.slice(0, 1).toUpperCase() + node.text.slice(1);
}

/** Who is at the root of it, or one of a circle: the others only wait. */
function isToBlame(node: WaitNode): boolean {
  return node.kind === "agent" && (node.isRoot || node.isInCircle || isGone(node.agent.state));
}

function isGone(state: string): boolean {
  return state === "stopped" || state === "dead";
}

const WANTED: Readonly<Record<string, string>> = {
  read: "wanted to read",
  write: "wanted to write",
  lock: "wanted",
  buffer: "its fences are awaited",
};

function noteOf(node: WaitNode, edges: readonly WaitEdge[]): string {
  if (node.kind === "thing") {
    const since = edges.filter(({ to }) => to === node.id).map((edge) => edge.since ?? Infinity);
    return `${WANTED[node.what] ?? "awaited"}${forText(Math.min(...since))}`;
  }
  const { state, process } = node.agent;
  if (isGone(state)) return process === undefined ? state : `${state}, process ${process}`;
  const waits = edges.filter(({ from }) => from === node.id);
  if (waits.length > 0) return `waits${forText(Math.min(...waits.map(({ since }) => since ?? Infinity)))}`;
  return node.isRoot ? "holds it up, and waits for nothing" : "waits for nothing";
}

/** ` for 3.2 s`; nothing where it is not known. */
export function forText(since: number | undefined): string {
  const now = shown.value?.at;
  if (since === undefined || !Number.isFinite(since) || now === undefined) return "";
  return ` for ${durationText(now - since)}`;
}

/** What has details: agents, and what waits are about, by what the snapshot says of them. */
function selectionOf(node: WaitNode): Selection | undefined {
  const snapshot = shown.value;
  if (snapshot === undefined) return undefined;
  if (node.kind === "agent") return { kind: "agent", identity: node.agent.identity };
  const about = snapshot.waits.find(
    ({ does, text }) => does.startsWith("awaits-") && text.endsWith(` ${node.text}`),
  )?.about;
  if (about?.buffer !== undefined) return { kind: "buffer", inode: about.buffer };
  const stream = snapshot.streams.find(({ slot }) => slot === about?.stream);
  return stream === undefined ? undefined : { kind: "stream", key: streamKey(stream) };
}
