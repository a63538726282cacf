import type { Lane } from "./lane.js";
import type { TimeWindow } from "./window.js";

/** Some of a lane's fences as they are drawn: those that come to the same pixels are one. */
export interface Bar {
  /** Pixels. */
  readonly left: number;
  readonly width: number;
  /** How many fences it stands for. */
  readonly count: number;
  /** The first of them, by its index in the lane. */
  readonly first: number;
  readonly hasFailed: boolean;
}

/** The narrowest bar, in pixels. */
const NARROWEST = 1;

/**
 * The completed fences of a lane in a window.
 *
 * bars.1. There are never more than two bars to a pixel, whatever the number of fences: one of those that are narrower than
 *      it, after which the next fence beyond the pixel is searched for by halves, and one that is as wide.
 * bars.2. No fence is lost: each one of the window is in one bar's count.
 */
export function* barsIn(lane: Lane, { from, to }: TimeWindow, width: number): Generator<Bar> {
  const scale = width / (to - from);
  let first = lane.firstFrom(from);
  while (first < lane.count) {
    const left = Math.max(0, (lane.startOf(first) - from) * scale);
    if (left >= width) return;
    const end = (lane.endOf(first) - from) * scale;
    const right = Math.max(left + NARROWEST, end);
    const isWide = end - left >= NARROWEST;
    // bars.1
    const pixelEnd = from + (Math.floor(left) + NARROWEST) / scale;
    const next = isWide ? first + 1 : Math.max(first + 1, lane.firstFrom(pixelEnd));
    yield {
      left,
      width: Math.min(width, right) - left,
      count: next - first,
      first,
      hasFailed: lane.hasFailureIn(first, next),
    };
    first = next;
  }
}
