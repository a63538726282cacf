import type { Exceptions } from "./nonsense.js";
import type { Consumer } from "../../src/index.js";
import type { World } from "./core.js";

/** What the functions of `dmabuf/web` are called with, rightly. */

/** Its methods as fields, each of which nonsense can take the place of. */
export function sourceOf(consumer: Consumer): object {
  return { next: () => consumer.next(), close: () => consumer.close() };
}

export const RECEIVERS: Readonly<Record<string, never>> = {};

export const VALID: Readonly<Record<string, (world: World) => readonly unknown[]>> = {
  "readableStreamFrom()": (world) => [sourceOf(world.stream().frames())],
  "writableStreamFrom()": (world) => [world.stream(), {}],
  "pipeFrames()": (world) => {
    const stream = world.stream();
    const consumer = stream.frames();
    stream.end();
    return [sourceOf(consumer), new WritableStream(), {}];
  },
};

export const EXCEPTIONS: Exceptions = {};
