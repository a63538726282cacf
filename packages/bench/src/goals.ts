import type { Result, Standing } from "./contest.js";
import { formatNs, formatRatio } from "./figures.js";
import { ONE_THREAD, VALIDATED } from "./measures/alone.js";
import { GROWTH, SMALLEST } from "./measures/growth.js";
import { FRAME_BYTES, handOffName, MANNERS, SIZES, SIZES_NAME, sizeName, WAYS } from "./measures/hand-off.js";
import {
  BY_FENCES,
  ICEORYX,
  processHandOffName,
  THERE_AND_BACK,
  VALIDATED_THERE_AND_BACK,
} from "./measures/process-hand-off.js";
import { THROUGHPUTS } from "./measures/throughput.js";

/** What the library promises itself, and what came out. Nothing fails if it is missed: machines differ. */
export interface Goal {
  readonly goal: string;
  /** Nanoseconds, or how many times something else. */
  readonly figure: number;
  readonly unit: "ns" | "times";
  readonly limit: number;
  /** Whether the figure must not be above the limit, or not below it. */
  readonly bound: "at most" | "at least";
  readonly met: boolean;
}

type Claim = Omit<Goal, "figure" | "met"> & {
  readonly figure: (results: readonly Result[]) => number | undefined;
};

const PLACEMENTS = [
  ["together", "on one processor"],
  ["apart", "on two processors"],
] as const;

const FRAME_HAND_OFFS = PLACEMENTS.flatMap(([placement, where]) =>
  MANNERS[placement].map((manner) => [placement, manner, where] as const),
);

/** How many times the peer's cost a hand-off may take, by its way. */
const BETWEEN_PROCESSES = {
  [BY_FENCES]: { spin: 0.35, park: { together: 1, apart: 0.95 }, async: { together: 2.5, apart: 1.5 } },
  [THERE_AND_BACK]: { spin: 0.6, park: { together: 1, apart: 1 }, async: { together: 2.5, apart: 1.5 } },
};

const VALIDATED_HAND_OFFS = [
  ["in one thread", "one-thread", VALIDATED.frames, ONE_THREAD.frames],
  ["in one thread, awaited", "one-thread", VALIDATED.awaited, ONE_THREAD.awaited],
  ...(["spin", "park", "async"] as const).map(
    (wait) =>
      [
        `between processes, ${wait}`,
        processHandOffName(wait, "apart"),
        VALIDATED_THERE_AND_BACK,
        THERE_AND_BACK,
      ] as const,
  ),
] as const;

