import { agentName, deadIn, liveIn, slotOf, type Identity } from "../../domain/agent-slot.js";
import { usedSlots } from "../../domain/table.js";
import { processHost } from "../host.js";
import { isLockOf, isShown } from "../joining/membership.js";
import type { ObservedSegment } from "./observed-segment.js";
import { allDescriptors, writeLocks, type ProcessDescriptor } from "./processes.js";

/** The agents of a domain as they are seen from outside: the kernel says who lives, and in which process (domain-observer.3). */

/** What tells the time, and which processes are stopped. */
export const HOST = processHost();

/** One agent of a domain, as it is seen from outside. */
export interface ObservedAgent {
  /** The agent's name, for people. */
  readonly name: string;
  /** The number of its process; `undefined` if it is dead, or in a process that this one may not look into. */
  readonly process: number | undefined;
  /** "stopped": its process is, by a signal or a debugger. "dead": its thread or its process has ended. */
  readonly state: "live" | "stopped" | "dead";
}

/** One that has joined and not left, or is dead and has not been given back. */
export interface FoundAgent extends ObservedAgent {
  readonly identity: Identity;
}

/** Tells of agents in which processes they are. */
export type ProcessOf = (identity: Identity) => number | undefined;

/** As they are now; of the dead those whose places no other agent has taken. */
export function findAgents(segment: ObservedSegment, processOf: ProcessOf): FoundAgent[] {
  const stopped = new Map<number, boolean>();
  const isStopped = (process: number): boolean => {
    const known = stopped.get(process) ?? HOST.isStopped?.(process) === true;
    stopped.set(process, known);
    return known;
  };
  return agentsIn(segment).flatMap((identity): FoundAgent[] => {
    const name = agentName(segment, identity);
    if (!lives(segment, identity))
      return isThere(segment, identity) ? [{ identity, name, process: undefined, state: "dead" }] : [];
    const process = processOf(identity);
    return [{ identity, name, process, state: process !== undefined && isStopped(process) ? "stopped" : "live" }];
  });
}

/**
 * Which processes the agents are in: those that hold their locks.
 *
 * @param descriptors Of all processes that may be looked into. Default: they are looked for when the first agent is asked for.
 */
export function processesOf(
  { registerName }: ObservedSegment,
  descriptors: () => readonly ProcessDescriptor[] = allDescriptors,
): ProcessOf {
  let homes: { readonly process: number; readonly locks: ReturnType<typeof writeLocks> }[] | undefined;
  return (identity) => {
    homes ??= descriptors()
      .filter(({ name }) => name === registerName)
      .map((register) => ({ process: register.pid, locks: writeLocks(register) }));
    return homes.find(({ locks }) => locks.some((lock) => isLockOf(slotOf(identity), lock)))?.process;
  };
}

/** As {@link processesOf}, remembered: an agent never changes its process, but for a thread that was only invited. */
export function rememberProcesses(segment: ObservedSegment): () => ProcessOf {
  const known = new Map<Identity, number | undefined>();
  return () => {
    const find = processesOf(segment);
    return (identity) => {
      if (!known.has(identity)) known.set(identity, find(identity));
      return known.get(identity);
    };
  };
}

/** All that have joined and not left, and the dead whose slots have not been given back. */
export function agentsIn(segment: ObservedSegment): Identity[] {
  const slots = Array.from({ length: usedSlots(segment, "agents") }, (_, slot) => slot);
  return slots.map((slot) => liveIn(segment, slot) || deadIn(segment, slot)).filter((identity) => identity !== 0);
}

/** domain-observer.3. */
export function lives(segment: ObservedSegment, identity: Identity): boolean {
  return liveIn(segment, slotOf(identity)) === identity && isShown(segment.register, slotOf(identity));
}

/** It may have left while it was looked for: it gives its slot back before its lock. */
function isThere(segment: ObservedSegment, identity: Identity): boolean {
  return liveIn(segment, slotOf(identity)) === identity || deadIn(segment, slotOf(identity)) === identity;
}
