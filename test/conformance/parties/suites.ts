/** All cases with several agents, for every place where the agents can be. */
import { describe } from "node:test";
import { chainCases } from "./chain-cases.js";
import { fenceCases } from "./fence-cases.js";
import type { Place } from "./party.js";
import { reservationCases } from "./reservation-cases.js";
import { syncFileCases } from "./sync-file-cases.js";
import { syncobjCases } from "./syncobj-cases.js";
import { lockingCases } from "./ww-cases.js";

/** Areas A to E, and K. */
export function fenceSuites(place: Place): void {
  register(place, { fenceCases, chainCases, syncFileCases, syncobjCases });
}

/** Areas F to I. */
export function bufferSuites(place: Place): void {
  register(place, { reservationCases, lockingCases });
}

function register(place: Place, suites: Record<string, (place: Place) => void>): void {
  for (const [name, suite] of Object.entries(suites)) describe(`${name} in ${place.name}`, () => suite(place));
}
