import { randomUUID } from "node:crypto";
import { constants, lstatSync, renameSync, rmSync, unlinkSync, type BigIntStats } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { allOrNothing } from "../../all-or-nothing.js";
import { codeOf, DmaBufError } from "../../errors.js";
import type { KnownUsers } from "./known-users.js";
import { letGoConnection } from "../resources/let-go.js";
import type { WaitLimits } from "./json-lines.js";
import type { Acceptor } from "./acceptor.js";
import {
  acceptConnection,
  bindSocket,
  checkAddress,
  closeDescriptor,
  connectSocket,
  createSocket,
  endReceiving,
  listenOnSocket,
  openFile,
  poll,
  setTakesDescriptors,
  threadId,
  tryLockFolder,
  withUmask,
  type SocketAddress,
} from "../system-calls/index.js";

/**
 * Where processes find a domain: a Unix socket with a path or an abstract name.
 *
 * listening-socket.1. A socket file has mode 0600 from the start, or 0666 if other users are named who may come: the
 *      kernel then tells who they are. It is made under another name and renamed when it listens already:
 *      what is at the path answers, and one that was left behind is replaced without a moment in which there is
 *      none.
 * listening-socket.2. Of several who want the same path at the same time one gets it, and the others are told so: they
 *      look and rename under a lock on the folder, which ends with them. A process that does not get the lock in
 *      time goes on without.
 * listening-socket.3. Nothing but a socket that refuses connections is replaced.
 * listening-socket.4. The file goes with the socket, unless another one is in its place by then.
 * listening-socket.5. No process can send descriptors to a listening socket, or to what connects to one before that
 *      knows whose the socket is (since Linux 6.16). The side that connects asks the kernel for that before it says
 *      anything. What waits at a socket that closes is released.
 * listening-socket.6. Nothing that happens at a listening socket ends the process: what goes wrong there is a warning.
 */
export class ListeningSocket {
  readonly #server: Server;
  readonly #descriptor: number;
  readonly #path: string | undefined;
  readonly #inode: bigint | undefined;
  #isClosed = false;

  /**
   * @param where A path, or "@" and an abstract name.
   * @throws {DmaBufError} `EADDRINUSE` if a process listens there, or what is there is no socket; what else binding
   *   fails with. @throws {RangeError} For a path that is too long for a socket.
   */
  constructor(where: string, acceptor: Acceptor) {
    const address = addressAt(where);
    this.#descriptor = listenAt(address, acceptor.acceptsOthers ? 0o111 : 0o177);
    this.#path = "path" in address ? address.path : undefined;
    this.#inode = inodeAt(this.#path);
    this.#server = createServer({ pauseOnConnect: true }, (connection) => acceptor.serve(connection));
    this.#server.on("error", (error) => acceptor.warn(`No process can connect at ${where} now: ${error.message}`));
    this.#server.listen({ fd: this.#descriptor });
  }

  /** It does not keep the process alive. */
  unref(): this {
    this.#server.unref();
    return this;
  }

  close(): void {
    // The number may be another descriptor's afterwards.
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sendAway();
    this.#server.close();
    if (this.#path === undefined || this.#inode === undefined || inodeAt(this.#path) !== this.#inode) return;
    try {
      unlinkSync(this.#path);
    } catch {
      // The folder lets no user remove it, or is gone: the file stays, and refuses every process that connects.
    }
  }

  /** The connections that wait to be accepted. */
  #sendAway(): void {
    try {
      endReceiving(this.#descriptor);
      for (;;) {
        const next = acceptConnection(this.#descriptor);
        if (next === undefined) return;
        letGoConnection(next);
      }
    } catch {
      // There is no room to take them in: the kernel ends them with the socket.
    }
  }
}

/** How a process connects to a listening socket. */
export interface Approach {
  readonly where: string;
  /** Whose socket it may be. */
  readonly users: KnownUsers;
  /** What cannot be done at any other user's: "Cannot join the domain". */
  readonly action: string;
}

/**
 * A connection to a listening socket, of which it is known whose it is (listening-socket.5).
 *
 * @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if no process listens there; `EACCES` if it is no known user's.
 */
export function connectTo({ where, users, action }: Approach): number {
  return allOrNothing((orUndo) => {
    const descriptor = reach(addressAt(where));
    orUndo(() => letGoConnection(descriptor));
    users.check(descriptor, `${action} at ${where}`);
    setTakesDescriptors(descriptor, true);
    return descriptor;
  });
}

/** A connection to whatever listens there, which can send no descriptors through it. */
function reach(address: SocketAddress): number {
  return allOrNothing((orUndo) => {
    const descriptor = createSocket("stream");
    orUndo(() => closeDescriptor(descriptor));
    setTakesDescriptors(descriptor, false);
    connectSocket(descriptor, address);
    return descriptor;
  });
}

/**
 * As {@link connectTo}, and while the queue of connections is full it tries again.
 *
 * @throws {DmaBufError} `ETIMEDOUT`; otherwise as {@link connectTo}.
 */
export async function connectInTime(approach: Approach, { end, signal }: WaitLimits): Promise<number> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return connectTo(approach);
    } catch (error) {
      if (!(error instanceof DmaBufError) || error.code !== "EAGAIN") throw error;
      if (performance.now() > end) {
        throw new DmaBufError(
          "ETIMEDOUT",
          `Cannot connect to ${approach.where}: too many wait there already, and are not accepted`,
          {
            cause: error,
          },
        );
      }
    }
    await pause(QUEUE_PAUSE);
  }
}

