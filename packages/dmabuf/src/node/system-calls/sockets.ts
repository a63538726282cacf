import { DmaBufError, ERRNO } from "../../errors.js";
import { closeDescriptor } from "./descriptors.js";
import { addressOf, callError, lastErrno, nativeFunction, uninterrupted } from "./library.js";

/** Unix sockets that pass descriptors. Every socket is closed on exec and does not block. */

/** A path in the file system, or a name in the abstract namespace, which nothing has to clean up. */
export type SocketAddress = { readonly path: string } | { readonly abstract: string };

/** `sequenced` keeps the bounds of messages. */
export type SocketType = "stream" | "sequenced" | "datagram";

export interface ReceivedMessage {
  /** Bytes received; 0 at the end. */
  readonly length: number;
  /** They belong to the caller now, and are closed on exec. */
  readonly descriptors: readonly number[];
  /** The message was longer than the buffer (`sequenced` only); the rest is lost. */
  readonly truncated: boolean;
}

/** So many descriptors fit one message: the kernel's limit. */
export const MOST_DESCRIPTORS = 253;

const AF_UNIX = 1;
const TYPES = { stream: 1, datagram: 2, sequenced: 5 } as const;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_PEEK = 2;
const MSG_CTRUNC = 8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const PATH_BYTES = 108;

const native = {
  socket: nativeFunction("int socket(int domain, int type, int protocol)"),
  socketpair: nativeFunction("int socketpair(int domain, int type, int protocol, void *ends)"),
  bind: nativeFunction("int bind(int fd, void *address, uint32_t length)"),
  listen: nativeFunction("int listen(int fd, int backlog)"),
  connect: nativeFunction("int connect(int fd, void *address, uint32_t length)"),
  accept4: nativeFunction("int accept4(int fd, void *address, void *length, int flags)"),
  sendmsg: nativeFunction("int64_t sendmsg(int fd, void *message, int flags)"),
  recvmsg: nativeFunction("int64_t recvmsg(int fd, void *message, int flags)"),
};

