import { constants } from "node:fs";
import { ERRNO } from "../../errors.js";
import { callError, lastErrno, nativeFunction, uninterrupted } from "./library.js";

/** Calls on memory files and mappings. Addresses are bigints, lengths and offsets are bytes as plain numbers. */

/** What may no longer be done to a memory file. */
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXECUTE: 32 } as const;

export type Protection = "none" | "read" | "read-write";

export interface MapOptions {
  /** Bytes. */
  readonly length: number;
  readonly protection: Protection;
  /** Undefined: anonymous zero pages, private to this process. */
  readonly fd?: number;
  /** A multiple of the page size. */
  readonly offset?: number;
  /** Replace whatever is mapped there. */
  readonly over?: bigint;
  /** Pages that are private count for nothing until they are touched. */
  readonly noReserve?: boolean;
  /** Of a file: what is written is seen by this process alone. */
  readonly private?: boolean;
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Since Linux 6.3, where a system may insist on it. */
const MFD_NOEXEC_SEAL = 8;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const PROTECTIONS = { none: 0, read: 1, "read-write": 3 } as const;

const native = {
  memfdCreate: nativeFunction("int memfd_create(const char *name, uint32_t flags)"),
  ftruncate: nativeFunction("int ftruncate(int fd, int64_t length)"),
  fallocate: nativeFunction("int fallocate(int fd, int mode, int64_t offset, int64_t length)"),
  lseek: nativeFunction("int64_t lseek(int fd, int64_t offset, int whence)"),
  fcntl: nativeFunction("int fcntl(int fd, int command, int value)"),
  // An address of user space fits a number; the failure, -1, is the only one that does not.
  mmap: nativeFunction(
    "intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
  ),
  munmap: nativeFunction("int munmap(uintptr_t address, size_t length)"),
  mprotect: nativeFunction("int mprotect(uintptr_t address, size_t length, int protection)"),
};

/** The size of a page of memory, in bytes: the least that all supported processors can map. */
export function pageSize(): number {
  return (size ??= sysconf(SC_PAGESIZE));
}

const SC_PAGESIZE = 30;
const sysconf = nativeFunction("long sysconf(int name)");
let size: number | undefined;

let noExecution: number = MFD_NOEXEC_SEAL;

/**
 * A memory file without a name in any file system; it can be sealed. Its size is 0. Where the kernel knows how, it is
 * sealed against being made executable.
 */
export function createMemoryFile(name: string): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = native.memfdCreate(name, flags | noExecution);
  if (fd < 0 && noExecution !== 0 && lastErrno() === ERRNO.EINVAL) {
    fd = native.memfdCreate(name, flags);
    if (fd >= 0) noExecution = 0;
  }
  if (fd < 0) throw callError(lastErrno(), "memfd_create", `Cannot create a memory file named ${JSON.stringify(name)}`);
  return fd;
}

export function setFileLength(fd: number, length: number): void {
  if (uninterrupted(() => native.ftruncate(fd, length)) >= 0) return;
  throw callError(lastErrno(), "ftruncate", `Cannot set the length of descriptor ${fd} to ${length} bytes`);
}

/** Reserves the pages of a range now, so that no later access can fail. A signal may not cut it short. */
export function reservePages(fd: number, offset: number, length: number): void {
  if (uninterrupted(() => native.fallocate(fd, 0, offset, length)) >= 0) return;
  throw callError(lastErrno(), "fallocate", `Cannot reserve ${length} bytes of descriptor ${fd}`);
}

/** The ranges of a file that may hold anything but zeros. @param length Bytes, how long it is. */
export function* writtenRanges(
  fd: number,
  length: number,
): Generator<{ readonly start: number; readonly end: number }> {
  for (let end = 0; end < length;) {
    const start = native.lseek(fd, end, SEEK_DATA);
    if (start < 0) {
      const errno = lastErrno();
      // Nothing but zeros from here on.
      if (errno === ERRNO.ENXIO) return;
      throw callError(errno, "lseek", `Cannot find what was written to descriptor ${fd}`);
    }
    end = native.lseek(fd, start, SEEK_HOLE);
    if (end < 0) throw callError(lastErrno(), "lseek", `Cannot find what was written to descriptor ${fd}`);
    yield { start, end: Math.min(end, length) };
  }
}

/** Gives the pages of a range back to the system: a process that still maps them reads zeros. */
export function punchHole(fd: number, offset: number, length: number): void {
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (uninterrupted(() => native.fallocate(fd, mode, offset, length)) >= 0) return;
  throw callError(lastErrno(), "fallocate", `Cannot give back ${length} bytes of descriptor ${fd}`);
}

/** @param seals Of {@link SEAL}. */
export function addSeals(fd: number, seals: number): void {
  if (native.fcntl(fd, F_ADD_SEALS, seals) >= 0) return;
  throw callError(lastErrno(), "fcntl", `Cannot add the seals ${seals} to descriptor ${fd}`);
}

/** Bits of {@link SEAL}. `EINVAL` if the file cannot have seals. */
export function sealsOf(fd: number): number {
  const seals = native.fcntl(fd, F_GET_SEALS, 0);
  if (seals < 0) throw callError(lastErrno(), "fcntl", `Cannot read the seals of descriptor ${fd}`);
  return seals;
}

/** Whether a descriptor was opened to write. */
export function isWritable(fd: number): boolean {
  const flags = native.fcntl(fd, F_GETFL, 0);
  if (flags < 0) throw callError(lastErrno(), "fcntl", `Cannot read the flags of descriptor ${fd}`);
  return (flags & O_ACCMODE) !== constants.O_RDONLY;
}

const F_GETFL = 3;
const O_ACCMODE = 3;

/** Maps memory and returns its address. A file is mapped shared, unless it is said otherwise. */
export function mapMemory(options: MapOptions): bigint {
  const { length, protection, fd, offset = 0, over, noReserve = false, private: isPrivate = false } = options;
  const kind = fd === undefined ? MAP_PRIVATE | MAP_ANONYMOUS : isPrivate ? MAP_PRIVATE : MAP_SHARED;
  const flags = kind | (over === undefined ? 0 : MAP_FIXED) | (noReserve ? MAP_NORESERVE : 0);
  const address = native.mmap(over ?? 0, length, PROTECTIONS[protection], flags, fd ?? -1, offset);
  if (address !== -1) return BigInt(address);
  const what = fd === undefined ? "zero pages" : `descriptor ${fd}`;
  throw callError(lastErrno(), "mmap", `Cannot map ${length} bytes of ${what} to ${protection}`);
}

export function unmapMemory(address: bigint, length: number): void {
  if (native.munmap(address, length) >= 0) return;
  throw callError(lastErrno(), "munmap", `Cannot unmap ${length} bytes`);
}

export function protectMemory(address: bigint, length: number, protection: Protection): void {
  if (native.mprotect(address, length, PROTECTIONS[protection]) >= 0) return;
  throw callError(lastErrno(), "mprotect", `Cannot change the protection of ${length} bytes to ${protection}`);
}
