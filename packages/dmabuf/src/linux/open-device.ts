import { DmaBufError } from "../errors.js";
import { openFile } from "../node/system-calls/index.js";

const REASONS: Partial<Record<string, string>> = {
  ENOENT: "this machine has no such device, or its driver is not loaded",
  ENODEV: "its driver is gone",
  ENXIO: "its driver is gone",
  EACCES: "this user has no right to it: mostly a group is missing (see the owner of the file)",
  EPERM: "this user has no right to it",
  EBUSY: "another program has it for itself",
};

/** Opens the file of a device. @throws {DmaBufError} With the kernel's errno, and what to do about it. */
export function openDevice(
  path: string,
  what: string,
  mode: "read" | "read-write" = "read-write",
  flags: number = 0,
): number {
  try {
    return openFile(path, mode, flags);
  } catch (error) {
    if (!(error instanceof DmaBufError)) throw error;
    const reason = REASONS[error.code];
    throw new DmaBufError(error.code, `Cannot open ${what} at ${path}${reason === undefined ? "" : `: ${reason}`}`, {
      syscall: error.syscall ?? "open",
      cause: error,
    });
  }
}