export function createSocket(type: SocketType = "stream"): number {
  const fd = native.socket(AF_UNIX, TYPES[type] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw callError(lastErrno(), "socket", "Cannot make a Unix socket");
  return fd;
}

/** Two sockets, connected to each other. */
export function createSocketPair(type: SocketType = "stream"): readonly [number, number] {
  const ends = new Int32Array(2);
  if (native.socketpair(AF_UNIX, TYPES[type] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
    throw callError(lastErrno(), "socketpair", "Cannot make a pair of Unix sockets");
  }
  return [ends[0]!, ends[1]!];
}

/** @throws {DmaBufError} `EADDRINUSE` if the address is taken, also by a socket file without a listener. */
export function bindSocket(fd: number, address: SocketAddress): void {
  const bytes = encodeAddress(address);
  if (native.bind(fd, bytes, bytes.byteLength) >= 0) return;
  throw callError(lastErrno(), "bind", `Cannot bind a socket to ${describe(address)}`);
}

export function listenOnSocket(fd: number, backlog = 64): void {
  if (native.listen(fd, backlog) >= 0) return;
  throw callError(lastErrno(), "listen", `Cannot listen on socket ${fd}`);
}

/**
 * Connects at once, or fails.
 *
 * @throws {DmaBufError} `ECONNREFUSED` if no process listens, `ENOENT` if there is no such path, `EAGAIN` if the
 *     listener's queue is full.
 */
export function connectSocket(fd: number, address: SocketAddress): void {
  const bytes = encodeAddress(address);
  if (uninterrupted(() => native.connect(fd, bytes, bytes.byteLength)) >= 0) return;
  throw callError(lastErrno(), "connect", `Cannot connect to ${describe(address)}`);
}

/** The next connection, or undefined if none waits now. */
export function acceptConnection(fd: number): number | undefined {
  const connection = uninterrupted(() => native.accept4(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection >= 0) return connection;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN || errno === ERRNO.ECONNABORTED) return undefined;
  throw callError(errno, "accept4", `Cannot accept a connection on socket ${fd}`);
}

/**
 * Sends bytes, and copies of descriptors with the first of them. Never waits.
 *
 * @param bytes At least one.
 * @returns How many bytes were taken, the descriptors with them; undefined if the socket takes none now.
 * @throws {DmaBufError} `EPIPE` or `ECONNRESET` if the other end is gone.
 * @throws {RangeError} For no bytes, or for more than 253 descriptors.
 */
export function sendMessage(fd: number, bytes: Uint8Array, descriptors: readonly number[] = []): number | undefined {
  if (bytes.byteLength === 0) throw new RangeError("A message needs at least 1 byte");
  if (descriptors.length > MOST_DESCRIPTORS) {
    throw new RangeError(`A message takes at most ${MOST_DESCRIPTORS} descriptors, not ${descriptors.length}`);
  }
  const message = new Message(bytes, descriptors.length);
  message.putDescriptors(descriptors);
  const length = uninterrupted(() => native.sendmsg(fd, message.head, MSG_DONTWAIT | MSG_NOSIGNAL));
  message.release();
  if (length >= 0) return length;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return undefined;
  const what = `${bytes.byteLength} bytes and ${descriptors.length} descriptors`;
  throw callError(errno, "sendmsg", `Cannot send ${what} through socket ${fd}`);
}

/**
 * Receives bytes into `bytes`, and the descriptors that came with them. Never waits.
 *
 * @param mostDescriptors For how many there is room.
 * @param memory Where the kernel leaves the descriptors, {@link MESSAGE_BYTES} long: {@link descriptorsIn} finds them
 *   there.
 * @returns Undefined if nothing is there now.
 * @throws {DmaBufError} `EMSGSIZE` if more descriptors came than there was room for, `EMFILE` if this process may open
 *     no more: all that came are closed.
 */
export function receiveMessage(
  fd: number,
  bytes: Uint8Array,
  mostDescriptors = MOST_DESCRIPTORS,
  memory?: DataView,
): ReceivedMessage | undefined {
  const message = new Message(bytes, mostDescriptors, memory);
  const length = uninterrupted(() => {
    message.rewind();
    return native.recvmsg(fd, message.head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  });
  message.release();
  if (length < 0) {
    const errno = lastErrno();
    if (errno === ERRNO.EAGAIN) return undefined;
    throw callError(errno, "recvmsg", `Cannot receive from socket ${fd}`);
  }
  const descriptors = descriptorsIn(message.head);
  if ((message.flags & MSG_CTRUNC) !== 0) {
    forgetDescriptors(message.head);
    for (const descriptor of descriptors) closeDescriptor(descriptor);
    // The kernel says only that some are missing: if there was room for more, this process may have no more.
    if (descriptors.length < mostDescriptors) {
      const text = `Cannot receive all descriptors of a message from socket ${fd}: this process may open no more`;
      throw new DmaBufError("EMFILE", text, { syscall: "recvmsg" });
    }
    const text = `Cannot receive all descriptors of a message from socket ${fd}: there is room for ${mostDescriptors}`;
    throw new DmaBufError("EMSGSIZE", text, { syscall: "recvmsg" });
  }
  return { length, descriptors, truncated: (message.flags & MSG_TRUNC) !== 0 };
}

/**
 * Looks at the bytes that wait in a socket, and takes none. Descriptors that came with them do not come into this
 * process.
 *
 * @returns How many bytes were copied into `bytes`, and whether descriptors are among them; undefined if nothing is
 *   there.
 */
export function peekMessage(
  fd: number,
  bytes: Uint8Array,
): { readonly length: number; readonly hasDescriptors: boolean } | undefined {
  const message = new Message(bytes, 0);
  const length = uninterrupted(() => {
    message.rewind();
    return native.recvmsg(fd, message.head, MSG_PEEK | MSG_DONTWAIT);
  });
  message.release();
  if (length >= 0) return { length, hasDescriptors: (message.flags & MSG_CTRUNC) !== 0 };
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return undefined;
  throw callError(errno, "recvmsg", `Cannot look into socket ${fd}`);
}

/** Byte offsets in `struct msghdr` of 64-bit systems, followed by one `struct iovec` and the control data. */
const HEAD = { VECTOR: 16, VECTORS: 24, CONTROL: 32, CONTROL_BYTES: 40, FLAGS: 48, BYTES: 56 } as const;
const VECTOR = { BASE: 0, LENGTH: 8, BYTES: 16 } as const;
const CONTROL = { LENGTH: 0, LEVEL: 8, TYPE: 12, DATA: 16 } as const;
const CONTROL_START = HEAD.BYTES + VECTOR.BYTES;

/** How long the memory of any call is. */
export const MESSAGE_BYTES = CONTROL_START + CONTROL.DATA + roundUp(4 * MOST_DESCRIPTORS);

/** The descriptors that have come into the memory of a call, until they are forgotten or it is used again. */
export function descriptorsIn(memory: DataView): number[] {
  const descriptors: number[] = [];
  const end = CONTROL_START + Number(memory.getBigUint64(HEAD.CONTROL_BYTES, true));
  for (let at = CONTROL_START; at + CONTROL.DATA <= end;) {
    const length = Number(memory.getBigUint64(at + CONTROL.LENGTH, true));
    if (length < CONTROL.DATA) break;
    const rights =
      memory.getInt32(at + CONTROL.LEVEL, true) === SOL_SOCKET &&
      memory.getInt32(at + CONTROL.TYPE, true) === SCM_RIGHTS;
    for (let data = at + CONTROL.DATA; rights && data + 4 <= Math.min(at + length, end); data += 4) {
      descriptors.push(memory.getInt32(data, true));
    }
    at += roundUp(length);
  }
  return descriptors;
}

export function forgetDescriptors(memory: DataView): void {
  memory.setBigUint64(CONTROL_START + CONTROL.LENGTH, 0n, true);
}

/** The memory of one call. */
class Message {
  readonly head: DataView;
  readonly #controlBytes: number;
  /** Held until the call is over: the head has only its address. */
  payload: Uint8Array | undefined;

  constructor(payload: Uint8Array, descriptors: number, memory?: DataView) {
    this.payload = payload;
    this.#controlBytes = descriptors === 0 ? 0 : CONTROL.DATA + roundUp(4 * descriptors);
    this.head = memory ?? new DataView(new ArrayBuffer(CONTROL_START + CONTROL.DATA + this.#controlBytes));
    const here = addressOf(this.head);
    this.head.setBigUint64(HEAD.VECTOR, here + BigInt(HEAD.BYTES), true);
    this.head.setBigUint64(HEAD.VECTORS, 1n, true);
    this.head.setBigUint64(HEAD.BYTES + VECTOR.BASE, addressOf(payload), true);
    this.head.setBigUint64(HEAD.BYTES + VECTOR.LENGTH, BigInt(payload.byteLength), true);
    if (descriptors > 0) this.head.setBigUint64(HEAD.CONTROL, here + BigInt(CONTROL_START), true);
    this.rewind();
  }

  /** The call writes how much it has filled there. */
  rewind(): void {
    forgetDescriptors(this.head);
    this.head.setBigUint64(HEAD.CONTROL_BYTES, BigInt(this.#controlBytes), true);
  }

  release(): void {
    this.payload = undefined;
  }

  get flags(): number {
    return this.head.getInt32(HEAD.FLAGS, true);
  }

  putDescriptors(descriptors: readonly number[]): void {
    if (descriptors.length === 0) return;
    const { head } = this;
    head.setBigUint64(CONTROL_START + CONTROL.LENGTH, BigInt(CONTROL.DATA + 4 * descriptors.length), true);
    head.setInt32(CONTROL_START + CONTROL.LEVEL, SOL_SOCKET, true);
    head.setInt32(CONTROL_START + CONTROL.TYPE, SCM_RIGHTS, true);
    descriptors.forEach((fd, index) => head.setInt32(CONTROL_START + CONTROL.DATA + 4 * index, fd, true));
  }
}

/** Control data is aligned to 8 bytes. */
function roundUp(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** @throws {RangeError} For what no socket's address can be. */
export function checkAddress(address: SocketAddress): void {
  encodeAddress(address);
}

/** `struct sockaddr_un`: a path ends with a zero byte, an abstract name begins with one and has none at its end. */
function encodeAddress(address: SocketAddress): Uint8Array {
  const name = "path" in address ? `${address.path}\0` : `\0${address.abstract}`;
  const bytes = Buffer.from(`\0\0${name}`);
  const given = "path" in address ? address.path : address.abstract;
  if (given === "" || given.includes("\0")) {
    throw new RangeError(`A socket's address is not empty and has no zero character: ${JSON.stringify(given)}`);
  }
  if (bytes.byteLength - 2 > PATH_BYTES) {
    const most = PATH_BYTES - 1;
    throw new RangeError(`A socket's address has at most ${most} bytes: ${JSON.stringify(given)} has more`);
  }
  bytes.writeUInt16LE(AF_UNIX, 0);
  return bytes;
}

function describe(address: SocketAddress): string {
  return "path" in address ? JSON.stringify(address.path) : `the abstract name ${JSON.stringify(address.abstract)}`;
}
