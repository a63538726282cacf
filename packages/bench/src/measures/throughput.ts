import type { Children } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import type { ProcessThroughputParameters } from "../sides/process-throughput.js";
import { ICEORYX } from "./process-hand-off.js";
import { planOf, type Scale } from "./scale.js";

const BYTES = 1024;
/** How many frames are on their way at most, in each contestant. */
const BUFFERS = 32;

type Wait = ProcessThroughputParameters["wait"];

const WAITS: Readonly<Record<Wait, string>> = {
  spin: "frame stream, spinning",
  usual: "frame stream, spinning for 50 µs",
  park: "frame stream, parking at once",
};

interface Race {
  readonly consumers: number;
  readonly title: string;
  readonly peer: "spin" | "wait";
  readonly ours: readonly Wait[];
}

/** A side that spins without end needs a processor of its own. */
const RACES: readonly Race[] = [
  { consumers: 1, title: "one consumer, spinning", peer: "spin", ours: ["spin"] },
  ...[1, 4, 16].map((consumers): Race => {
    const title = consumers === 1 ? "one consumer, asleep if it must" : `${consumers} consumers, asleep if they must`;
    return { consumers, title, peer: "wait", ours: ["usual", "park"] };
  }),
];

/** The measures' names, and how our best contestant compares with the peer of each. */
export const THROUGHPUTS = RACES.map(({ consumers, title, peer }) => ({
  name: throughputName(consumers, peer),
  title,
  peer: ICEORYX[peer],
}));

function throughputName(consumers: number, peer: Race["peer"]): string {
  return `throughput/${peer}/${consumers}`;
}

/** Frames of 1 KiB from one process to others as fast as they go, none lost; what one costs. */
export function throughputMeasures(children: Children, scale: Scale): Measure[] {
  return RACES.filter(({ peer }) => peer === "wait" || children.canPlace("apart")).map((race): Measure => {
    const { consumers, title, peer } = race;
    const plan = planOf(scale, { samples: Math.ceil(400 / consumers), batch: 500, warm: 5000 });
    const ours = race.ours.map((wait): Contestant => ({
      name: WAITS[wait],
      ours: true,
      run: () => children.runThroughput({ plan, wait, bytes: BYTES, buffers: BUFFERS }, consumers),
    }));
    const theirs: Contestant = {
      name: ICEORYX[peer],
      ours: false,
      run: () => children.runIceoryxThroughput(peer, plan, consumers),
    };
    return {
      group: "throughput",
      name: throughputName(consumers, peer),
      title: `1 KiB frames between processes, one producer, ${title}; each`,
      bytes: BYTES,
      contestants: children.hasIceoryx ? [...ours, theirs] : ours,
    };
  });
}
