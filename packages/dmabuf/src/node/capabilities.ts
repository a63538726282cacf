import { Socket } from "node:net";
import { DmaBufError } from "../errors.js";
import { mapOverWasm } from "./joining/control-mapping.js";
import { whyNotOverlaid } from "./memory/file-overlay.js";
import {
  acceptConnection,
  addToEpoll,
  addSeals,
  bindSocket,
  closeDescriptor,
  connectSocket,
  createEpoll,
  createEventCounter,
  createMemoryFile,
  createPipe,
  createSocket,
  createSocketPair,
  futexWait,
  listenOnSocket,
  mapMemory,
  openProcess,
  pageSize,
  peerCredentials,
  POLL,
  processId,
  punchHole,
  receiveMessage,
  reopenDescriptor,
  reservePages,
  SEAL,
  sendMessage,
  setFileLength,
  unmapMemory,
  whyUnavailable,
} from "./system-calls/index.js";

/** Something that domains between processes need and that cannot be done here. */
export interface MissingCapability {
  /** What it is: `memory files`. */
  readonly name: string;
  /** The errno name of the call that failed, where one did. */
  readonly code?: string;
  /** The system call that failed, where it was one. */
  readonly syscall?: string;
  /** Why, in a sentence for people. */
  readonly reason: string;
}

/** What `capabilities()` has found. */
export interface Capabilities {
  /** Whether domains between processes work here. */
  readonly processes: boolean;
  /** What is missing for it; empty if nothing is. */
  readonly missing: readonly MissingCapability[];
  /**
   * What works on a domain's shared words here: WebAssembly, or the same protocols by `Atomics` of JavaScript, which take a
   * few microseconds more.
   */
  readonly words: "webassembly" | "atomics";
  /** Why it is not WebAssembly, in a sentence for people. */
  readonly whyAtomics?: string;
  /**
   * Whether a `ModuleWindow` of a domain of processes maps frames into a WebAssembly module's memory. Otherwise it copies them,
   * which `copiedBytes()` counts.
   */
  readonly windows: boolean;
}

/**
 * What works here of what domains between processes need. Each call is tried for real, once in a thread: a sandbox may
 * forbid any of them. Never throws.
 *
 * @example
 * ```ts
 * import { capabilities } from "dmabuf/node";
 *
 * const { processes, missing } = capabilities();
 * console.log(processes ? "processes work here" : missing.map(({ name, reason }) => `${name}: ${reason}`).join("\n"));
 * ```
 */
export function capabilities(): Capabilities {
  return (found ??= find());
}

let found: Capabilities | undefined;

function find(): Capabilities {
  const reason = whyUnavailable();
  const windows = whyNotOverlaid() === undefined;
  if (reason !== undefined) {
    const missing = [{ name: "system calls", reason }];
    return { processes: false, missing, windows, words: "atomics", whyAtomics: reason };
  }
  const missing = Object.entries(TRIALS).flatMap(([name, trial]) => attempt(name, trial));
  const [refusal] = attempt("words", mapWords);
  const words = refusal === undefined ? "webassembly" : "atomics";
  return { processes: missing.length === 0, missing, windows, words, ...(refusal && { whyAtomics: refusal.reason }) };
}

function mapWords(closing: (fd: number) => number): void {
  const fd = closing(createMemoryFile("dmabuf-trial"));
  setFileLength(fd, pageSize());
  mapOverWasm(fd, pageSize()).end();
}

function attempt(name: string, trial: (closing: (fd: number) => number) => void): MissingCapability[] {
  const opened: number[] = [];
  try {
    trial((fd) => {
      opened.push(fd);
      return fd;
    });
    return [];
  } catch (error) {
    const { code, syscall, message } = error as DmaBufError;
    return [{ name, reason: message, ...(code !== undefined && { code }), ...(syscall !== undefined && { syscall }) }];
  } finally {
    for (const fd of opened) closeDescriptor(fd);
  }
}

/** `closing` closes a descriptor when the trial is over. */
const TRIALS: Readonly<Record<string, (closing: (fd: number) => number) => void>> = {
  "memory files"(closing) {
    const fd = closing(createMemoryFile("dmabuf-trial"));
    setFileLength(fd, pageSize());
    reservePages(fd, 0, pageSize());
    addSeals(fd, SEAL.SHRINK | SEAL.GROW);
    punchHole(fd, 0, pageSize());
    closing(reopenDescriptor(fd, "read"));
  },
  "futexes in shared memory"(closing) {
    const fd = closing(createMemoryFile("dmabuf-trial"));
    setFileLength(fd, pageSize());
    const address = mapMemory({ length: pageSize(), protection: "read-write", fd });
    try {
      futexWait(address, 1, 0);
    } finally {
      unmapMemory(address, pageSize());
    }
  },
  pipes(closing) {
    const { reader, writer } = createPipe();
    closing(reader);
    closing(writer);
    closing(reopenDescriptor(reader, "read"));
  },
  "passing of descriptors"(closing) {
    const [here, there] = createSocketPair();
    closing(here);
    closing(there);
    peerCredentials(here);
    sendMessage(here, new Uint8Array(1), [here]);
    const received = receiveMessage(there, new Uint8Array(1));
    for (const fd of received?.descriptors ?? []) closing(fd);
  },
  "Unix sockets"(closing) {
    const listener = closing(createSocket());
    const address = { abstract: `dmabuf-trial-${processId()}-${listener}` };
    bindSocket(listener, address);
    listenOnSocket(listener);
    connectSocket(closing(createSocket()), address);
    const connection = acceptConnection(listener);
    if (connection !== undefined) closing(connection);
  },
  "descriptors of processes"(closing) {
    closing(openProcess(processId()));
  },
  // Not everything that has `node:net` has this: who listens there would hear nothing, and without an error.
  "sockets made of descriptors"(closing) {
    const { reader, writer } = createPipe();
    closing(writer);
    const socket = new Socket({ fd: reader });
    const { _handle: handle } = socket as { readonly _handle?: object | null };
    socket.destroy();
    if (handle !== null && handle !== undefined) return;
    closing(reader);
    throw new DmaBufError("ENOSYS", "Cannot watch a descriptor: the sockets of this runtime take none");
  },
  "epoll and event counters"(closing) {
    const epoll = closing(createEpoll());
    addToEpoll(epoll, closing(createEventCounter()), POLL.READABLE, 0);
  },
};
