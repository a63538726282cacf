import { constants } from "node:fs";
import { Socket } from "node:net";
import {
  claimAgentSlot,
  isLive,
  liveIn,
  markDead,
  otherAgents,
  slotOf,
  type Identity,
  type Member,
} from "../../domain/agent-slot.js";
import { noteState } from "../../domain/invitation-slot.js";
import { INVITATION_STATE, type Segment } from "../../domain/layout.js";
import { unreleased } from "../../domain/recovery.js";
import { allOrNothing } from "../../all-or-nothing.js";
import { DmaBufError } from "../../errors.js";
import { createSharedSubstrate } from "../../substrate/shared-array.js";
import { registerIn, type DomainFiles } from "./domain-files.js";
import { findLockOnFile, reopenDescriptor, tryLockFile, unlockFile, type FileRange } from "../system-calls/index.js";

/**
 * How an agent shows that its thread lives: it holds a lock on bytes of the domain's register, through an open file of
 * its own, which Node.js closes when the thread ends, in whatever way, and the kernel when the process does. Neither
 * does it before: an agent that is stopped keeps the lock.
 *
 * membership.1. Each agent slot has two bytes: the agent that takes the slot locks both, and an invited agent locks the
 *     second. The lock is taken before the slot, and given back after it: a live slot without a lock belongs to a dead
 *     agent.
 * membership.2. Only the holder of both locks takes the slot, so no two joiners are mistaken for each other.
 * membership.3. The register is a pipe, for of these a thread's end closes what a `Socket` was made of; a plain file's
 *     descriptor would stay as long as the process. The open file is a `Socket`'s before it has any lock.
 * membership.4. For an agent that was invited its inviter holds the first byte, until the agent has the second one:
 *     while it has neither, its inviter has ended or left.
 * membership.5. The agent that finds no lock holds a reader's lock on both bytes when it declares the agent dead: an
 *     invited agent that comes in this moment gets no lock, and has not joined. Readers exclude no readers, so that one
 *     that stops stops no other.
 */

/** One agent's locks in the register: they show who lives. */
export class Membership {
  readonly files: DomainFiles;
  /** The open file that its locks are held through. */
  readonly descriptor: number;
  readonly #socket: Socket;
  /** The slots that it has reserved for agents, which have not taken them yet. */
  readonly #reservations = new Map<Identity, Reservation>();

  private constructor(files: DomainFiles) {
    this.files = files;
    this.descriptor = reopenDescriptor(registerIn(files.bells), "read-write", constants.O_NONBLOCK);
    // It never reads: what others write there is for the pipe's own agent.
    this.#socket = new Socket({ fd: this.descriptor, readable: false, writable: true }).unref();
    // Nothing but a close can happen to it; without a listener an error would end the process.
    this.#socket.on("error", () => {});
  }

