import type { Children, Placement, PingpongMode } from "../children.js";
import type { Measure } from "../contest.js";
import type { ProcessRoundTripParameters } from "../sides/process-round-trip.js";
import { planOf, type Scale } from "./scale.js";

const MANNERS = [
  { wait: "spin", c: "spin", title: "both sides spinning", peer: "C spinning", placements: ["apart"] },
  { wait: "park", c: "futex", title: "both sides parking at once", peer: "C futex", placements: ["together", "apart"] },
  {
    wait: "async",
    c: "eventfd",
    title: "both sides in the event loop",
    peer: "C eventfd + epoll",
    placements: ["together", "apart"],
  },
] as const satisfies readonly {
  wait: ProcessRoundTripParameters["wait"];
  c: PingpongMode;
  title: string;
  peer: string;
  placements: readonly Placement[];
}[];

/** One word there and back between two processes: the substrate alone, beside the same in C. */
export function processRoundTripMeasures(children: Children, scale: Scale): Measure[] {
  return MANNERS.flatMap(({ wait, c, title, peer, placements }) =>
    placements
      .filter((placement) => children.canPlace(placement))
      .map((placement): Measure => {
        const plan = planOf(scale, wait === "spin" ? { samples: 400, batch: 100 } : { samples: 4000, batch: 1 });
        const where = placement === "apart" ? "on two processors" : "on one processor";
        const ours = () =>
          children.runWorkers<ProcessRoundTripParameters>("process-round-trip.js", placement, { plan, wait });
        const theirs = () => children.runPingpong("processes", c, placement, plan);
        return {
          group: "processes",
          name: `processes/${wait}/${placement}`,
          title: `round trip between processes, ${title}, ${where}`,
          contestants: [
            { name: "process substrate", ours: true, run: ours },
            ...(children.hasPingpong ? [{ name: peer, ours: false, run: theirs }] : []),
          ],
        };
      }),
  );
}
