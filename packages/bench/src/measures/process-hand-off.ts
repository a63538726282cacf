import type { Children, PingpongMode, Placement } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import type { ProcessFenceRoundTripParameters } from "../sides/process-fence-round-trip.js";
import type { ProcessMessageRoundTripParameters } from "../sides/process-message-round-trip.js";
import type { ProcessStreamRoundTripParameters } from "../sides/process-stream-round-trip.js";
import { FRAME_BYTES } from "./hand-off.js";
import { planOf, type Scale } from "./scale.js";

interface Manner {
  readonly wait: ProcessStreamRoundTripParameters["wait"];
  readonly title: string;
  readonly c: PingpongMode;
  readonly cName: string;
  readonly iceoryx?: "spin" | "wait";
  readonly placements: readonly Placement[];
}

const MANNERS: readonly Manner[] = [
  {
    wait: "spin",
    title: "both sides spinning",
    c: "spin",
    cName: "C spinning, one word",
    iceoryx: "spin",
    placements: ["apart"],
  },
  {
    wait: "park",
    title: "both sides parking at once",
    c: "futex",
    cName: "C futex, one word",
    iceoryx: "wait",
    placements: ["together", "apart"],
  },
  {
    wait: "async",
    title: "both sides in the event loop",
    c: "eventfd",
    cName: "C eventfd + epoll, one word",
    placements: ["together", "apart"],
  },
];

export const ICEORYX = { spin: "iceoryx, spinning", wait: "iceoryx, wait set" };
export const BY_FENCES = "a buffer there and back, by fences";
export const THERE_AND_BACK = "a frame there, one back";
export const VALIDATED_THERE_AND_BACK = `${THERE_AND_BACK}, validated`;

/** The name of a measure of this group. */
export function processHandOffName(wait: Manner["wait"], placement: Placement): string {
  return `process-hand-off/${wait}/${placement}`;
}

/** A 1080p frame from one process to another and one back, its first and last byte written and checked. */
export function processHandOffMeasures(children: Children, scale: Scale): Measure[] {
  return MANNERS.flatMap((manner) =>
    manner.placements
      .filter((placement) => children.canPlace(placement))
      .map((placement): Measure => {
        const where = placement === "apart" ? "on two processors" : "on one processor";
        return {
          group: "process-hand-off",
          name: processHandOffName(manner.wait, placement),
          title: `1080p frame between two processes, ${manner.title}, ${where}`,
          bytes: FRAME_BYTES,
          contestants: contestants(children, scale, manner, placement),
        };
      }),
  );
}

function contestants(children: Children, scale: Scale, manner: Manner, placement: Placement): Contestant[] {
  const { wait, iceoryx, c, cName } = manner;
  const plan = planOf(scale, wait === "spin" ? { samples: 400, batch: 50 } : { samples: 2000, batch: 1 });
  const ours = (name: string, way: ProcessStreamRoundTripParameters["way"], validate = false): Contestant => ({
    name,
    ours: true,
    run: () =>
      children.runWorkers<ProcessStreamRoundTripParameters>("process-stream-round-trip.js", placement, {
        plan,
        wait,
        way,
        bytes: FRAME_BYTES,
        validate,
      }),
  });
  const peers: Contestant[] = [];
  if (iceoryx !== undefined && children.hasIceoryx) {
    peers.push({ name: ICEORYX[iceoryx], ours: false, run: () => children.runIceoryx(iceoryx, placement, plan) });
  }
  if (children.hasPingpong) {
    peers.push({ name: cName, ours: false, run: () => children.runPingpong("processes", c, placement, plan) });
  }
  if (wait === "async") {
    const few = planOf(scale, { samples: 100, batch: 1, warm: 20 });
    peers.push({
      name: "process IPC, copy",
      ours: false,
      run: () =>
        children.runWorkers<ProcessMessageRoundTripParameters>("process-message-round-trip.js", placement, {
          plan: few,
          bytes: FRAME_BYTES,
        }),
    });
  }
  const fences: Contestant = {
    name: BY_FENCES,
    ours: true,
    run: () =>
      children.runWorkers<ProcessFenceRoundTripParameters>("process-fence-round-trip.js", placement, {
        plan,
        wait,
        bytes: FRAME_BYTES,
      }),
  };
  return [
    fences,
    ours(THERE_AND_BACK, "there and back"),
    ours(VALIDATED_THERE_AND_BACK, "there and back", true),
    ...peers,
    ours("a frame there, its buffer back", "given back"),
  ];
}
