import type { Children, Placement } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import { formatBytes } from "../figures.js";
import type { FenceRoundTripParameters } from "../sides/fence-round-trip.js";
import type { MessageRoundTripParameters } from "../sides/message-round-trip.js";
import type { StreamRoundTripParameters } from "../sides/stream-round-trip.js";
import { planOf, type Scale } from "./scale.js";

/** RGBA at 1920 × 1080. */
export const FRAME_BYTES = 1920 * 1080 * 4;

export const SIZES = [2 ** 10, 2 ** 16, 2 ** 20, FRAME_BYTES, 2 ** 25];

/** How the two sides wait. On one processor spinning would only keep the other side from running. */
export const MANNERS = {
  apart: ["spinning", "parked", "asynchronous"],
  together: ["parked", "asynchronous"],
} as const;

const WAITS = { spinning: "spin", parked: "park", asynchronous: "async" } as const;

/** A buffer there and back, its first and last byte written and checked. */
export function handOffMeasures(children: Children, scale: Scale): Measure[] {
  const measures: Measure[] = [];
  for (const placement of ["apart", "together"] as const) {
    if (!children.canPlace(placement)) continue;
    for (const bytes of placement === "apart" ? SIZES : [FRAME_BYTES]) {
      const where = placement === "apart" ? "on two processors" : "on one processor";
      measures.push({
        group: "hand-off",
        name: handOffName(bytes, placement),
        title: `hand-off of ${formatSize(bytes)}, ${where}`,
        bytes,
        contestants: [
          ...MANNERS[placement].flatMap((manner) => ours(children, scale, placement, manner, bytes)),
          ...messages(children, scale, placement, bytes),
        ],
      });
    }
  }
  return children.canPlace("apart") ? [sizesMeasure(children, scale), ...measures] : measures;
}

/** The sizes in turn: measured one after the other, they would differ by what else the machine does. */
function sizesMeasure(children: Children, scale: Scale): Measure {
  const contestants = SIZES.flatMap((bytes) =>
    ours(children, scale, "apart", "spinning", bytes).map((contestant, i) => ({
      ...contestant,
      name: sizeName(WAYS[i]!, bytes),
    })),
  );
  return {
    group: "hand-off",
    name: SIZES_NAME,
    title: "hand-off of each size, spinning, on two processors",
    contestants,
  };
}

export const SIZES_NAME = "hand-off/sizes";

/** How this library hands a buffer over. */
export const WAYS = ["fences", "frame stream"] as const;

/** The name of a contestant of the measure of all sizes. */
export function sizeName(way: string, bytes: number): string {
  return `${way}, ${formatSize(bytes)}`;
}

function formatSize(bytes: number): string {
  return bytes === FRAME_BYTES ? "one 1080p frame (RGBA)" : formatBytes(bytes);
}

/** The name of a measure of this group. */
export function handOffName(bytes: number, placement: Placement): string {
  return `hand-off/${bytes}/${placement}`;
}

function ours(
  children: Children,
  scale: Scale,
  placement: Placement,
  manner: keyof typeof WAITS,
  bytes: number,
): Contestant[] {
  const wait = WAITS[manner];
  const plan = planOf(scale, wait === "spin" ? { samples: 400, batch: 50 } : { samples: 2000, batch: 1 });
  const parameters: FenceRoundTripParameters & StreamRoundTripParameters = { plan, wait, bytes };
  const files = { fences: "fence-round-trip.js", "frame stream": "stream-round-trip.js" };
  return WAYS.map((way) => ({
    name: `${way}, ${manner}`,
    ours: true,
    run: () => children.runWorkers(files[way], placement, parameters),
  }));
}

function messages(children: Children, scale: Scale, placement: Placement, bytes: number): Contestant[] {
  return (["copy", "transfer", "shared"] as const).map((way) => {
    // Copies of large frames take milliseconds, in which the code around them matters little.
    const samples = way === "copy" ? Math.min(2000, Math.max(100, Math.floor(2 ** 29 / bytes))) : 2000;
    const plan = planOf(scale, { samples, batch: 1, warm: samples === 2000 ? 3000 : 20 });
    return {
      name: `postMessage, ${way}`,
      ours: false,
      run: () =>
        children.runWorkers<MessageRoundTripParameters>("message-round-trip.js", placement, { plan, way, bytes }),
    };
  });
}
