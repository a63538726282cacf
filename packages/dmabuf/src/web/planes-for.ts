import { check, checkList, OBJECT } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { FrameBytes, Plane } from "../stream/frame.js";
import { FRAME } from "./frame-kind.js";

/**
 * The planes of a frame, each with its texture.
 *
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EINVAL` if there are more planes than textures; `EBADF` if the frame was given back.
 */
export function planesFor<Texture>(
  call: string,
  argument: string,
  textures: readonly Texture[],
  frame: FrameBytes,
): (readonly [Plane, Texture])[] {
  const all = checkList(call, argument, textures, OBJECT);
  check(call, "frame", frame, FRAME);
  // Planes that were looked at before say nothing of it.
  void frame.bytes;
  const { planes } = frame;
  if (planes.length <= all.length) return planes.map((plane, i) => [plane, all[i]!]);
  throw new DmaBufError(
    "EINVAL",
    `${call}: the frame has ${planes.length} planes, and there are ${all.length} textures`,
  );
}
