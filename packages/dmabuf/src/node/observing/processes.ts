import { constants, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { DmaBufError, errnoOf } from "../../errors.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { openFile, type FileRange } from "../system-calls/index.js";

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
export function allDescriptors(hidden: (pid: number) => void = () => {}): ProcessDescriptor[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    try {
      return descriptorsOf(pid);
    } catch (error) {
      if (errnoOf(error) === "EACCES") hidden(pid);
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

/** Opens a file to read it by the first of some descriptors of it that is not closed. @throws {DmaBufError} `EACCES`. */
export function openFirst(
  files: readonly ProcessDescriptor[],
  ledger: ResourceLedger,
): { readonly file: ProcessDescriptor; readonly entry: LedgerEntry } | undefined {
  for (const file of files) {
    const entry = openAgain(file, ledger);
    if (entry !== undefined) return { file, entry };
  }
  return undefined;
}

/** @returns `undefined` if the process has closed the descriptor since it was seen, whatever has its number now. */
function openAgain(file: ProcessDescriptor, ledger: ResourceLedger): LedgerEntry | undefined {
  const path = `/proc/${file.pid}/fd/${file.descriptor}`;
  const nameAt = (link: string): string | undefined => unlessGone(() => readlinkSync(link));
  let entry: LedgerEntry;
  try {
    entry = lookInto(file.pid, () => ledger.open(() => openFile(path, "read", constants.O_NONBLOCK)));
  } catch (error) {
    // What has the number now may be of a kind that cannot be opened.
    if (nameAt(path) !== file.name) return undefined;
    throw error;
  }
  if (nameAt(`/proc/self/fd/${ledger.descriptorOf(entry)}`) === file.name) return entry;
  ledger.close(entry);
  return undefined;
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
export function unlessGone<T>(look: () => T): T | undefined {
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
function lookInto<T>(pid: number, look: () => T): T {
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

/** Whose a process is. */
export function userOf(pid: number): number | string {
  return unlessGone(() => statSync(`/proc/${pid}`).uid) ?? "unknown";
}
