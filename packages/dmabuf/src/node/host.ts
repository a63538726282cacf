import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { hostWith } from "../host/threads.js";
import type { Host } from "../host/host.js";

/**
 * The surroundings of a thread of a process: its clock is CLOCK_MONOTONIC, which all processes share, and every thread
 * may block.
 *
 * @param spin Milliseconds for which a wait looks again and again before it sleeps; by default as on threads, and 0 if
 *     this process may use one processor only.
 */
export function processHost(spin?: number): Host {
  const host = hostWith(spin);
  const spinNs = spin === undefined && availableParallelism() === 1 ? 0 : host.spinNs;
  return { ...host, mayBlock: true, spinNs, isStopped };
}

/** Whether a process is in state T or t: stopped, by a signal or a debugger. */
function isStopped(process: number): boolean {
  try {
    const status = readFileSync(`/proc/${process}/stat`, "latin1");
    // The name before it may have any characters.
    return /^\) [Tt]/.test(status.slice(status.lastIndexOf(")")));
  } catch {
    return false;
  }
}
