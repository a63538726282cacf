import {
  agentSlotsToTry,
  isLive,
  liveIn,
  noAgentSlot,
  otherAgents,
  slotOf,
  takeAgentSlot,
  type Identity,
  type Member,
} from "../domain/agent-slot.js";
import { AGENT, type Segment } from "../domain/layout.js";
import { unreleased } from "../domain/recovery.js";
import { codeOf } from "../errors.js";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import { closeFiles, type DomainFiles } from "./domain-files.js";
import {
  closeDescriptor,
  findLockOnFile,
  processId,
  reopenDescriptor,
  signalThread,
  tryLockFile,
  unlockFile,
  type FileRange,
} from "./system-calls.js";

/**
 * How the agents of processes show that they live: each holds a lock on a byte of the control segment's file, far beyond
 * its end, through an open file of its own. The kernel lets go of it when the process ends, however it ends, and never
 * before: a stopped process keeps it.
 *
 * SE1. The byte's number is the agent's slot. The lock is taken before the slot, and given back after it: a live slot
 *     whose byte is not locked belongs to a dead agent.
 * SE2. Only the holder of the lock takes the slot, so no two joiners are mistaken for each other.
 * SE3. A thread that is terminated leaves its open file to its process: the thread that invited it closes that file.
 */

/** Beyond what any control segment has. */
const FIRST_BYTE = 2 ** 40;

/** An agent's slot in a domain, and what belongs to it. It can be sent to another thread of the process. */
export interface Seat {
  readonly identity: Identity;
  /** Shows that the agent lives. */
  readonly descriptor: number;
  readonly files: DomainFiles;
  /** One shared word: whether the seat has been given up. */
  readonly state: SharedArrayBuffer;
}

/**
 * Takes a slot for an agent of this process.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function takeSeat(segment: Segment, files: DomainFiles, name: string): Seat {
  const descriptor = reopenDescriptor(files.control, "read-write");
  try {
    const identity = takeSlot(segment, descriptor, name);
    setThread(segment, identity, 0);
    createSharedSubstrate(files.users).add(0, 1);
    return { identity, descriptor, files, state: new SharedArrayBuffer(8) };
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

function takeSlot(segment: Segment, descriptor: number, name: string): Identity {
  for (const slot of agentSlotsToTry(segment)) {
    if (liveIn(segment, slot) !== 0 || !tryLockFile(descriptor, "write", byteOf(slot))) continue;
    const identity = takeAgentSlot(segment, slot, name);
    if (identity !== 0) return identity;
    unlockFile(descriptor, byteOf(slot));
  }
  throw noAgentSlot(segment);
}

/**
 * Gives a seat up, once: its thread does when it leaves, or whoever notices that the thread has ended. The last seat of
 * the process closes the domain's files.
 */
export function giveUpSeat({ descriptor, files, state }: Seat): void {
  if (createSharedSubstrate(state).exchange(0, 1) !== 0) return;
  closeDescriptor(descriptor);
  if (createSharedSubstrate(files.users).add(0, -1) > 1) return;
  closeFiles(files);
}

/** Whether the thread has left, or ended: the descriptors may be somebody else's by now. */
export function isGivenUp({ state }: Seat): boolean {
  return createSharedSubstrate(state).load(0) !== 0;
}

/** The agents that have died and that no agent has begun to recover, or has released yet. @param control A descriptor that no seat is locked through. */
export function* lostAgents(member: Member, control: number): Generator<Identity> {
  yield* unreleased(member);
  for (const identity of otherAgents(member)) {
    if (findLockOnFile(control, "write", byteOf(slotOf(identity))) !== undefined) continue;
    // It may have left while the lock was looked for.
    if (isLive(member, identity)) yield identity;
  }
}

/** @param thread The kernel's number of the thread that the agent is. */
export function setThread({ memory, layout }: Segment, identity: Identity, thread: number): void {
  memory.store(layout.agent(slotOf(identity)) + AGENT.THREAD, thread);
}

/** Whether an agent's thread, of this process, has ended; false while its number is not known. */
export function hasThreadEnded({ memory, layout }: Segment, identity: Identity): boolean {
  const thread = memory.load(layout.agent(slotOf(identity)) + AGENT.THREAD);
  if (thread === 0) return false;
  try {
    signalThread(processId(), thread, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}

function byteOf(slot: number): FileRange {
  return { start: FIRST_BYTE + slot, length: 1 };
}
