import type { Children } from "../children.js";
import type { Measure } from "../contest.js";
import { aloneMeasures } from "./alone.js";
import { growthMeasures } from "./growth.js";
import { handOffMeasures } from "./hand-off.js";
import { processHandOffMeasures } from "./process-hand-off.js";
import type { Python } from "../python.js";
import { processRoundTripMeasures } from "./process-round-trip.js";
import { pythonMeasures } from "./python.js";
import { roundTripMeasures } from "./round-trip.js";
import type { Scale } from "./scale.js";
import { throughputMeasures } from "./throughput.js";

/** All measures, in the order in which they run. */
export function allMeasures(children: Children, scale: Scale, python: Python | undefined): Measure[] {
  const ours = [
    ...[aloneMeasures, roundTripMeasures, processRoundTripMeasures, handOffMeasures, processHandOffMeasures],
    ...[throughputMeasures, growthMeasures],
  ].flatMap((measures) => measures(children, scale));
  return [...ours, ...pythonMeasures(children, scale, python)];
}
