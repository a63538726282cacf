import { DmaBufError } from "../errors.js";
import { threadsHost } from "../host/threads.js";

/**
 * Gives back what a device or the kernel has, in this order. All ends in this folder go through here.
 *
 * give-back.1. Each is given back, whatever became of those before it.
 * give-back.2. It never throws: nothing that is disposed can fail, and an error of its own would hide the one that led
 *      here. A device that is gone (`ENODEV`) has nothing any more. Any other error is a warning.
 */
export function giveBack(...ends: readonly (() => void)[]): void {
  for (const end of ends) {
    try {
      end();
    } catch (error) {
      if (error instanceof DmaBufError && error.code === "ENODEV") continue;
      threadsHost().warn(`Something could not be given back: ${String(error)}`);
    }
  }
}
