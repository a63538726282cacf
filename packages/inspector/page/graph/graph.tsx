import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { rateText } from "../format.js";
import { isLive, rates } from "../store/store.js";
import { pathOf, placed, type Placed } from "./layout.js";
import { NodeLink } from "./nodes.js";
import type { Relations, Way } from "./relations.js";

/** The relations as a graph from left to right. The arrow keys go to the nearest node on that side. */
export function GraphView({ relations }: { relations: Relations }) {
  const area = useRef<HTMLUListElement>(null);
  const [frame, width] = useWidth();
  const at = placed(relations);
  const zoom = Math.max(LEAST_ZOOM, Math.min(1, width / at.width));
  return (
    <div class="graph" ref={frame}>
      <div class="graph-plane" style={{ width: `${at.width}px`, height: `${at.height}px`, zoom: String(zoom) }}>
        <svg width={at.width} height={at.height} aria-hidden="true">
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0,0.5L8,4L0,7.5z" class="arrow-head" />
            </marker>
          </defs>
          {relations.ways.map((way) => (
            <WayLine key={way.id} way={way} at={at} />
          ))}
        </svg>
        <ul
          ref={area}
          aria-label="Agents, streams and buffers"
          onKeyDown={(event) => area.current !== null && onArrow(event, area.current)}
        >
          {relations.nodes.map((node) => {
            const box = at.nodes.get(node.id);
            if (box === undefined) return null;
            const { x, y, width, height } = box;
            return (
              <li
                key={node.id}
                style={{ transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` }}
              >
                <NodeLink node={node} />
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}

/** What is smaller cannot be read: then it is scrolled. */
const LEAST_ZOOM = 0.7;

/** The width that an element has, as it changes. */
function useWidth(): [element: RefObject<HTMLDivElement | null>, width: number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(Infinity);
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? Infinity));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

function WayLine({ way, at }: { way: Way; at: Placed }) {
  const points = at.ways.get(way.id) ?? [];
  const rate = way.stream === undefined ? undefined : rates.value.get(way.stream);
  const moves = rate !== undefined && rate > 0 && isLive.value;
  return (
    <g class={`way${moves ? " moves" : ""}${way.isLate ? " late" : ""}${way.stream === undefined ? " still" : ""}`}>
      <path d={pathOf(points)} marker-end="url(#arrow)">
        <title>{rateText(rate)}</title>
      </path>
    </g>
  );
}

const SIDES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

function onArrow(event: KeyboardEvent, area: HTMLElement): void {
  const side = SIDES[event.key];
  const from = document.activeElement;
  if (side === undefined || !(from instanceof HTMLElement) || !area.contains(from)) return;
  event.preventDefault();
  const here = centreOf(from);
  const [nearest] = [...area.querySelectorAll<HTMLElement>("a")]
    .filter((node) => node !== from)
    .map((node) => ({ node, distance: distance(here, centreOf(node), side) }))
    .filter(({ distance }) => distance < Infinity)
    .sort((one, other) => one.distance - other.distance);
  nearest?.node.focus();
}

function centreOf(node: HTMLElement): readonly [number, number] {
  const { x, y, width, height } = node.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
}

/** What is off to the side counts double; what is on the other side is not reached. */
function distance(
  [fromX, fromY]: readonly [number, number],
  [toX, toY]: readonly [number, number],
  [sideX, sideY]: readonly [number, number],
): number {
  const ahead = (toX - fromX) * sideX + (toY - fromY) * sideY;
  const aside = Math.abs((toX - fromX) * sideY) + Math.abs((toY - fromY) * sideX);
  return ahead <= 4 ? Infinity : ahead + 2 * aside;
}
