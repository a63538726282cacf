import { readDescriptor, writeDescriptor } from "./descriptors.js";
import { callError, lastErrno, nativeFunction } from "./library.js";

/** The kernel's list of Unix sockets (sock_diag): unlike /proc/net/unix it knows the files of those that were renamed. */

/** A Unix socket that listens, in this network namespace. */
export interface ListeningSocketInfo {
  /** Its number, as `/proc` shows it among a process's descriptors. */
  readonly inode: number;
  /** Its name in the abstract namespace, if it has one. */
  readonly abstract: string | undefined;
  /** The lower 32 bits of its file's inode number, if it has a file. */
  readonly fileInode: number | undefined;
}

const AF_UNIX = 1;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const MESSAGE = { ERROR: 2, DONE: 3, BY_FAMILY: 20 } as const;
const LISTENS = 1 << 10;
const SHOW_NAME_AND_FILE = 3;
const ATTRIBUTE = { NAME: 0, FILE: 1 } as const;
/** Bytes of `struct nlmsghdr`, of a request behind it, and of an answer before its attributes. */
const HEADER = 16;
const REQUEST = 24;
const ANSWER = 16;
/** Bytes; more than the kernel sends at once. */
const RECEIVED = 65_536;

const socket = nativeFunction("int socket(int domain, int type, int protocol)");

/** A socket to the kernel, which answers there. */
export function createDiagnosisSocket(): number {
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) throw callError(lastErrno(), "socket", "Cannot ask the kernel for its sockets");
  return fd;
}

/** @throws {DmaBufError} With the errno of the kernel: it may have been built without this. */
export function* listeningSockets(fd: number): Generator<ListeningSocketInfo> {
  writeDescriptor(fd, request());
  const received = Buffer.alloc(RECEIVED);
  for (;;) {
    const length = readDescriptor(fd, received) ?? 0;
    for (let at = 0; at + HEADER <= length; at += aligned(received.readUInt32LE(at))) {
      const end = at + received.readUInt32LE(at);
      const type = received.readUInt16LE(at + 4);
      if (type === MESSAGE.DONE) return;
      if (type === MESSAGE.ERROR) {
        throw callError(-received.readInt32LE(at + HEADER), "sock_diag", "Cannot ask the kernel for its sockets");
      }
      yield answerIn(received.subarray(at + HEADER, end));
    }
  }
}

function request(): Uint8Array {
  const bytes = Buffer.alloc(HEADER + REQUEST);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(MESSAGE.BY_FAMILY, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST | NLM_F_DUMP, 6);
  bytes.writeUInt8(AF_UNIX, HEADER);
  bytes.writeUInt32LE(LISTENS, HEADER + 4);
  bytes.writeUInt32LE(SHOW_NAME_AND_FILE, HEADER + 12);
  return bytes;
}

function answerIn(answer: Buffer): ListeningSocketInfo {
  let abstract: string | undefined;
  let fileInode: number | undefined;
  for (let at = ANSWER; at + 4 <= answer.length; at += aligned(answer.readUInt16LE(at))) {
    const value = answer.subarray(at + 4, at + answer.readUInt16LE(at));
    const type = answer.readUInt16LE(at + 2);
    if (type === ATTRIBUTE.NAME && value[0] === 0) abstract = value.toString("utf8", 1);
    if (type === ATTRIBUTE.FILE) fileInode = value.readUInt32LE(0);
  }
  return { inode: answer.readUInt32LE(4), abstract, fileInode };
}

/** Messages and attributes begin at multiples of 4. */
function aligned(bytes: number): number {
  return (bytes + 3) & ~3;
}
