import { DmaBufError } from "../errors.js";

/** Why a device could not be opened, in words that say what to do about it. */
export function deviceError(error: unknown, path: string, what: string): unknown {
  if (!(error instanceof DmaBufError)) return error;
  const reasons: Partial<Record<string, string>> = {
    ENOENT: "this machine has no such device, or its driver is not loaded",
    ENODEV: "its driver is gone",
    ENXIO: "its driver is gone",
    EACCES: "this user has no right to it: mostly a group is missing (see the owner of the file)",
    EPERM: "this user has no right to it",
    EBUSY: "another program has it for itself",
  };
  const reason = reasons[error.code];
  return new DmaBufError(error.code, `Cannot open ${what} at ${path}${reason === undefined ? "" : `: ${reason}`}`, {
    syscall: error.syscall ?? "open",
    cause: error,
  });
}