/** All goals. */
export const CLAIMS: readonly Claim[] = [
  {
    goal: "a frame from its loan to its end in one thread",
    unit: "ns",
    bound: "at most",
    limit: 220,
    figure: (results) => find(results, "one-thread", ONE_THREAD.frames)?.p50,
  },
  {
    goal: "create and signal a fence with its time",
    unit: "ns",
    bound: "at most",
    limit: 70,
    figure: (results) => find(results, "fence", "create + signal")?.p50,
  },
  {
    goal: "lock, reserve, add and unlock a reservation",
    unit: "ns",
    bound: "at most",
    limit: 120,
    figure: (results) => find(results, "reservation", "lock + reserve + add + unlock")?.p50,
  },
  {
    goal: "spinning round trip, in those of C that stores the time",
    unit: "times",
    bound: "at most",
    limit: 1.8,
    figure: (results) => ratio(find(results, "spinning/apart", "fences"), "C spinning, time stored"),
  },
  ...PLACEMENTS.flatMap(([placement, where]) =>
    ["C futex", "C futex, processes"].map((peer): Claim => ({
      goal: `parked round trip ${where}, in those of ${peer}`,
      unit: "times",
      bound: "at most",
      limit: 2.5,
      figure: (results) => ratio(find(results, `parked/${placement}`, "fences"), peer),
    })),
  ),
  ...WAYS.map((way): Claim => ({
    goal: `hand-off by ${way}: the dearest size in terms of the cheapest`,
    unit: "times",
    bound: "at most",
    limit: 1.5,
    figure: (results) => {
      const costs = SIZES.flatMap((bytes) => find(results, SIZES_NAME, sizeName(way, bytes))?.p50 ?? []);
      return costs.length === 0 ? undefined : Math.max(...costs) / Math.min(...costs);
    },
  })),
  ...FRAME_HAND_OFFS.map(([placement, manner, where]): Claim => ({
    goal: `1080p frame by frame stream, ${manner} ${where}: how many times cheaper than a postMessage copy`,
    unit: "times",
    bound: "at least",
    limit: 100,
    figure: (results) => {
      const ours = find(results, handOffName(FRAME_BYTES, placement), `frame stream, ${manner}`);
      const times = ratio(ours, "postMessage, copy");
      return times === undefined ? undefined : 1 / times;
    },
  })),
  ...Object.entries(BETWEEN_PROCESSES).flatMap(([way, limits]): Claim[] => [
    {
      goal: `1080p between processes, ${way}: spinning, in those of iceoryx`,
      unit: "times",
      bound: "at most",
      limit: limits.spin,
      figure: (results) => handOffRatio(results, way, "spin", "apart", ICEORYX.spin),
    },
    ...PLACEMENTS.flatMap(([placement, where]): Claim[] => [
      {
        goal: `1080p between processes, ${way}: parked ${where}, in those of iceoryx's wait set`,
        unit: "times",
        bound: "at most",
        limit: limits.park[placement],
        figure: (results) => handOffRatio(results, way, "park", placement, ICEORYX.wait),
      },
      {
        goal: `1080p between processes, ${way}: asynchronous ${where}, in round trips of C's eventfd + epoll`,
        unit: "times",
        bound: "at most",
        limit: limits.async[placement],
        figure: (results) => handOffRatio(results, way, "async", placement, "C eventfd + epoll, one word"),
      },
    ]),
  ]),
  ...THROUGHPUTS.map(({ name, title, peer }): Claim => ({
    goal: `1 KiB frames between processes, ${title}: what one costs, in ${peer}'s`,
    unit: "times",
    bound: "at most",
    limit: 1,
    figure: (results) => {
      const ratios = (resultOf(results, name)?.standings ?? []).flatMap((standing) => ratio(standing, peer) ?? []);
      return ratios.length === 0 ? undefined : Math.min(...ratios);
    },
  })),
  ...Object.entries(GROWTH).flatMap(([where, { name, crowds }]) =>
    crowds.map((crowd): Claim => ({
      goal: `hand-off, ${where}, beside ${crowd}: in those of ${SMALLEST}`,
      unit: "times",
      bound: "at most",
      limit: 1.3,
      figure: (results) => inThoseOf(results, name, crowd, SMALLEST),
    })),
  ),
  ...VALIDATED_HAND_OFFS.map(([where, name, validated, usual]): Claim => ({
    goal: `hand-off ${where}, validated: in those of a domain that is not`,
    unit: "times",
    bound: "at most",
    limit: 3,
    figure: (results) => inThoseOf(results, name, validated, usual),
  })),
];

/** What one contestant of a measure costs, in those of another one. */
function inThoseOf(results: readonly Result[], name: string, contestant: string, usual: string): number | undefined {
  const [cost, other] = [contestant, usual].map((each) => find(results, name, each)?.p50);
  return cost === undefined ? undefined : cost / other!;
}

function handOffRatio(
  results: readonly Result[],
  way: string,
  ...[wait, placement, peer]: [...Parameters<typeof processHandOffName>, string]
): number | undefined {
  return ratio(find(results, processHandOffName(wait, placement), way), peer);
}

/** The goals about which something was measured. */
export function judge(results: readonly Result[]): Goal[] {
  return CLAIMS.flatMap(({ figure: measured, ...claim }) => {
    const figure = measured(results);
    if (figure === undefined) return [];
    return [{ ...claim, figure, met: claim.bound === "at most" ? figure <= claim.limit : figure >= claim.limit }];
  });
}

/** A goal's figure or limit, for people. */
export function formatGoal({ unit }: Goal, value: number): string {
  return unit === "ns" ? formatNs(value) : formatRatio(value);
}

function resultOf(results: readonly Result[], name: string): Result | undefined {
  return results.find((candidate) => candidate.name === name);
}

function find(results: readonly Result[], name: string, contestant: string): Standing | undefined {
  return resultOf(results, name)?.standings.find((standing) => standing.name === contestant);
}

function ratio(standing: Standing | undefined, peer: string): number | undefined {
  return standing?.ratios.find((candidate) => candidate.peer === peer)?.best;
}
