import type { World } from "./core.js";
import type { Exceptions } from "./nonsense.js";
import { sourceOf } from "./web.js";

/** What the functions of `dmabuf/web/recording` are called with, rightly. */

/** A file that is empty and stays so. */
const file = (): object => ({
  read: () => 0,
  write: (bytes: Uint8Array) => bytes.length,
  getSize: () => 0,
  truncate: () => undefined,
  flush: () => undefined,
});

export const RECEIVERS: Readonly<Record<string, never>> = {};

export const VALID: Readonly<Record<string, (world: World) => readonly unknown[]>> = {
  "recordTo()": (world) => [file(), sourceOf(world.endedStream().frames()), {}],
  "replayFrom()": ({ domain }) => [file(), domain, {}],
};

export const EXCEPTIONS: Exceptions = {};
