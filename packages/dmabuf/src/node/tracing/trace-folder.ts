import { lstatSync, mkdirSync, statSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DmaBufError, errnoOf } from "../../errors.js";

/** Where traces are by default: with `DMABUF_TRACE=1`. */
export function traceFolder(): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const isThere = runtime !== undefined && statSync(runtime, { throwIfNoEntry: false })?.isDirectory() === true;
  return join(isThere ? runtime : tmpdir(), `dmabuf-${userId()}`);
}

/**
 * Makes the folder if it is not there. One that is there must be this user's: another one's would get what this program does,
 * and could put other files in the place of its own.
 *
 * @param isPrivate Whether no other user may look into it either.
 * @throws {DmaBufError} `EACCES` if it is another user's, or others may write to it; `ENOTDIR` if it is no folder.
 */
export function ownFolder(folder: string, isPrivate: boolean): void {
  const refuse = (reason: string): never => {
    throw new DmaBufError("EACCES", `Cannot keep traces in ${folder}: ${reason}`);
  };
  const stats = lookAt(folder);
  const { uid, mode } = stats;
  if (!stats.isDirectory()) throw new DmaBufError("ENOTDIR", `Cannot keep traces in ${folder}: it is no folder`);
  if (uid !== userId()) refuse(`it belongs to user ${uid}, not to user ${userId()}`);
  const forbidden = isPrivate ? 0o077 : 0o022;
  if ((mode & forbidden) === 0) return;
  refuse(`other users may ${isPrivate ? "look into" : "write to"} it: its mode is 0${(mode & 0o777).toString(8)}`);
}

function lookAt(folder: string): Stats {
  try {
    makeFolder(folder);
  } catch (cause) {
    // What is there that is no folder is said better by the caller.
    if (errnoOf(cause) !== "EEXIST") throw cannotUse(folder, cause);
  }
  try {
    // A link to a folder is its maker's to change: it is no folder here.
    return lstatSync(folder);
  } catch (cause) {
    throw cannotUse(folder, cause);
  }
}

/** Node.js's own `recursive` never comes back from a folder in which none can be made, as `/proc`. */
function makeFolder(folder: string): void {
  const above = dirname(folder);
  if (above !== folder && statSync(above, { throwIfNoEntry: false }) === undefined) makeFolder(above);
  mkdirSync(folder, { mode: 0o700 });
}

function cannotUse(folder: string, cause: unknown): DmaBufError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DmaBufError(errnoOf(cause) ?? "EIO", `Cannot keep traces in ${folder}: ${reason}`, { cause });
}

function userId(): number {
  return process.getuid!();
}
