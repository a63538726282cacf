import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { EDGES } from "../../src/latency/histogram.js";
import { theme } from "dmabuf-page-parts";
import { shortDuration } from "../format.js";

/** Pixels. */
const HEIGHT = 150;
/** The width that the end of a bar needs for its label. */
const LABEL = 56;
/** Bars that are shown at least, so that one alone does not fill all. */
const FEWEST = 8;

interface HistogramProps {
  /** By the edges of `EDGES`. */
  readonly counts: readonly number[];
  /** What it shows, in words. */
  readonly label: string;
}

/** How often something took how long: a bar for each range of durations. */
export function Histogram({ counts, label }: HistogramProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const shown = useRef<Bars | undefined>(undefined);
  shown.current = barsOf(counts);
  const key = counts.join(",");
  const colours = theme.value;

  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(optionsFor(element, shown), dataOf(shown.current!), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [colours]);
  useEffect(() => plot.current?.setData(dataOf(shown.current!)), [key]);
  return <div class="histogram" ref={place} role="img" aria-label={label} />;
}

/** The bars that are not empty, and those between. */
interface Bars {
  readonly first: number;
  readonly counts: readonly number[];
}

function barsOf(counts: readonly number[]): Bars {
  const filled = counts.flatMap((count, i) => (count > 0 ? [i] : []));
  const [from = 0, to = 0] = [filled[0], filled.at(-1)];
  const missing = Math.max(0, FEWEST - (to - from + 1));
  const first = Math.max(0, Math.min(from - Math.floor(missing / 2), counts.length - FEWEST));
  return { first, counts: counts.slice(first, Math.max(to + 1, first + FEWEST)) };
}

function dataOf({ first, counts }: Bars): uPlot.AlignedData {
  return [counts.map((_, i) => first + i), [...counts]];
}

function optionsFor(element: HTMLElement, shown: { readonly current: Bars | undefined }): uPlot.Options {
  // What the style sheet says of the element, which differs in light and dark.
  const colour = (name: "color" | "borderTopColor" | "outlineColor") => (): string => getComputedStyle(element)[name];
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: colour("color"), font, ticks: { show: false } };
  const ends = (plot: uPlot): number[] => {
    const { first, counts } = shown.current!;
    const step = Math.max(1, Math.ceil((counts.length * LABEL) / Math.max(1, plot.width)));
    return counts.flatMap((_, i) => (i % step === 0 && first + i < EDGES.length ? [first + i + 0.5] : []));
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 26, 0, 0],
    scales: {
      x: {
        time: false,
        range: () => [shown.current!.first - 0.6, shown.current!.first + shown.current!.counts.length - 0.4],
      },
      y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.08)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        grid: { show: false },
        splits: ends,
        values: (_plot, splits) => splits.map((split) => shortDuration(EDGES[split - 0.5]!)),
      },
      {
        ...axis,
        size: 48,
        grid: { stroke: colour("outlineColor"), width: 1 },
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000],
        values: (_plot, splits) => splits.map((split) => split.toLocaleString("en")),
      },
    ],
    series: [
      {},
      {
        fill: colour("borderTopColor"),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars!({ size: [0.86, 60], radius: 0.1 }),
      },
    ],
  };
}
