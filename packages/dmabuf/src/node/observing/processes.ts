import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { DmaBufError, errnoOf } from "../../errors.js";
import type { FileRange } from "../system-calls/index.js";

/** What `/proc` tells of processes, whatever they do just now. */

/** A descriptor of a process. */
export interface ProcessDescriptor {
  readonly pid: number;
  readonly descriptor: number;
  /** What `/proc` calls its file: `socket:[12]`. */
  readonly name: string;
}

/**
 * What all processes have opened that this one may look into.
 *
 * @param hidden Called for each of the others.
 */
export function allDescriptors(hidden: () => void = () => {}): ProcessDescriptor[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    try {
      return descriptorsOf(pid);
    } catch (error) {
      if (errnoOf(error) === "EACCES") hidden();
      return [];
    }
  });
}

/**
 * What a process has opened.
 *
 * @throws {DmaBufError} `ESRCH` if there is no such process; `EACCES` if this process may not look into it.
 */
export function descriptorsOf(pid: number): ProcessDescriptor[] {
  const folder = `/proc/${pid}/fd`;
  return lookInto(pid, () =>
    readdirSync(folder).flatMap((file) => {
      const name = unlessGone(() => readlinkSync(`${folder}/${file}`));
      return name === undefined ? [] : [{ pid, descriptor: Number(file), name }];
    }),
  );
}

/** A path at which the file of a descriptor can be opened once more. */
export function pathOf({ pid, descriptor }: ProcessDescriptor): string {
  return `/proc/${pid}/fd/${descriptor}`;
}

/** The locks to write that a descriptor's open file holds; none if it is gone. */
export function writeLocks({ pid, descriptor }: ProcessDescriptor): FileRange[] {
  const text = unlessGone(() => readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, "latin1")) ?? "";
  return [...text.matchAll(/^lock:.* WRITE .* (\d+) (\d+|EOF)$/gm)].map(([, start, end]) => ({
    start: Number(start),
    length: end === "EOF" ? Infinity : Number(end) - Number(start) + 1,
  }));
}

/** What is `undefined` if the process, or what it had opened, has just gone. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

/**
 * Does what needs the rights of ptrace on a process.
 *
 * @throws {DmaBufError} `ESRCH`; `EACCES`, which says which right is missing.
 */
export function lookInto<T>(pid: number, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "ENOENT" || code === "ESRCH") {
      throw new DmaBufError("ESRCH", `Cannot observe process ${pid}: there is no such process`, { cause });
    }
    if (code !== "EACCES" && code !== "EPERM") throw cause;
    throw new DmaBufError(
      "EACCES",
      `Cannot observe process ${pid} of user ${userOf(pid)}: to look into it needs the rights of ptrace, ` +
        "which that user has, and who has the capability CAP_SYS_PTRACE",
      { cause },
    );
  }
}

function userOf(pid: number): number | string {
  return unlessGone(() => statSync(`/proc/${pid}`).uid) ?? "unknown";
}
