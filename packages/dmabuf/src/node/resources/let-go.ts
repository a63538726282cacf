import { spawn, type ChildProcess } from "node:child_process";
import { close } from "node:fs";
import type { Socket } from "node:net";
import { codeOf } from "../../errors.js";
import { descriptorOf } from "./socket-descriptor.js";
import {
  closeDescriptor,
  duplicateDescriptor,
  endReceiving,
  isPipe,
  mayHoldDescriptors,
  sealsOf,
} from "../system-calls/index.js";

/**
 * How descriptors are closed on which a peer has had influence: what it has sent, and sockets in which something that it
 * has sent may be. The last close of such a thing may block as long as the peer likes: of a TCP socket that lingers, for
 * one.
 *
 * let-go.1. Such a close is not the last one. A child process is started that has the descriptors, too; then they are
 *      closed here, and the child is killed. A process that ends waits for nothing. The closes themselves are done by
 *      the runtime's own threads, never by an event loop.
 * let-go.2. What cannot block is closed at once: memory files, pipes, and connections of our own that hold no
 *      descriptors. A socket that was sent is only closed: its sender may still use it.
 * let-go.3. However much there is to be closed, a child is started once in a second, or for each {@link MOST_WAITING}.
 * let-go.4. No file system is asked what a descriptor is: that answer, too, could be kept back.
 */
export function letGo(...descriptors: readonly number[]): void {
  for (const descriptor of descriptors) {
    if (isPipe(descriptor) || isMemoryFile(descriptor)) closeDescriptor(descriptor);
    else waiting.push(descriptor);
  }
  if (waiting.length === 0) return;
  const pause = lastMs + PAUSE - performance.now();
  if (pause <= 0 || waiting.length >= MOST_WAITING) closeWaiting();
  else timer ??= setTimeout(closeWaiting, pause).unref();
}

/** Ends a connection of our own, as {@link letGo} does. @param connection A stream socket that no other process has. */
export function letGoConnection(connection: number): void {
  if (mayBlock(connection)) letGo(connection);
  else closeDescriptor(connection);
}

/** The same for one that Node.js reads from. */
export function endConnection(connection: Socket): void {
  if (connection.destroyed) return;
  try {
    const descriptor = descriptorOf(connection);
    if (mayBlock(descriptor)) {
      const kept = duplicateDescriptor(descriptor);
      connection.once("close", () => letGo(kept));
    }
  } catch (error) {
    // Without a second descriptor the runtime's close is the last one.
    if (codeOf(error) !== "EMFILE") throw error;
  }
  connection.destroy();
}

const MOST_WAITING = 64;
/** Milliseconds. */
const PAUSE = 1_000;
const waiting: number[] = [];
let lastMs = -Infinity;
let timer: NodeJS.Timeout | undefined;

/** What cannot be said for certain may. */
function mayBlock(connection: number): boolean {
  try {
    endReceiving(connection);
    return mayHoldDescriptors(connection);
  } catch {
    return true;
  }
}

function isMemoryFile(descriptor: number): boolean {
  try {
    return sealsOf(descriptor) >= 0;
  } catch {
    return false;
  }
}

/** let-go.1. */
function closeWaiting(): void {
  clearTimeout(timer);
  timer = undefined;
  lastMs = performance.now();
  const descriptors = waiting.splice(0);
  const heir = heirOf(descriptors);
  let left = descriptors.length;
  for (const descriptor of descriptors) {
    close(descriptor, () => {
      if (--left === 0) heir?.kill("SIGKILL");
    });
  }
}

/** A process that has the descriptors, and waits; undefined if none can be started. */
function heirOf(descriptors: readonly number[]): ChildProcess | undefined {
  try {
    // Without a script Node.js waits for one to come through the pipe.
    const heir = spawn(process.execPath, [], { stdio: ["pipe", "ignore", "ignore", ...descriptors], env: {} });
    heir.on("error", () => {});
    heir.stdin?.on("error", () => {});
    heir.unref();
    return heir;
  } catch {
    return undefined;
  }
}
