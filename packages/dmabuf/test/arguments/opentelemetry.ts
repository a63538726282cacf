import type { World } from "./core.js";
import type { Exceptions } from "./nonsense.js";

/** What the functions of `dmabuf/opentelemetry` are called with, rightly. */

export const RECEIVERS: Readonly<Record<string, never>> = {};

export const VALID: Readonly<Record<string, (world: World) => readonly unknown[]>> = {
  "instrument()": () => [{}],
};

/** Their fields are OpenTelemetry's own. */
export const EXCEPTIONS: Exceptions = {};
