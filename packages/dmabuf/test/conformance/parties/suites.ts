/** All cases with several agents, for every place where the agents can be. */
import { describe } from "node:test";
import { arrayCases } from "./array-cases.js";
import { bufferCases } from "./buffer-cases.js";
import { chainCases } from "./chain-cases.js";
import { exporterCases } from "./exporter-cases.js";
import { fenceCases } from "./fence-cases.js";
import { implicitCases } from "./implicit-cases.js";
import { longRunningCases } from "./long-running-cases.js";
import { mergeCases } from "./merge-cases.js";
import { moveCases } from "./move-cases.js";
import { numberCases } from "./number-cases.js";
import { pagedCases } from "./paged-cases.js";
import type { Place } from "./party.js";
import { queueCases } from "./queue-cases.js";
import { reservationCases } from "./reservation-cases.js";
import { sharedSyncobjCases } from "./shared-syncobj-cases.js";
import { syncFileCases } from "./sync-file-cases.js";
import { syncobjCases } from "./syncobj-cases.js";
import { userFenceCases } from "./user-fence-cases.js";
import { validatorCases } from "./validator-cases.js";
import { lockingCases } from "./ww-cases.js";

/** Areas A to E, and K. */
export function fenceSuites(place: Place): void {
  register(place, { fenceCases, arrayCases, chainCases, mergeCases, syncFileCases, syncobjCases, sharedSyncobjCases });
  register(place, { userFenceCases });
}

/** Areas F to I and L, and the numbers of fences that wrap. */
export function bufferSuites(place: Place): void {
  register(place, { reservationCases, numberCases, lockingCases, bufferCases, implicitCases, queueCases });
}

/** What needs the code of a buffer's exporter in another agent: its operations, and moves. */
export function exporterSuites(place: Place): void {
  register(place, { exporterCases, moveCases, pagedCases, longRunningCases });
}

/** Mistakes, and what the validator says of them. */
export function validatorSuites(place: Place): void {
  register(place, { validatorCases });
}

function register(place: Place, suites: Record<string, (place: Place) => void>): void {
  for (const [name, suite] of Object.entries(suites)) describe(`${name} in ${place.name}`, () => suite(place));
}
