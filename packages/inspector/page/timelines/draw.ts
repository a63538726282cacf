import { barsIn } from "../../src/timelines/bars.js";
import type { Lane } from "../../src/timelines/lane.js";
import type { PendingFences } from "../../src/timelines/pending.js";
import { ticks, type TimeWindow } from "../../src/timelines/window.js";

/** Heights in pixels. */
export const AXIS = 24;
export const LANE = 32;
const BAR = 16;
/** The width that a time on the axis needs. */
const LABEL = 96;

/** What is drawn. */
export interface Scene {
  readonly lanes: readonly Lane[];
  readonly pending: ReadonlyMap<string, PendingFences>;
  readonly window: TimeWindow;
  /** The moment that is shown as now: the axis counts from it. */
  readonly now: number;
  /** Pixels that are scrolled out above. */
  readonly scrolled: number;
  /** The lane and the fence that are chosen. */
  readonly chosen: { readonly key: string; readonly seqno: number } | undefined;
}

/** Colours of the page, which differ in light and dark. */
export type Palette = Readonly<Record<"line" | "ink" | "done" | "done-many" | "pending" | "bad" | "accent", string>>;

export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--bar-${name}`).trim();
  return {
    line: colour("line"),
    ink: colour("ink"),
    done: colour("done"),
    "done-many": colour("done-many"),
    pending: colour("pending"),
    bad: colour("bad"),
    accent: colour("accent"),
  };
}

/** Draws a part of the time, and says how many fences are in it. */
export function draw(context: CanvasRenderingContext2D, scene: Scene, palette: Palette, font: string): number {
  const { width, height } = sizeOf(context);
  context.clearRect(0, 0, width, height);
  context.font = font;
  drawAxis(context, scene, palette);
  context.save();
  context.beginPath();
  context.rect(0, AXIS, width, height - AXIS);
  context.clip();
  let count = 0;
  const first = Math.max(0, Math.floor(scene.scrolled / LANE));
  const last = Math.min(scene.lanes.length, Math.ceil((scene.scrolled + height - AXIS) / LANE));
  for (let i = first; i < last; i++) {
    count += drawLane(context, scene, scene.lanes[i]!, AXIS + i * LANE - scene.scrolled, palette);
  }
  context.restore();
  return count;
}

/** In the page's pixels. */
function sizeOf({ canvas }: CanvasRenderingContext2D): { width: number; height: number } {
  return { width: canvas.clientWidth, height: canvas.clientHeight };
}

function drawAxis(context: CanvasRenderingContext2D, { window, now }: Scene, palette: Palette): void {
  const { width, height } = sizeOf(context);
  const { times, digits } = ticks(window, now, width / LABEL);
  const scale = width / (window.to - window.from);
  context.textBaseline = "middle";
  for (const time of times) {
    const x = Math.round((time - window.from) * scale) + 0.5;
    context.fillStyle = palette.line;
    context.fillRect(x, 0, 1, height);
    context.fillStyle = palette.ink;
    context.fillText(timeText(time - now, digits), x + 5, AXIS / 2);
  }
}

function timeText(nanoseconds: number, digits: number): string {
  if (Math.abs(nanoseconds) < 1) return "now";
  const seconds = Math.abs(nanoseconds) / 1e9;
  const sign = nanoseconds < 0 ? "−" : "+";
  if (digits > 6) return `${sign}${(seconds * 1e6).toFixed(digits - 6)} µs`;
  return digits > 3 ? `${sign}${(seconds * 1e3).toFixed(digits - 3)} ms` : `${sign}${seconds.toFixed(digits)} s`;
}

function drawLane(
  context: CanvasRenderingContext2D,
  { window, pending, now, chosen }: Scene,
  lane: Lane,
  top: number,
  palette: Palette,
): number {
  const { width } = sizeOf(context);
  const scale = width / (window.to - window.from);
  const y = top + (LANE - BAR) / 2;
  context.fillStyle = palette.line;
  context.fillRect(0, Math.round(top + LANE) - 1, width, 1);
  let count = 0;
  // Neighbours of one colour that touch are one rectangle: there may be as many as pixels.
  const run = { style: "", left: 0, right: 0 };
  const paint = (): void => {
    context.fillStyle = run.style;
    context.fillRect(run.left, y, run.right - run.left, BAR);
  };
  for (const bar of barsIn(lane, window, width)) {
    count += bar.count;
    const style = bar.hasFailed ? palette.bad : bar.count > 1 ? palette["done-many"] : palette.done;
    const left = Math.floor(bar.left);
    // A gap between those that are wide enough, so that each is seen.
    const right = Math.max(left + 1, Math.floor(bar.left + bar.width) - (bar.width >= 4 ? 1 : 0));
    if (style !== run.style || left > run.right) {
      if (run.style !== "") paint();
      run.style = style;
      run.left = left;
    }
    run.right = right;
  }
  if (run.style !== "") paint();
  if (chosen?.key === lane.key) drawChosen(context, lane, chosen.seqno, { window, y, palette });
  const open = pending.get(lane.key);
  if (open === undefined) return count;
  const left = (open.since - window.from) * scale;
  const right = (now - window.from) * scale;
  if (right < 0 || left > width) return count;
  context.fillStyle = open.isOverdue ? palette.bad : palette.pending;
  context.fillRect(Math.max(0, left), y, Math.max(2, Math.min(width, right) - Math.max(0, left)), BAR);
  // An open end: its work goes on.
  context.clearRect(Math.min(width, right) - 2, y + BAR / 2 - 2, 2, 4);
  return count + open.count;
}

function drawChosen(
  context: CanvasRenderingContext2D,
  lane: Lane,
  seqno: number,
  { window, y, palette }: { window: TimeWindow; y: number; palette: Palette },
): void {
  const scale = sizeOf(context).width / (window.to - window.from);
  const index = lane.indexOf(seqno);
  const left = (lane.startOf(index) - window.from) * scale;
  const width = (lane.endOf(index) - lane.startOf(index)) * scale;
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.strokeRect(left, y - 1, Math.max(3, width), BAR + 2);
}
