import { lstatSync } from "node:fs";
import { resolve } from "node:path";
import { DmaBufError, errnoOf } from "../../errors.js";
import { registerNamedBy } from "../joining/domain-files.js";
import { threadLedger } from "../resources/thread-ledger.js";
import { createDiagnosisSocket, listeningSockets, type ListeningSocketInfo } from "../system-calls/index.js";
import { allDescriptors, descriptorsOf, unlessGone, type ProcessDescriptor } from "./processes.js";

/** A domain's files, by each descriptor of them: one that is closed while the domain is looked for is not missed. */
export interface DomainFound {
  readonly controls: readonly ProcessDescriptor[];
  readonly registers: readonly ProcessDescriptor[];
}

/** The domains that some processes are in, each once. Of a process that has ended since there is none. */
export function domainsOf(pids: readonly number[]): DomainFound[] {
  return domainsAmong(pids.flatMap((pid) => unlessGone(() => descriptorsOf(pid)) ?? []));
}

/** The domains that files belong to, each once. */
export function domainsAmong(files: readonly ProcessDescriptor[]): DomainFound[] {
  const named = (name: string): ProcessDescriptor[] => files.filter((file) => file.name === name);
  const names = new Set(files.map(({ name }) => name).filter((name) => registerNamedBy(name) !== undefined));
  return [...names].flatMap((name) => {
    const registers = named(registerNamedBy(name)!);
    return registers.length === 0 ? [] : [{ controls: named(name), registers }];
  });
}

/**
 * The processes that listen at a place. Nothing connects to it: the kernel is asked whose the socket is.
 *
 * @param where A path, or "@" and an abstract name.
 * @throws {DmaBufError} `ENOENT` or `ECONNREFUSED` if no process listens there; `EACCES` if this process may not look into
 *   the one that does; `EOPNOTSUPP` if the kernel does not tell.
 */
export function listenersAt(where: string): number[] {
  const isAtPlace = where.startsWith("@") ? isNamed(where.slice(1)) : isAtPath(where);
  const names = new Set(
    allListening()
      .filter(isAtPlace)
      .map(({ inode }) => `socket:[${inode}]`),
  );
  if (names.size === 0) throw cannot("ECONNREFUSED", where, "no process listens there");
  let hidden = 0;
  const listeners = allDescriptors(() => (hidden += 1)).filter(({ name }) => names.has(name));
  if (listeners.length > 0) return [...new Set(listeners.map(({ pid }) => pid))];
  if (hidden === 0) throw cannot("ECONNREFUSED", where, "the process that listened there has just ended");
  throw cannot(
    "EACCES",
    where,
    `it is none of the processes that may be looked into that listens there. For the ${hidden} others this needs the rights ` +
      "of ptrace, which their users have, and who has the capability CAP_SYS_PTRACE",
  );
}

function isNamed(wanted: string): (socket: ListeningSocketInfo) => boolean {
  return ({ abstract }) => abstract === wanted;
}

/** A socket that listens has been renamed (listening-socket.1): it is known by its file's inode. */
function isAtPath(where: string): (socket: ListeningSocketInfo) => boolean {
  const inode = inodeAt(where);
  return ({ fileInode }) => fileInode === inode;
}

function inodeAt(where: string): number {
  try {
    return Number(lstatSync(resolve(where), { bigint: true }).ino & 0xffff_ffffn);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DmaBufError(errnoOf(cause) ?? "EIO", `Cannot observe the domain at ${where}: ${reason}`, { cause });
  }
}

function allListening(): ListeningSocketInfo[] {
  const ledger = threadLedger();
  const entry = ledger.open(createDiagnosisSocket);
  try {
    return [...listeningSockets(ledger.descriptorOf(entry))];
  } catch (cause) {
    throw new DmaBufError(
      "EOPNOTSUPP",
      "Cannot find out which process listens: this kernel does not tell. Give the number of a process of the domain",
      { cause },
    );
  } finally {
    ledger.close(entry);
  }
}

function cannot(code: "EACCES" | "ECONNREFUSED", where: string, reason: string): DmaBufError {
  return new DmaBufError(code, `Cannot observe the domain at ${where}: ${reason}`);
}
