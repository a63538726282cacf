import { arch } from "node:os";
import { ERRNO } from "../../errors.js";
import { callError, lastErrno, nativeFunction } from "./library.js";

/** epoll(7). Events are the bits of `POLL`. */

export interface EpollEvent {
  /** The number given with `addToEpoll`. */
  readonly key: number;
  readonly events: number;
}

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** Report once, then be silent until the next change of the registration. */
export const EPOLL_ONE_SHOT = 1 << 30;

const native = {
  create: nativeFunction("int epoll_create1(int flags)"),
  control: nativeFunction("int epoll_ctl(int epoll, int operation, int fd, void *event)"),
  wait: nativeFunction("int epoll_wait(int epoll, void *events, int most, int timeout)"),
};

/** `struct epoll_event` is packed on x86-64 and nowhere else. */
const PACKED = arch() === "x64";
const EVENT_BYTES = PACKED ? 12 : 16;
const DATA = PACKED ? 4 : 8;

export function createEpoll(): number {
  const fd = native.create(EPOLL_CLOEXEC);
  if (fd < 0) throw callError(lastErrno(), "epoll_create1", "Cannot make an epoll");
  return fd;
}

/** @param key A whole number, up to 53 bits, that its events will carry. */
export function addToEpoll(epoll: number, fd: number, events: number, key: number): void {
  control(epoll, EPOLL_CTL_ADD, fd, events, key);
}

export function changeInEpoll(epoll: number, fd: number, events: number, key: number): void {
  control(epoll, EPOLL_CTL_MOD, fd, events, key);
}

export function removeFromEpoll(epoll: number, fd: number): void {
  control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
}

/**
 * Blocks the thread until there are events.
 *
 * @param timeoutMs Milliseconds, whole; -1 for no limit.
 * @returns At most `most` events; none after the time or a signal.
 */
export function waitForEpoll(epoll: number, timeoutMs: number, most = 64): EpollEvent[] {
  const view = new DataView(new ArrayBuffer(most * EVENT_BYTES));
  const count = native.wait(epoll, view, most, timeoutMs);
  if (count < 0) {
    const errno = lastErrno();
    if (errno === ERRNO.EINTR) return [];
    throw callError(errno, "epoll_wait", `Cannot wait for the events of epoll ${epoll}`);
  }
  return Array.from({ length: count }, (_, index) => ({
    events: view.getUint32(index * EVENT_BYTES, true),
    key: Number(view.getBigUint64(index * EVENT_BYTES + DATA, true)),
  }));
}

function control(epoll: number, operation: number, fd: number, events: number, key: number): void {
  const view = new DataView(new ArrayBuffer(EVENT_BYTES));
  view.setUint32(0, events, true);
  view.setBigUint64(DATA, BigInt(key), true);
  if (native.control(epoll, operation, fd, view) >= 0) return;
  throw callError(lastErrno(), "epoll_ctl", `Cannot change how epoll ${epoll} watches descriptor ${fd}`);
}
