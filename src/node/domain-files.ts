import { constants } from "node:fs";
import { addSeals, closeDescriptor, createMemoryFile, createPipe, reopenDescriptor, SEAL } from "./system-calls.js";
import { bindSocket, connectSocket, createSocket, setFileLength } from "./system-calls.js";
import { randomUUID } from "node:crypto";

/**
 * The descriptors by which a process takes part in a domain: all its threads use the same ones, and the last thread to
 * leave closes them.
 */
export interface DomainFiles {
  /** The control segment's memory. */
  readonly control: number;
  /** One an agent slot: a pipe, opened to read and write, whose bytes wake the agent's event loop. */
  readonly bells: readonly number[];
  /** One an agent slot: a socket connected to itself, whose messages the agent alone takes out. */
  readonly inboxes: readonly number[];
  /** How many agents of this process use them: one shared word. */
  readonly users: SharedArrayBuffer;
}

/** @param bytes How long the control segment is. */
export function createDomainFiles(bytes: number, agents: number): DomainFiles {
  const open: number[] = [];
  const keep = (descriptor: number): number => {
    open.push(descriptor);
    return descriptor;
  };
  try {
    const control = keep(createMemoryFile("dmabuf control"));
    setFileLength(control, bytes);
    // A peer that cut it short would kill everybody else.
    addSeals(control, SEAL.SHRINK | SEAL.GROW | SEAL.SEAL);
    const bells = Array.from({ length: agents }, () => keep(createBell()));
    const inboxes = Array.from({ length: agents }, () => keep(createInbox()));
    return filesOf([control, ...bells, ...inboxes]);
  } catch (error) {
    for (const descriptor of open) closeDescriptor(descriptor);
    throw error;
  }
}

/** All of them in one list, as they are sent to another process. */
export function descriptorsOf({ control, bells, inboxes }: DomainFiles): number[] {
  return [control, ...bells, ...inboxes];
}

/** The reverse of {@link descriptorsOf}, for the first thread of a process. */
export function filesOf(descriptors: readonly number[]): DomainFiles {
  const [control, ...rest] = descriptors as [number, ...number[]];
  const agents = rest.length / 2;
  const users = new SharedArrayBuffer(8);
  return { control, bells: rest.slice(0, agents), inboxes: rest.slice(agents), users };
}

/** When no agent of this process uses them any more. */
export function closeFiles(files: DomainFiles): void {
  for (const descriptor of descriptorsOf(files)) closeDescriptor(descriptor);
}

function createBell(): number {
  const { reader, writer } = createPipe();
  try {
    return reopenDescriptor(reader, "read-write", constants.O_NONBLOCK);
  } finally {
    closeDescriptor(reader);
    closeDescriptor(writer);
  }
}

/** Its name serves only to connect it to itself: a socket that is connected takes nothing from any other. */
function createInbox(): number {
  const socket = createSocket("datagram");
  const address = { abstract: `dmabuf inbox ${randomUUID()}` };
  bindSocket(socket, address);
  connectSocket(socket, address);
  return socket;
}
