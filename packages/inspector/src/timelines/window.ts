/** The part of the time that is drawn, from one moment to another: monotonic nanoseconds. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** The shortest and the longest time that can be shown, in nanoseconds. */
const SHORTEST = 10_000;
const LONGEST = 600e9;

/** The same length, later or earlier by a part of it. */
export function panned({ from, to }: TimeWindow, part: number): TimeWindow {
  const by = (to - from) * part;
  return { from: from + by, to: to + by };
}

/** The same length, and no later than a time. */
export function endingBy(window: TimeWindow, latest: number): TimeWindow {
  const late = Math.max(0, window.to - latest);
  return { from: window.from - late, to: window.to - late };
}

/** Longer or shorter by a factor; what is at a time stays where it is. */
export function zoomed({ from, to }: TimeWindow, factor: number, around: number): TimeWindow {
  const length = Math.min(LONGEST, Math.max(SHORTEST, (to - from) * factor));
  const before = (around - from) / (to - from);
  return { from: around - length * before, to: around + length * (1 - before) };
}

/** Times for the axis, at most so many, at round distances from `zero`; and how many digits their seconds need. */
export function ticks({ from, to }: TimeWindow, zero: number, most: number): { times: number[]; digits: number } {
  const rough = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => power * factor >= rough) ?? 10);
  const first = Math.ceil((from - zero) / step);
  const last = Math.floor((to - zero) / step);
  const times = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => zero + (first + i) * step);
  return { times, digits: Math.max(0, -Math.floor(Math.log10(step / 1e9) + 1e-9)) };
}
