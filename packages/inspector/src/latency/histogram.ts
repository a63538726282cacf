/** Nanoseconds where a bar of a histogram ends and the next one begins: 1, 2, 5, 10 µs and so on to 10 s. */
export const EDGES: readonly number[] = [
  ...[3, 4, 5, 6, 7, 8, 9].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)),
  1e10,
];

/** How long something took, of many times. */
export interface Spread {
  /** How many there are of each bar: shorter than the first edge, then between each two, then from the last edge on. */
  readonly counts: readonly number[];
  readonly times: number;
  /** Nanoseconds that half of them, and 95 of 100, were not longer than. */
  readonly median: number;
  readonly most95: number;
  readonly longest: number;
}

/** Nothing of nothing. */
export function spreadOf(durations: readonly number[]): Spread | undefined {
  if (durations.length === 0) return undefined;
  const sorted = Float64Array.from(durations).sort();
  const counts = new Array<number>(EDGES.length + 1).fill(0);
  let bar = 0;
  for (const duration of sorted) {
    while (bar < EDGES.length && duration >= EDGES[bar]!) bar++;
    counts[bar]!++;
  }
  const within = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1]!;
  return {
    counts,
    times: sorted.length,
    median: within(0.5),
    most95: within(0.95),
    longest: within(1),
  };
}
