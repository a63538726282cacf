import { lstatSync, renameSync, unlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { DmaBufError } from "../errors.js";
import type { Reception } from "./reception.js";
import {
  bindSocket,
  closeDescriptor,
  connectSocket,
  createSocket,
  listenOnSocket,
  processId,
  withUmask,
  type SocketAddress,
} from "./system-calls.js";

/**
 * Where processes find a domain: a Unix socket with a path or an abstract name.
 *
 * GA1. A socket file has mode 0600 from the start, or 0666 if other users are named who may come: the kernel then tells
 *      who they are. One that nobody listens on any more is replaced by renaming a new one over it: there is no moment
 *      without one.
 * GA2. The file goes with the gate, unless somebody has put another one in its place.
 */
export class Gate {
  readonly #server: Server;
  readonly #path: string | undefined;
  readonly #inode: bigint | undefined;

  /**
   * @param where A path, or "@" and an abstract name.
   * @throws {DmaBufError} `EADDRINUSE` if somebody listens there; what else binding fails with.
   */
  constructor(where: string, reception: Reception) {
    const address = addressAt(where);
    const descriptor = listenAt(address, reception.admitsOthers ? 0o111 : 0o177);
    this.#path = "path" in address ? address.path : undefined;
    this.#inode = inodeAt(this.#path);
    this.#server = createServer({ pauseOnConnect: true }, (connection) => reception.serve(connection));
    this.#server.listen({ fd: descriptor });
  }

  close(): void {
    this.#server.close();
    if (this.#path !== undefined && inodeAt(this.#path) === this.#inode) unlinkSync(this.#path);
  }
}

/** A connection to a gate. @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if nobody listens there. */
export function connectTo(where: string): number {
  const descriptor = createSocket("stream");
  try {
    connectSocket(descriptor, addressAt(where));
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

function addressAt(where: string): SocketAddress {
  return where.startsWith("@") ? { abstract: where.slice(1) } : { path: where };
}

function listenAt(address: SocketAddress, umask: number): number {
  const descriptor = createSocket("stream");
  try {
    withUmask(umask, () => bindSocket(descriptor, address));
    listenOnSocket(descriptor);
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    if (!(error instanceof DmaBufError) || error.code !== "EADDRINUSE" || !("path" in address)) throw error;
    if (isListening(address.path)) throw error;
    return replace(address.path, umask);
  }
}

/** A socket file that refuses a connection has been left behind. */
function isListening(path: string): boolean {
  try {
    closeDescriptor(connectTo(path));
    return true;
  } catch (error) {
    // Its queue may be full, or it may be somebody else's: only a refusal is sure.
    return !(error instanceof DmaBufError) || error.code !== "ECONNREFUSED";
  }
}

function replace(path: string, umask: number): number {
  const fresh = `${path}.${processId()}`;
  const descriptor = listenAt({ path: fresh }, umask);
  try {
    renameSync(fresh, path);
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    unlinkSync(fresh);
    throw error;
  }
}

function inodeAt(path: string | undefined): bigint | undefined {
  if (path === undefined) return undefined;
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
