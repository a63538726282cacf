import type { Children, PingpongMode, Placement } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import type { BareRoundTripParameters } from "../sides/bare-round-trip.js";
import type { FenceRoundTripParameters } from "../sides/fence-round-trip.js";
import type { MessageRoundTripParameters } from "../sides/message-round-trip.js";
import type { Plan } from "../sides/sampling.js";
import { planOf, type Scale } from "./scale.js";

type Sides = "threads" | "processes";
type Wait = FenceRoundTripParameters["wait"];

/** One word there and back: fences on two timelines beside what they are made of. */
export function roundTripMeasures(children: Children, scale: Scale): Measure[] {
  const spin = planOf(scale, { samples: 400, batch: 100 });
  const sleep = planOf(scale, { samples: 4000, batch: 1 });
  const c = (name: string, mode: PingpongMode, placement: Placement, plan: Plan, sides = "threads" as Sides) =>
    children.hasPingpong ? [{ name, ours: false, run: () => children.runPingpong(sides, mode, placement, plan) }] : [];
  const fences = (wait: Wait, placement: Placement, plan: Plan): Contestant => ({
    name: "fences",
    ours: true,
    run: () =>
      children.runWorkers<FenceRoundTripParameters>("fence-round-trip.js", placement, { plan, wait, bytes: 0 }),
  });
  const bare = (name: string, wait: Wait, placement: Placement, plan: Plan): Contestant => ({
    name,
    ours: false,
    run: () => children.runWorkers<BareRoundTripParameters>("bare-round-trip.js", placement, { plan, wait }),
  });
  const message = (placement: Placement, plan: Plan): Contestant => ({
    name: "postMessage",
    ours: false,
    run: () =>
      children.runWorkers<MessageRoundTripParameters>("message-round-trip.js", placement, {
        plan,
        way: "shared",
        bytes: 8,
      }),
  });
  const measures: (Measure & { readonly placement: Placement })[] = [
    {
      group: "spinning",
      name: "spinning/apart",
      title: "round trip, both sides spinning, on two processors",
      placement: "apart",
      contestants: [
        fences("spin", "apart", spin),
        ...c("C spinning", "spin", "apart", spin),
        ...c("C spinning, time stored", "timed", "apart", spin),
        bare("bare Atomics, spinning", "spin", "apart", spin),
      ],
    },
  ];
  for (const placement of ["together", "apart"] as const) {
    const where = placement === "apart" ? "on two processors" : "on one processor";
    measures.push(
      {
        group: "parked",
        name: `parked/${placement}`,
        title: `round trip, both sides parking at once, ${where}`,
        placement,
        contestants: [
          fences("park", placement, sleep),
          ...c("C futex", "futex", placement, sleep),
          ...c("C futex, processes", "futex", placement, sleep, "processes"),
          bare("bare Atomics.wait()", "park", placement, sleep),
        ],
      },
      {
        group: "asynchronous",
        name: `asynchronous/${placement}`,
        title: `round trip, both sides in the event loop, ${where}`,
        placement,
        contestants: [
          fences("async", placement, sleep),
          ...c("C eventfd + epoll", "eventfd", placement, sleep),
          bare("bare Atomics.waitAsync()", "async", placement, sleep),
          message(placement, sleep),
        ],
      },
    );
  }
  return measures
    .filter(({ placement }) => children.canPlace(placement))
    .map(({ placement: _, ...measure }) => measure);
}
