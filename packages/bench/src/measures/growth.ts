import type { Children } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import type { Crowd } from "../sides/crowd.js";
import type { GrowthParameters } from "../sides/growth.js";
import type { StreamRoundTripParameters } from "../sides/stream-round-trip.js";
import { planOf, type Scale } from "./scale.js";

export const SMALLEST = "the smallest domain";
const ALL_TAKE = "64 consumers, a frame to each";

/** What a domain can have, its other tables as small as they can be. */
const CROWDS: Readonly<Record<string, Crowd>> = {
  "64 agents": { agents: 64 },
  "1,023 agents": { agents: 1023 },
  "1,024 buffers": { buffers: 1024 },
  "65,536 buffers": { buffers: 2 ** 16 },
  "64 streams": { streams: 64 },
  "32 places": { places: 32 },
  "64 consumers, one of which takes": { consumers: 64 },
};

/** Parked, one buffer goes to and fro. */
const PARKED_CROWDS = Object.entries(CROWDS).filter(([, { places }]) => places === undefined);

/** The measures' names, and which domains each compares with the smallest one. */
export const GROWTH = {
  "in one thread": { name: "growth/one-thread", crowds: [...Object.keys(CROWDS), ALL_TAKE] },
  parked: { name: "growth/parked", crowds: PARKED_CROWDS.map(([name]) => name) },
};

/** What a hand-off costs beside all that a domain can have: it is there, and at rest. */
export function growthMeasures(children: Children, scale: Scale): Measure[] {
  const alone = (crowd: Crowd, others: Partial<GrowthParameters> = {}): Contestant["run"] => {
    const plan = planOf(scale, { samples: 400, batch: 1000 });
    return () => children.runSide<GrowthParameters>("growth.js", { plan, crowd, ...others });
  };
  const parked = (crowd: Crowd): Contestant["run"] => {
    const plan = planOf(scale, { samples: 2000, batch: 1 });
    const parameters: StreamRoundTripParameters = { plan, wait: "park", bytes: 4096, crowd };
    return () => children.runWorkers("stream-round-trip.js", "together", parameters);
  };
  const oneThread: Measure = {
    group: "growth",
    name: GROWTH["in one thread"].name,
    title: "a frame from its loan to its end in one thread, in domains of each size",
    contestants: [
      { name: SMALLEST, ours: true, run: alone({}) },
      ...Object.entries(CROWDS).map(([name, crowd]) => ({ name, ours: true, run: alone(crowd) })),
      { name: ALL_TAKE, ours: true, run: alone({ consumers: 64 }, { allTake: true }) },
    ],
  };
  const twoWorkers: Measure = {
    group: "growth",
    name: GROWTH.parked.name,
    title: "a frame there, its buffer back, parked on one processor, in domains of each size",
    contestants: [
      { name: SMALLEST, ours: true, run: parked({}) },
      ...PARKED_CROWDS.map(([name, crowd]) => ({ name, ours: true, run: parked(crowd) })),
    ],
  };
  return children.canPlace("together") ? [oneThread, twoWorkers] : [oneThread];
}