  /**
   * Takes a slot for an agent of this thread.
   *
   * @throws {DmaBufError} `ENOSPC` if all are taken.
   */
  static join(
    segment: Segment,
    files: DomainFiles,
    name: string,
  ): { readonly membership: Membership; readonly identity: Identity } {
    return allOrNothing((orUndo) => {
      const membership = new Membership(files);
      orUndo(() => membership.leave());
      return { membership, identity: membership.#takeSlot(segment, name) };
    });
  }

  /** Takes the slot that another thread has reserved. @throws {DmaBufError} `ESTALE` if the reservation is void. */
  static joinReserved(segment: Segment, files: DomainFiles, { identity, descriptor, state }: Reservation): Membership {
    const membership = new Membership(files);
    const slot = slotOf(identity);
    const words = createSharedSubstrate(state);
    if (
      tryLockFile(membership.descriptor, "write", ownByte(slot)) &&
      words.compareExchange(0, RESERVATION.OPEN, RESERVATION.USED) === RESERVATION.OPEN &&
      isLive(segment, identity)
    ) {
      // If it is no longer the inviter's, it has no lock on this byte: no other process may have one.
      unlockFile(descriptor, invitersByte(slot));
      noteState({ ...segment, identity }, INVITATION_STATE.JOINED);
      return membership;
    }
    membership.leave();
    throw voidReservation();
  }

  /** Takes a slot for an agent of another thread of the process. @throws {DmaBufError} `ENOSPC` if all are taken. */
  reserve(segment: Segment, name: string): Reservation {
    const identity = this.#takeSlot(segment, name);
    unlockFile(this.descriptor, ownByte(slotOf(identity)));
    noteState({ ...segment, identity }, INVITATION_STATE.OPEN);
    const reservation = { identity, descriptor: this.descriptor, state: new SharedArrayBuffer(8) };
    this.#reservations.set(identity, reservation);
    return reservation;
  }

  /**
   * Gives up a slot that it has reserved: unless the thread has joined, its agent is lost.
   *
   * @returns Whether the thread has not joined, and cannot any more.
   */
  release({ identity, state }: Reservation): boolean {
    const words = createSharedSubstrate(state);
    const isVoid = words.compareExchange(0, RESERVATION.OPEN, RESERVATION.VOID) === RESERVATION.OPEN;
    // A slot that it has reserved again has a lock of its own.
    if (this.#reservations.delete(identity)) unlockFile(this.descriptor, invitersByte(slotOf(identity)));
    return isVoid;
  }

  /** Whether it has reserved the slot itself. */
  hasReserved({ descriptor }: Reservation): boolean {
    return descriptor === this.descriptor;
  }

  /**
   * The agents that have died and that no agent has begun to recover, or has released yet: all of them are declared
   * dead.
   */
  *lostAgents(member: Member): Generator<Identity> {
    yield* unreleased(member);
    for (const reservation of this.#reservations.values()) if (isUsed(reservation)) this.release(reservation);
    for (const identity of otherAgents(member)) {
      // Its own lock would not be in its way.
      if (this.#reservations.has(identity)) continue;
      if (isShown(this.descriptor, slotOf(identity))) continue;
      const bytes = bytesOf(slotOf(identity));
      // membership.5. It may also have left while the lock was looked for.
      if (!tryLockFile(this.descriptor, "read", bytes)) continue;
      const isLost = isLive(member, identity) && markDead(member, identity);
      unlockFile(this.descriptor, bytes);
      if (isLost) yield identity;
    }
  }

  /** Shows no longer that its agent lives, nor those that have not come yet for which it has reserved a slot. */
  leave(): void {
    this.#socket.destroy();
  }

  #takeSlot(segment: Segment, name: string): Identity {
    return claimAgentSlot(
      segment,
      name,
      (slot) => liveIn(segment, slot) === 0 && tryLockFile(this.descriptor, "write", bytesOf(slot)),
      (slot) => unlockFile(this.descriptor, bytesOf(slot)),
    );
  }
}

/** A slot for a thread that has not joined yet. It can be posted to the thread. */
export interface Reservation {
  readonly identity: Identity;
  /** What the inviter's lock is held through. */
  readonly descriptor: number;
  /** One shared word, of {@link RESERVATION}. */
  readonly state: SharedArrayBuffer;
}

const RESERVATION = { OPEN: 0, USED: 1, VOID: 2 } as const;

/** Whether the thread has come. */
function isUsed({ state }: Reservation): boolean {
  return createSharedSubstrate(state).load(0) === RESERVATION.USED;
}

function voidReservation(): DmaBufError {
  return new DmaBufError(
    "ESTALE",
    "Cannot join the domain: the invitation is void: it was used before or taken back, or its limit or its inviter has ended",
  );
}

/** Whether an agent in a slot shows that it lives, or its inviter for it. */
export function isShown(register: number, slot: number): boolean {
  return findLockOnFile(register, "read", bytesOf(slot)) !== undefined;
}

/** Whether a lock is that of the agent in a slot, or of its inviter. */
export function isLockOf(slot: number, { start, length }: FileRange): boolean {
  return start < 2 * slot + 2 && start + length > 2 * slot;
}

function bytesOf(slot: number): FileRange {
  return { start: 2 * slot, length: 2 };
}

function invitersByte(slot: number): FileRange {
  return { start: 2 * slot, length: 1 };
}

function ownByte(slot: number): FileRange {
  return { start: 2 * slot + 1, length: 1 };
}
