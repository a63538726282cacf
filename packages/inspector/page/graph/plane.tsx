import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { pathOf, placed, type Line, type Sized } from "./layout.js";

export interface PlaneNode extends Sized {
  readonly content: ComponentChildren;
}

export interface PlaneWay extends Line {
  /** Its classes beside "way". */
  readonly look: string;
  readonly title: string;
}

interface PlaneProps {
  /** For screen readers. */
  readonly label: string;
  readonly nodes: readonly PlaneNode[];
  readonly ways: readonly PlaneWay[];
}

/** A graph from left to right. The arrow keys go to the nearest link on that side. */
export function Plane({ label, nodes, ways }: PlaneProps) {
  const area = useRef<HTMLUListElement>(null);
  const [frame, width] = useWidth();
  const at = placed(nodes, ways);
  const zoom = Math.max(LEAST_ZOOM, Math.min(1, width / at.width));
  return (
    <div class="graph" ref={frame}>
      <div class="graph-plane" style={{ width: `${at.width}px`, height: `${at.height}px`, zoom: String(zoom) }}>
        <svg width={at.width} height={at.height} aria-hidden="true">
          <defs>
            {HEADS.map((head) => (
              <marker
                key={head}
                id={head}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="7"
                markerHeight="7"
                orient="auto"
              >
                <path d="M0,0.5L8,4L0,7.5z" class={`arrow-head ${head}`} />
              </marker>
            ))}
          </defs>
          {ways.map(({ id, look, title }) => (
            <g key={id} class={`way ${look}`}>
              <path
                d={pathOf(at.ways.get(id) ?? [])}
                marker-end={`url(#${look.includes("stuck") ? HEADS[1] : HEADS[0]})`}
              >
                <title>{title}</title>
              </path>
            </g>
          ))}
        </svg>
        <ul ref={area} aria-label={label} onKeyDown={(event) => area.current !== null && onArrow(event, area.current)}>
          {nodes.map(({ id, content }) => {
            const box = at.nodes.get(id);
            if (box === undefined) return null;
            const { x, y, width, height } = box;
            return (
              <li
                key={id}
                style={{ transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` }}
              >
                {content}
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}

const HEADS = ["arrow", "arrow-stuck"] as const;

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
