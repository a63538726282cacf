import { connectTo } from "../src/node/connecting/listening-socket.js";
import { KnownUsers } from "../src/node/connecting/known-users.js";
import { closeDescriptor, fileControl, nativeFunction, writeDescriptor } from "../src/node/system-calls/index.js";

/** A bare connection to a listening socket of this user's. It is the caller's. */
export function connectBare(where: string): number {
  return connectTo({ where, users: new KnownUsers(), action: "Cannot try it" });
}

const native = {
  socket: nativeFunction("int socket(int domain, int type, int protocol)"),
  bind: nativeFunction("int bind(int fd, void *address, uint32_t length)"),
  listen: nativeFunction("int listen(int fd, int backlog)"),
  connect: nativeFunction("int connect(int fd, void *address, uint32_t length)"),
  accept: nativeFunction("int accept(int fd, void *address, void *length)"),
  getsockname: nativeFunction("int getsockname(int fd, void *address, void *length)"),
  setsockopt: nativeFunction("int setsockopt(int fd, int level, int option, void *value, uint32_t length)"),
};

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_PASSRIGHTS = 83;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/**
 * A TCP socket whose last close takes so long: what it has sent is never read.
 *
 * @returns Its descriptor, and those that must stay open until then.
 */
export function lingeringSocket(seconds: number): { readonly descriptor: number; readonly keep: readonly number[] } {
  const address = new Uint8Array(16);
  new DataView(address.buffer).setUint16(0, AF_INET, true);
  address.set([127, 0, 0, 1], 4);
  const server = native.socket(AF_INET, SOCK_STREAM, 0);
  native.bind(server, address, 16);
  native.listen(server, 1);
  native.getsockname(server, address, new Uint32Array([16]));
  const descriptor = native.socket(AF_INET, SOCK_STREAM, 0);
  native.connect(descriptor, address, 16);
  const accepted = native.accept(server, null, null);
  fileControl(descriptor, F_SETFL, O_NONBLOCK);
  const some = new Uint8Array(65_536);
  while (writeDescriptor(descriptor, some) !== undefined);
  native.setsockopt(descriptor, SOL_SOCKET, SO_LINGER, new Int32Array([1, seconds]), 8);
  return { descriptor, keep: [server, accepted] };
}

/**
 * Makes sockets of this process as they are before Linux 6.16: descriptors can be sent to them, whatever they have
 * asked.
 */
export function takeDescriptorsAgain(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) {
    native.setsockopt(descriptor, SOL_SOCKET, SO_PASSRIGHTS, new Int32Array([1]), 4);
  }
}

export function closeAll(descriptors: readonly number[]): void {
  descriptors.forEach(closeDescriptor);
}
