import { readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { DmaBufError } from "../../errors.js";

/**
 * - `ok`: it can be used.
 * - `absent`: there is no such device, or the kernel was built or started without it.
 * - `forbidden`: it is there, and this user may not use it.
 * - `old`: a later kernel has it.
 * - `failed`: it is there and refuses; the detail says how.
 */
export type FindingState = "ok" | "absent" | "forbidden" | "old" | "failed";

/** What a survey found of one thing. */
export interface Finding {
  /** What it is, as "udmabuf". */
  readonly name: string;
  /** What this library does with it. */
  readonly use: string;
  /** Whether it can be used. */
  readonly state: FindingState;
  /** The first kernel that had it, as "6.0". */
  readonly since?: string;
  /** What was found, or why not. */
  readonly detail: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** What is looked at, without what is found. */
export type Subject = Pick<Finding, "name" | "use" | "since">;

/** Tries a feature for real. @param path The device file that it needs. */
export function tryFeature(subject: Subject, advice: string, run: () => string, path?: string): Finding {
  try {
    return { ...subject, state: "ok", detail: run() };
  } catch (error) {
    return { ...subject, ...failure(error, advice, path) };
  }
}

/** What an error says of a thing, and what to do about it. */
export function failure(error: unknown, advice: string, path?: string): Pick<Finding, "state" | "detail" | "advice"> {
  const code = error instanceof DmaBufError ? error.code : undefined;
  const detail = error instanceof DmaBufError ? error.toPlain().message : String(error);
  if (code === "ENOENT" || code === "ENODEV" || code === "ENXIO") return { state: "absent", detail, advice };
  if (code === "EACCES" || code === "EPERM") return { state: "forbidden", detail, advice: rightTo(path) };
  if (code === "ENOTTY") return { state: "old", detail, advice: "Take a later kernel." };
  return { state: "failed", detail, advice };
}

/** How to get the right to a device file. */
function rightTo(path: string | undefined): string {
  if (path === undefined) return "Run as a user who may, mostly root.";
  try {
    const { mode, gid } = statSync(path);
    const group = groupName(gid);
    const grants = (mode & 0o060) !== 0 && group !== "root";
    if (!grants) return `Only root may use ${path}: a udev rule can give it to a group.`;
    return `Join the group "${group}" that may use it (usermod -aG ${group} ${userInfo().username}), and log in again.`;
  } catch {
    return "Run as a user who may, mostly root.";
  }
}

function groupName(gid: number): string {
  try {
    const line = readFileSync("/etc/group", "utf8")
      .split("\n")
      .find((each) => each.split(":")[2] === String(gid));
    return line?.split(":")[0] ?? String(gid);
  } catch {
    return String(gid);
  }
}
