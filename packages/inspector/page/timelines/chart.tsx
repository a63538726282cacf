import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { theme } from "dmabuf-page-parts";
import { AXIS, draw, LANE, paletteOf } from "./draw.js";
import type { Lane } from "../../src/timelines/lane.js";
import type { PendingFences } from "../../src/timelines/pending.js";
import { panned, zoomed, type TimeWindow } from "../../src/timelines/window.js";

/** A fence that the person has pointed at. */
export interface Chosen {
  readonly key: string;
  readonly seqno: number;
}

interface ChartProps {
  readonly lanes: readonly Lane[];
  readonly pending: ReadonlyMap<string, PendingFences>;
  readonly now: number;
  readonly window: TimeWindow;
  readonly chosen: Chosen | undefined;
  readonly onWindow: (window: TimeWindow) => void;
  readonly onChoose: (chosen: Chosen | undefined) => void;
  /** How many fences were drawn. */
  readonly onDrawn: (count: number) => void;
}

/** How much one key press or one step of the wheel zooms, and pans. */
const ZOOM = 1.25;
const STEP = 0.1;

/** Lanes on a time axis. It is drawn once for each of the browser's frames in which something has changed. */
export function Chart(props: ChartProps) {
  const { lanes, pending, window, now, chosen, onWindow, onChoose } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const scrolled = useSignal(0);
  const size = useSignal({ width: 0, height: 0 });
  // They are the same in each of the frames of a movement.
  const names = useMemo(
    () => lanes.map((lane) => <LaneName key={lane.key} lane={lane} pending={pending.get(lane.key)} />),
    [lanes, pending],
  );
  const latest = useRef(props);
  latest.current = props;
  const isAsked = useRef(false);

  const drawSoon = (): void => {
    if (isAsked.current) return;
    isAsked.current = true;
    requestAnimationFrame(() => {
      isAsked.current = false;
      if (canvas.current !== null) latest.current.onDrawn(drawOn(canvas.current, latest.current, scrolled.peek()));
    });
  };

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) size.value = { width: entry.contentRect.width, height: entry.contentRect.height };
    });
    observer.observe(canvas.current!);
    return () => observer.disconnect();
  }, [size]);
  useSignalEffect(() => {
    void [size.value, scrolled.value, theme.value];
    drawSoon();
  });
  useEffect(drawSoon);

  const timeAt = (x: number): number => window.from + ((window.to - window.from) * x) / (size.value.width || 1);
  const zoom = (factor: number, around = (window.from + window.to) / 2): void =>
    onWindow(zoomed(window, factor, around));

  const onWheel = (event: WheelEvent): void => {
    if (event.ctrlKey || event.metaKey) zoom(event.deltaY > 0 ? ZOOM : 1 / ZOOM, timeAt(event.offsetX));
    else if (event.deltaX !== 0 || event.shiftKey)
      onWindow(panned(window, (event.deltaX || event.deltaY) / size.value.width));
    else return;
    event.preventDefault();
  };

  const pointers = useRef(new Map<number, number>());
  const hasMoved = useRef(false);
  const onPointerDown = (event: PointerEvent): void => {
    pointers.current.set(event.pointerId, event.offsetX);
    hasMoved.current = false;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent): void => {
    const before = pointers.current.get(event.pointerId);
    if (before === undefined) return;
    const by = event.offsetX - before;
    if (Math.abs(by) < 3 && !hasMoved.current) return;
    hasMoved.current = true;
    const others = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
    pointers.current.set(event.pointerId, event.offsetX);
    const [other] = others;
    if (other === undefined) return onWindow(panned(window, -by / size.value.width));
    // Two fingers: what is between them becomes longer or shorter.
    const factor = Math.abs(before - other) / Math.max(1, Math.abs(event.offsetX - other));
    onWindow(zoomed(window, factor, timeAt(other)));
  };
  const onPointerUp = (event: PointerEvent): void => {
    pointers.current.delete(event.pointerId);
    if (hasMoved.current) return;
    const lane = lanes[Math.floor((event.offsetY - AXIS + scrolled.value) / LANE)];
    onChoose(lane === undefined || event.offsetY < AXIS ? undefined : fenceAt(lane, timeAt(event.offsetX)));
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    switch (event.key) {
      case "ArrowLeft":
        onWindow(panned(window, -STEP));
        break;
      case "ArrowRight":
        onWindow(panned(window, STEP));
        break;
      case "+":
      case "=":
        zoom(1 / ZOOM);
        break;
      case "-":
        zoom(ZOOM);
        break;
      case "0":
        onWindow({ from: now - 10e9, to: now });
        break;
      case "[":
      case "]":
        onChoose(neighbour(lanes, chosen, event.key === "]" ? 1 : -1, window));
        break;
      case "ArrowDown":
      case "ArrowUp":
        scroller.current?.scrollBy({ top: event.key === "ArrowDown" ? LANE : -LANE });
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div
      class="lanes"
      ref={scroller}
      tabIndex={0}
      role="group"
      aria-label="Timelines. Left and right arrow keys pan, plus and minus zoom, 0 shows the last ten seconds, brackets choose a fence"
      onScroll={({ currentTarget }) => (scrolled.value = currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <div class="lanes-inner">
        <ul class="lane-names" style={{ paddingTop: `${AXIS}px` }}>
          {names}
        </ul>
        <canvas
          ref={canvas}
          aria-hidden="true"
          style={{ height: `min(calc(62vh - 2px), ${Math.min(638, AXIS + lanes.length * LANE)}px)` }}
          onWheel={onWheel}
          onPointerDown={onPointerDown}
          onPointerMove={onPointerMove}
          onPointerUp={onPointerUp}
          onPointerCancel={({ pointerId }) => pointers.current.delete(pointerId)}
        />
      </div>
    </div>
  );
}

function LaneName({ lane, pending }: { lane: Lane; pending: PendingFences | undefined }) {
  const { name, completed, end } = lane.timeline;
  const state = end === undefined ? (pending === undefined ? "" : `${pending.count} pending`) : `ended: ${end}`;
  return (
    <li style={{ height: `${LANE}px` }} title={name}>
      <span class="lane-name">{name}</span>
      <span class={pending?.isOverdue === true || end !== undefined ? "small bad number" : "small quiet number"}>
        {state || completed.toLocaleString("en")}
      </span>
    </li>
  );
}

function drawOn(
  canvas: HTMLCanvasElement,
  { lanes, pending, now, window, chosen }: ChartProps,
  scrolled: number,
): number {
  const { clientWidth, clientHeight } = canvas;
  const ratio = devicePixelRatio;
  const width = Math.round(clientWidth * ratio);
  const height = Math.round(clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (context === null || width === 0) return 0;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const font = `12px ${getComputedStyle(canvas).fontFamily}`;
  return draw(context, { lanes, pending, now, window, scrolled, chosen }, paletteOf(canvas), font);
}

/** The fence whose bar is at a time; nothing where there is none. */
function fenceAt(lane: Lane, time: number): Chosen | undefined {
  const index = lane.firstFrom(time);
  if (index === lane.count || lane.startOf(index) > time) return undefined;
  return { key: lane.key, seqno: lane.numberOf(index) };
}

/** The fence before or after the chosen one; the last one of the window if there is none. */
function neighbour(
  lanes: readonly Lane[],
  chosen: Chosen | undefined,
  by: 1 | -1,
  { to }: TimeWindow,
): Chosen | undefined {
  const lane = lanes.find(({ key }) => key === chosen?.key) ?? lanes.find(({ count }) => count > 0);
  if (lane === undefined || lane.count === 0) return undefined;
  const at = chosen === undefined ? lane.firstFrom(to) - 1 : lane.indexOf(chosen.seqno) + by;
  return { key: lane.key, seqno: lane.numberOf(Math.min(lane.count - 1, Math.max(0, at))) };
}
