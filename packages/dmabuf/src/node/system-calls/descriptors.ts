import { constants } from "node:fs";
import { ERRNO } from "../../errors.js";
import { callError, lastErrno, nativeFunction, uninterrupted } from "./library.js";

/** Calls on file descriptors. Every descriptor made here is closed on exec. */

export type OpenMode = "read" | "write" | "read-write";

/** Part of a file, for a lock. `length` 0 is up to the end, however far that moves. */
export interface FileRange {
  readonly start: number;
  readonly length: number;
}

export type LockKind = "read" | "write";

/** A lock that is in the way of another. `pid` is -1 for a lock of an open file description. */
export interface LockOnFile extends FileRange {
  readonly kind: LockKind;
  readonly pid: number;
}

/** `poll` and `epoll` use the same bits. */
export const POLL = { READABLE: 1, PRIORITY: 2, WRITABLE: 4, ERROR: 8, HANG_UP: 16, INVALID: 32 } as const;

export interface Polled {
  readonly fd: number;
  /** Of {@link POLL}. */
  readonly events: number;
}

const O_CLOEXEC = 0o2000000;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_DUPFD_CLOEXEC = 1030;
const F_GETFD = 1;
const F_SETLEASE = 1024;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
const EFD_CLOEXEC = O_CLOEXEC;

const native = {
  open: nativeFunction("int open(const char *path, int flags, uint32_t mode)"),
  close: nativeFunction("int close(int fd)"),
  read: nativeFunction("int64_t read(int fd, void *bytes, size_t length)"),
  write: nativeFunction("int64_t write(int fd, void *bytes, size_t length)"),
  fcntl: nativeFunction("int fcntl(int fd, int command, int64_t value)"),
  fcntlLock: nativeFunction("int fcntl(int fd, int command, void *lock)"),
  pipe2: nativeFunction("int pipe2(void *ends, int flags)"),
  eventfd: nativeFunction("int eventfd(uint32_t initial, int flags)"),
  poll: nativeFunction("int poll(void *polled, uint64_t count, int timeout)"),
  flock: nativeFunction("int flock(int fd, int operation)"),
  ioctl: nativeFunction("int ioctl(int fd, uint64_t request, void *argument)"),
  ioctlValue: nativeFunction("int ioctl(int fd, uint64_t request, int64_t argument)"),
};

/**
 * Opens a file.
 *
 * @param flags More `O_` flags, as in `fs.constants`.
 * @throws {DmaBufError} With the errno of open(2).
 */
export function openFile(path: string, mode: OpenMode = "read", flags = 0): number {
  const access = { read: constants.O_RDONLY, write: constants.O_WRONLY, "read-write": constants.O_RDWR }[mode];
  const fd = uninterrupted(() => native.open(path, access | O_CLOEXEC | flags, 0o600));
  if (fd < 0) throw callError(lastErrno(), "open", `Cannot open ${JSON.stringify(path)} to ${mode}`);
  return fd;
}

/** Opens what a descriptor of this process refers to once more: the new description has its own mode and flags. */
export function reopenDescriptor(fd: number, mode: OpenMode = "read", flags = 0): number {
  return openFile(`/proc/self/fd/${fd}`, mode, flags);
}

/** Closes a descriptor. It is closed also if this throws: another close would hit the file that got the number next. */
export function closeDescriptor(fd: number): void {
  if (native.close(fd) < 0) throw callError(lastErrno(), "close", `Cannot close descriptor ${fd}`);
}

/** Another descriptor of the same open file description, at least `least`. */
export function duplicateDescriptor(fd: number, least = 0): number {
  const copy = native.fcntl(fd, F_DUPFD_CLOEXEC, least);
  if (copy < 0) throw callError(lastErrno(), "fcntl", `Cannot duplicate descriptor ${fd}`);
  return copy;
}

/** Whether a descriptor is closed on exec. */
export function isClosedOnExec(fd: number): boolean {
  return fileControl(fd, F_GETFD, 0) !== 0;
}

/** fcntl(2) with a number. */
export function fileControl(fd: number, command: number, value: number): number {
  const result = native.fcntl(fd, command, value);
  if (result < 0) throw callError(lastErrno(), "fcntl", `Cannot do command ${command} on descriptor ${fd}`);
  return result;
}

/**
 * Reads into `bytes`.
 *
 * @returns How many bytes, 0 at the end, undefined if a nonblocking descriptor has none now.
 */
export function readDescriptor(fd: number, bytes: Uint8Array): number | undefined {
  const length = uninterrupted(() => native.read(fd, bytes, bytes.byteLength));
  if (length >= 0) return length;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return undefined;
  throw callError(errno, "read", `Cannot read ${bytes.byteLength} bytes from descriptor ${fd}`);
}

/** @returns How many bytes were written, undefined if a nonblocking descriptor takes none now. */
export function writeDescriptor(fd: number, bytes: Uint8Array): number | undefined {
  const length = uninterrupted(() => native.write(fd, bytes, bytes.byteLength));
  if (length >= 0) return length;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return undefined;
  throw callError(errno, "write", `Cannot write ${bytes.byteLength} bytes to descriptor ${fd}`);
}

