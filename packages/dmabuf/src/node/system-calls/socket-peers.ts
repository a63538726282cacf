import { ERRNO } from "../../errors.js";
import { fileControl, ioctl } from "./descriptors.js";
import { callError, lastErrno, nativeFunction } from "./library.js";
import { peekMessage } from "./sockets.js";

/** What a socket tells of its other end, and what that end may do to this process. */

/** The process and user that made the other end. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_PEERCRED = 17;
const SO_DOMAIN = 39;
/** Since Linux 6.16. */
const SO_PASSRIGHTS = 83;
const SHUT_RD = 0;
const FIONREAD = 0x541b;
const F_GETPIPE_SZ = 1032;

/** Bytes: what waits in a queue is looked at in one piece up to so many. */
const MOST_LOOKED_AT = 1 << 20;

const native = {
  getsockopt: nativeFunction("int getsockopt(int fd, int level, int option, void *value, void *length)"),
  setsockopt: nativeFunction("int setsockopt(int fd, int level, int option, void *value, uint32_t length)"),
  shutdown: nativeFunction("int shutdown(int fd, int how)"),
};

/** The process and user that connected, or listened, or made the pair, as the kernel knows them. */
export function peerCredentials(fd: number): PeerCredentials {
  const value = new Int32Array(3);
  if (!readOption(fd, SO_PEERCRED, value)) {
    throw callError(lastErrno(), "getsockopt", `Cannot ask who is at the other end of socket ${fd}`);
  }
  const [pid, uid, gid] = value as unknown as [number, number, number];
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/** Whether a descriptor is a Unix socket of that type. It asks no file system, which could keep the answer back. */
export function isUnixSocket(fd: number, type: "stream" | "datagram"): boolean {
  const value = new Int32Array(1);
  if (!readOption(fd, SO_DOMAIN, value) || value[0] !== AF_UNIX) return false;
  return readOption(fd, SO_TYPE, value) && value[0] === (type === "stream" ? SOCK_STREAM : SOCK_DGRAM);
}

/** Whether a descriptor is a pipe. It asks no file system. */
export function isPipe(fd: number): boolean {
  try {
    return fileControl(fd, F_GETPIPE_SZ, 0) > 0;
  } catch {
    return false;
  }
}

/**
 * Whether others may send descriptors to a socket, from now on; who connects to a socket that listens gets its setting.
 * Sending one where none is taken fails with `EPERM` there.
 *
 * @returns False before Linux 6.16, which knows no such setting.
 */
export function setTakesDescriptors(fd: number, takes: boolean): boolean {
  if (native.setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, new Int32Array([takes ? 1 : 0]), 4) >= 0) return true;
  const errno = lastErrno();
  if (errno === ERRNO.ENOPROTOOPT) return false;
  throw callError(errno, "setsockopt", `Cannot say whether socket ${fd} takes descriptors`);
}

/** From now on no process can send anything to a socket, or connect to it. What was sent before still waits there. */
export function endReceiving(fd: number): void {
  if (native.shutdown(fd, SHUT_RD) >= 0) return;
  const errno = lastErrno();
  if (errno !== ERRNO.ENOTCONN) throw callError(errno, "shutdown", `Cannot end what socket ${fd} receives`);
}

/** How many bytes wait in a stream socket. */
export function waitingBytes(fd: number): number {
  const value = new Int32Array(1);
  ioctl(fd, FIONREAD, value);
  return value[0]!;
}

/**
 * Whether descriptors may wait in a stream socket that receives nothing more: then its close may block as long as its
 * peer likes.
 */
export function mayHoldDescriptors(fd: number): boolean {
  const waiting = waitingBytes(fd);
  if (waiting === 0) return false;
  if (waiting > MOST_LOOKED_AT) return true;
  const seen = peekMessage(fd, new Uint8Array(waiting));
  return seen?.length !== waiting || seen.hasDescriptors;
}

function readOption(fd: number, option: number, value: Int32Array): boolean {
  return native.getsockopt(fd, SOL_SOCKET, option, value, new Uint32Array([value.byteLength])) >= 0;
}
