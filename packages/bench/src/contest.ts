import { median, type Figures } from "./figures.js";

/** One way to do a thing, measured in a process of its own. */
export interface Contestant {
  readonly name: string;
  /** Whether it is this library, or a peer that it is compared with. */
  readonly ours: boolean;
  run(): Figures;
}

/** Ways to do the same thing, side by side. */
export interface Measure {
  /** The group that `--only` selects it by. */
  readonly group: string;
  /** Names the measure among all. */
  readonly name: string;
  /** What is measured, for people. */
  readonly title: string;
  /** Bytes handed over, where that is of interest. */
  readonly bytes?: number;
  readonly contestants: readonly Contestant[];
}

/** What all runs of one contestant showed. */
export interface Standing extends Figures {
  readonly name: string;
  readonly ours: boolean;
  /** The median of the runs' `p50`; `best`, `p50` and `p99` are those of the best run. */
  readonly median: number;
  readonly runs: readonly Figures[];
  /** For this library, what it costs in terms of each peer. */
  readonly ratios: readonly Ratio[];
}

/** How many times the peer's cost ours is, compared by the runs' `p50`. */
interface Ratio {
  readonly peer: string;
  /** Our best run by the peer's best run. */
  readonly best: number;
  /** The median over the pairs of runs that ran next to each other. */
  readonly median: number;
}

export interface Result extends Omit<Measure, "contestants"> {
  readonly standings: readonly Standing[];
}

/** Runs the contestants in turn, again and again, so that what else the machine does hits all of them alike. */
export function hold({ contestants, ...measure }: Measure, rounds: number): Result {
  const runs = contestants.map((): Figures[] => []);
  for (let round = 0; round < rounds; round++) {
    contestants.forEach((contestant, i) => runs[i]!.push(contestant.run()));
  }
  const standings = contestants.map(({ name, ours }, i): Standing => {
    const own = runs[i]!;
    const peers = contestants.flatMap((peer, k) => (ours && !peer.ours ? [{ peer: peer.name, runs: runs[k]! }] : []));
    return {
      name,
      ours,
      ...bestRun(own),
      median: median(own.map(({ p50 }) => p50)),
      runs: own,
      ratios: peers.map(({ peer, runs: theirs }) => ({ peer, ...ratio(own, theirs) })),
    };
  });
  return { ...measure, standings };
}

function bestRun(runs: readonly Figures[]): Figures {
  return runs.reduce((best, run) => (run.p50 < best.p50 ? run : best));
}

function ratio(own: readonly Figures[], theirs: readonly Figures[]): Omit<Ratio, "peer"> {
  return {
    best: bestRun(own).p50 / bestRun(theirs).p50,
    median: median(own.map(({ p50 }, i) => p50 / theirs[i]!.p50)),
  };
}