/** A pipe. Neither end blocks unless `blocking`. */
export function createPipe(options: { blocking?: boolean } = {}): { readonly reader: number; readonly writer: number } {
  const ends = new Int32Array(2);
  const flags = O_CLOEXEC | (options.blocking === true ? 0 : constants.O_NONBLOCK);
  if (native.pipe2(ends, flags) < 0) throw callError(lastErrno(), "pipe2", "Cannot make a pipe");
  return { reader: ends[0]!, writer: ends[1]! };
}

/** A counter to wake an epoll with; it never blocks. Eight bytes written add to it, eight bytes read take all of it. */
export function createEventCounter(initial = 0): number {
  const fd = native.eventfd(initial, EFD_CLOEXEC | constants.O_NONBLOCK);
  if (fd < 0) throw callError(lastErrno(), "eventfd", "Cannot make an event counter");
  return fd;
}

/**
 * Waits until one of the descriptors has an event, and blocks the thread: for short looks. A signal ends it early.
 *
 * @param timeoutMs Milliseconds, whole; 0 only looks.
 * @returns The events of each, in the same order, 0 for none.
 */
export function poll(polled: readonly Polled[], timeoutMs = 0): number[] {
  const view = new DataView(new ArrayBuffer(polled.length * 8));
  polled.forEach(({ fd, events }, index) => {
    view.setInt32(index * 8, fd, true);
    view.setInt16(index * 8 + 4, events, true);
  });
  if (native.poll(view, polled.length, timeoutMs) < 0) {
    const errno = lastErrno();
    if (errno !== ERRNO.EINTR) throw callError(errno, "poll", `Cannot poll ${polled.length} descriptors`);
  }
  return polled.map((_, index) => view.getInt16(index * 8 + 6, true));
}

/**
 * ioctl(2).
 *
 * @param argument Memory that the kernel reads and fills in place, or a number.
 * @returns What the call returns: 0 for most requests.
 * @throws {DmaBufError} With the errno of the request.
 */
export function ioctl(fd: number, request: number, argument: ArrayBufferView | number | bigint = 0): number {
  const call = typeof argument === "object" ? native.ioctl : native.ioctlValue;
  const result = uninterrupted(() => call(fd, request, argument));
  if (result >= 0) return result;
  throw callError(lastErrno(), "ioctl", `Cannot do request 0x${request.toString(16)} on descriptor ${fd}`);
}

/**
 * Takes a lock that belongs to the open file description, and ends with its last descriptor. Never waits.
 *
 * @returns False if another process holds one in the way.
 */
export function tryLockFile(fd: number, kind: LockKind, range: FileRange = { start: 0, length: 0 }): boolean {
  const result = native.fcntlLock(fd, F_OFD_SETLK, lockRecord(kind === "read" ? F_RDLCK : F_WRLCK, range));
  if (result >= 0) return true;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN || errno === ERRNO.EACCES) return false;
  throw callError(errno, "fcntl", `Cannot lock descriptor ${fd} to ${kind}`);
}

/** Takes the lock on a folder that ends with its open file description. Never waits. @returns False if it is taken. */
export function tryLockFolder(fd: number): boolean {
  if (native.flock(fd, LOCK_EX | LOCK_NB) >= 0) return true;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return false;
  throw callError(errno, "flock", `Cannot lock descriptor ${fd}`);
}

/** Ends this description's locks in the range. */
export function unlockFile(fd: number, range: FileRange = { start: 0, length: 0 }): void {
  if (native.fcntlLock(fd, F_OFD_SETLK, lockRecord(F_UNLCK, range)) >= 0) return;
  throw callError(lastErrno(), "fcntl", `Cannot unlock descriptor ${fd}`);
}

/**
 * Whether the file is open for writing anywhere: by a descriptor, or by a mapping that is left of one. A memory file's first
 * descriptor, its copies and their mappings do not count. The kernel gives a lease only where nothing is, and it is given
 * back at once.
 *
 * @param fd One that may only read, of a file of this process's user.
 * @throws {DmaBufError} `EINVAL` if the file cannot have leases; `EACCES` if it is another user's.
 */
export function hasWriters(fd: number): boolean {
  if (native.fcntl(fd, F_SETLEASE, F_RDLCK) >= 0) {
    fileControl(fd, F_SETLEASE, F_UNLCK);
    return false;
  }
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return true;
  throw callError(errno, "fcntl", `Cannot ask whether descriptor ${fd} has writers`);
}

/** The lock of another description that would be in the way, or undefined. */
export function findLockOnFile(fd: number, kind: LockKind, range: FileRange): LockOnFile | undefined {
  const record = lockRecord(kind === "read" ? F_RDLCK : F_WRLCK, range);
  if (native.fcntlLock(fd, F_OFD_GETLK, record) < 0) {
    throw callError(lastErrno(), "fcntl", `Cannot look for locks on descriptor ${fd}`);
  }
  const type = record.getInt16(0, true);
  if (type === F_UNLCK) return undefined;
  return {
    kind: type === F_RDLCK ? "read" : "write",
    start: Number(record.getBigInt64(8, true)),
    length: Number(record.getBigInt64(16, true)),
    pid: record.getInt32(24, true),
  };
}

/** `struct flock` of 64-bit systems: type and whence (16 bits each), start and length at 8 and 16, pid at 24. */
function lockRecord(type: number, range: FileRange): DataView {
  const record = new DataView(new ArrayBuffer(32));
  record.setInt16(0, type, true);
  record.setBigInt64(8, BigInt(range.start), true);
  record.setBigInt64(16, BigInt(range.length), true);
  return record;
}
