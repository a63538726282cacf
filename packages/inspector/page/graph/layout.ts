import { Graph, layout } from "@dagrejs/dagre";

/** A node, and how much room it needs. */
export interface Sized {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** From one node to another. */
export interface Line {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** Where each thing is, in pixels from the top left. */
export interface Placed {
  readonly width: number;
  readonly height: number;
  /** The top left corner of each node, by its id. */
  readonly nodes: ReadonlyMap<string, Box>;
  /** The points of each way, by its id. */
  readonly ways: ReadonlyMap<string, readonly Point[]>;
}

interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Points of a way between neighbours, which needs no way around others. */
const ADJACENT = 3;

let last: { readonly key: string; readonly placed: Placed } | undefined;

/** From left to right. As long as the same nodes have the same ways between them, nothing moves. */
export function placed(nodes: readonly Sized[], ways: readonly Line[]): Placed {
  const key = JSON.stringify([nodes.map(({ id, height }) => [id, height]), ways.map(({ id }) => id).sort()]);
  if (last?.key !== key) last = { key, placed: place(nodes, ways) };
  return last.placed;
}

function place(nodes: readonly Sized[], ways: readonly Line[]): Placed {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 20, ranksep: 72, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { from, to } of ways) graph.setEdge(from, to);
  layout(graph);
  const boxes = nodes.map(({ id }): [string, Box] => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(id) as Partial<Box>;
    return [id, { x: x - width / 2, y: y - height / 2, width, height }];
  });
  const box = new Map(boxes);
  const points = ways.map(({ id, from, to }): [string, readonly Point[]] => {
    const { points = [] } = graph.edge(from, to) as { points?: readonly Point[] };
    // A way back, as a circle has one, goes around what is between.
    if ((box.get(from)?.x ?? 0) > (box.get(to)?.x ?? 0)) return [id, points];
    return [
      id,
      [
        ...sideOf(box.get(from), 1),
        ...(points.length > ADJACENT ? points.slice(1, -1) : []),
        ...sideOf(box.get(to), 0),
      ],
    ];
  });
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return { width, height, nodes: box, ways: new Map(points) };
}

/** The middle of a side: ways leave to the right, and come from the left. */
function sideOf(box: Box | undefined, part: 0 | 1): readonly Point[] {
  return box === undefined ? [] : [{ x: box.x + part * box.width, y: box.y + box.height / 2 }];
}

/** A smooth line through the points. */
export function pathOf(points: readonly Point[]): string {
  const [first, ...others] = points;
  if (first === undefined) return "";
  let path = `M${first.x},${first.y}`;
  let before = first;
  for (const point of others) {
    const middle = (before.x + point.x) / 2;
    path += `C${middle},${before.y} ${middle},${point.y} ${point.x},${point.y}`;
    before = point;
  }
  return path;
}