/** Milliseconds. */
const QUEUE_PAUSE = 10;

/** Milliseconds, and how often: others need it for less than one. */
const LOCK_PAUSE = 5;
const LOCK_TRIES = 200;

function addressAt(where: string): SocketAddress {
  return where.startsWith("@") ? { abstract: where.slice(1) } : { path: where };
}

function listenAt(address: SocketAddress, umask: number): number {
  if (!("path" in address)) return listenOn(address, umask);
  checkAddress(address);
  const free = lockFolder(address.path);
  try {
    if (!isLeftBehind(address.path)) {
      throw new DmaBufError("EADDRINUSE", `Cannot listen at ${JSON.stringify(address.path)}: it is in use`);
    }
    return publish(address.path, free.folder, umask);
  } finally {
    free.unlock();
  }
}

/** A socket file that refuses a connection has been left behind; where nothing is, nothing is in the way. */
function isLeftBehind(path: string): boolean {
  const file = fileAt(path);
  if (file === undefined) return true;
  if (!file.isSocket()) return false;
  try {
    letGoConnection(reach({ path }));
    return false;
  } catch (error) {
    // Its queue may be full, or it may be another user's: only a refusal is sure.
    return codeOf(error) === "ECONNREFUSED" || codeOf(error) === "ENOENT";
  }
}

/** @param folder The path's, by a short name: that of the new socket has no room of its own. */
function publish(path: string, folder: string, umask: number): number {
  const fresh = `${folder}/${freshName(folder)}`;
  const descriptor = listenOn({ path: fresh }, umask);
  try {
    renameSync(fresh, path);
    return descriptor;
  } catch (cause) {
    closeDescriptor(descriptor);
    rmSync(fresh, { force: true });
    throw cannotListen(path, cause, "rename");
  }
}

/** A name that is free. A thread of the same number may have ended in the middle of this, and left its file. */
function freshName(folder: string): string {
  const own = `.dmabuf-${threadId()}`;
  try {
    rmSync(`${folder}/${own}`, { force: true });
    return own;
  } catch {
    // There may be a folder of that name, or it is another user's.
    return `.dmabuf-${randomUUID()}`;
  }
}

function listenOn(address: SocketAddress, umask: number): number {
  return allOrNothing((orUndo) => {
    const descriptor = createSocket("stream");
    orUndo(() => closeDescriptor(descriptor));
    setTakesDescriptors(descriptor, false);
    withUmask(umask, () => bindSocket(descriptor, address));
    listenOnSocket(descriptor);
    return descriptor;
  });
}

/** Locks the folder that a path is in. */
function lockFolder(path: string): { readonly folder: string; readonly unlock: () => void } {
  return allOrNothing((orUndo) => {
    const descriptor = openFile(dirname(path), "read", constants.O_DIRECTORY);
    const unlock = (): void => closeDescriptor(descriptor);
    orUndo(unlock);
    // Another user could keep it: it is for those that mean well.
    for (let tries = 0; tries < LOCK_TRIES && !tryLockFolder(descriptor); tries++) poll([], LOCK_PAUSE);
    return { folder: `/proc/self/fd/${descriptor}`, unlock };
  });
}

function inodeAt(path: string | undefined): bigint | undefined {
  try {
    return path === undefined ? undefined : fileAt(path)?.ino;
  } catch {
    return undefined;
  }
}

function fileAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (cause) {
    throw cannotListen(path, cause, "lstat");
  }
}

function cannotListen(path: string, cause: unknown, syscall: string): DmaBufError {
  const reason = (cause as Error).message;
  return new DmaBufError(codeOf(cause), `Cannot listen at ${JSON.stringify(path)}: ${reason}`, { syscall, cause });
}
