import { rateText } from "../format.js";
import { isLive, rates } from "../store/store.js";
import { NodeLink } from "./nodes.js";
import { Plane, type PlaneNode, type PlaneWay } from "./plane.js";
import type { Node, Relations, Way } from "./relations.js";

/** The relations as a graph, from left to right as frames go. */
export function GraphView({ relations: { nodes, ways } }: { relations: Relations }) {
  return <Plane label="Agents, streams and buffers" nodes={nodes.map(planeNode)} ways={ways.map(planeWay)} />;
}

const AGENT = { width: 168, height: 56 };
const BUFFERS = { width: 168, height: 56 };
const STREAM = { width: 196, height: 92 };
/** Places in one line of a stream's ring. */
const PLACES_IN_LINE = 11;

function planeNode(node: Node): PlaneNode {
  return { id: node.id, ...sizeOf(node), content: <NodeLink node={node} /> };
}

function sizeOf(node: Node): { width: number; height: number } {
  if (node.kind === "agent") return AGENT;
  if (node.kind === "buffers") return BUFFERS;
  const lines = Math.max(1, Math.ceil(node.stream.places.length / PLACES_IN_LINE));
  return { ...STREAM, height: STREAM.height + (lines - 1) * 16 };
}

function planeWay({ id, from, to, stream, isLate }: Way): PlaneWay {
  const rate = stream === undefined ? undefined : rates.value.get(stream);
  const moves = rate !== undefined && rate > 0 && isLive.value;
  const look = `${moves ? " moves" : ""}${isLate ? " late" : ""}${stream === undefined ? " still" : ""}`;
  return { id, from, to, look, title: rateText(rate) };
}
