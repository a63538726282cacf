import { randomUUID } from "node:crypto";
import { allOrNothing } from "../../all-or-nothing.js";
import { check, checkObject, OBJECT, required, type Kind, type Kinds } from "../../arguments.js";
import { MESSAGE_PORT, type MessagePortLike } from "../../host/lifeline.js";
import { DmaBufError } from "../../errors.js";
import { sentInstead } from "../../posted.js";
import type { DomainFiles } from "./domain-files.js";
import type { KnownUsers } from "../connecting/known-users.js";
import type { Reservation } from "./membership.js";
import {
  closeDescriptor,
  createSocketPair,
  isUnixSocket,
  peekMessage,
  receiveMessage,
  sendMessage,
  setTakesDescriptors,
} from "../system-calls/index.js";

/** What another thread of this process joins with: post it there, with its `port` in the transfer list. Used once. */
export interface WorkerInvitation {
  /** What is reserved for the thread, for `ProcessDomain.join()` alone; as the next. */
  readonly reservation: object;
  /** The domain's files, for `ProcessDomain.join()` alone. */
  readonly files: object;
  /** For the transfer list of the message that brings the invitation. */
  readonly port: MessagePortLike;
}

/** The same as the library knows it. */
export interface InvitationParts extends WorkerInvitation {
  readonly reservation: Reservation;
  readonly files: DomainFiles;
}

const FIELDS: Kinds<WorkerInvitation> = {
  reservation: required(OBJECT),
  files: required({
    wanted: "as invite() has given it",
    isKind: (value) => OBJECT.isKind((value as Partial<DomainFiles> | null | undefined)?.ledger),
  }),
  port: required(MESSAGE_PORT),
};

/** What a child process joins with: let it inherit the descriptor, and close this when it has been started. */
export interface ProcessInvitation extends Disposable {
  /** The number of the descriptor in this process. */
  readonly descriptor: number;
  /** Closes the descriptor in this process. Twice does nothing. */
  close(): void;
}

const INVITATION: Kind = {
  wanted: "what invite() of a domain of dmabuf/node gives",
  isKind: (value) => OBJECT.isKind((value as Partial<WorkerInvitation> | null | undefined)?.reservation),
  nameOf: sentInstead,
};

/** @throws {TypeError} For an invitation to a domain of threads, or what is none. */
export function checkInvitation(
  invitation: WorkerInvitation,
  call = "ProcessDomain.join()",
): asserts invitation is InvitationParts {
  check(call, "invitation", invitation, INVITATION);
  checkObject(call, "invitation", invitation, FIELDS);
}

/**
 * What is in the socket of an invitation from the start. It is looked at before anything is done with the descriptor that a
 * caller or the environment names, and taken out by the one that uses the invitation.
 */
function greetingOf(id: string): Buffer {
  return Buffer.from(`{"invitation":"${id}"}\n`);
}

/** As that of any invitation, but for its id. */
const MODEL = greetingOf(randomUUID());
const ID_AT = MODEL.indexOf(":") + 2;

/** The two ends of an invitation: the inviter's, and the one for the child process. */
export interface InvitationEnds {
  readonly mine: number;
  readonly theirs: number;
  /** Tells it from all others. */
  readonly id: string;
}

export function createInvitation(): InvitationEnds {
  return allOrNothing((orUndo) => {
    const id = randomUUID();
    const [mine, theirs] = createSocketPair("stream");
    orUndo(() => [mine, theirs].forEach(closeDescriptor));
    setTakesDescriptors(mine, false);
    sendMessage(mine, greetingOf(id));
    return { mine, theirs, id };
  });
}

/**
 * Takes an invitation, once. A descriptor that is none is only looked at.
 *
 * @param id Which one it must be; any if it is left out.
 * @throws {DmaBufError} `EINVAL` if it is no such invitation, or one that was taken; `EACCES` if it is of an unknown user.
 */
export function acceptInvitation(descriptor: number, users: KnownUsers, id?: string): void {
  if (!isUnixSocket(descriptor, "stream") || !isWaiting(id, descriptor)) {
    const which = id === undefined ? "no invitation of inviteProcess()" : "not the invitation that fork() has left";
    throw new DmaBufError(
      "EINVAL",
      `Cannot join the domain: descriptor ${descriptor} of this process is ${which}, or was used`,
    );
  }
  users.check(descriptor, "Cannot join the domain");
  receiveMessage(descriptor, Buffer.alloc(MODEL.length), 0);
}

/** Whether the greeting of an invitation is the next that a socket has. */
function isWaiting(id: string | undefined, socket: number): boolean {
  const bytes = Buffer.alloc(MODEL.length);
  const seen = peekMessage(socket, bytes);
  if (seen?.length !== bytes.length || seen.hasDescriptors) return false;
  const greeting = greetingOf(id ?? bytes.toString("latin1", ID_AT, bytes.length - '"}\n'.length));
  return greeting.equals(bytes);
}
