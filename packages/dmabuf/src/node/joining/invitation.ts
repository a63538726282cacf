import { allOrNothing } from "../../all-or-nothing.js";
import { check, checkObject, OBJECT, required, type Kind, type Kinds } from "../../arguments.js";
import { MESSAGE_PORT, type MessagePortLike } from "../../host/lifeline.js";
import { DmaBufError } from "../../errors.js";
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
  wanted:
    "what invite() of a domain of dmabuf/node gives (one of dmabuf, between threads, is for its own Domain.join())",
  isKind: (value) => OBJECT.isKind((value as Partial<WorkerInvitation> | null | undefined)?.reservation),
};

/** @throws {TypeError} For an invitation to a domain of threads, or what is none. */
export function checkInvitation(invitation: WorkerInvitation): asserts invitation is InvitationParts {
  check("ProcessDomain.join()", "invitation", invitation, INVITATION);
  checkObject("ProcessDomain.join()", "invitation", invitation, FIELDS);
}

/**
 * What is in the socket of an invitation from the start. It is looked at before anything is done with the descriptor that a
 * caller names, and taken out by the one that uses the invitation.
 */
const GREETING = Buffer.from('{"invitation":"dmabuf"}\n');

/** The two ends of an invitation: the inviter's, and the one for the child process. */
export function createInvitation(): { readonly mine: number; readonly theirs: number } {
  return allOrNothing((orUndo) => {
    const [mine, theirs] = createSocketPair("stream");
    orUndo(() => [mine, theirs].forEach(closeDescriptor));
    setTakesDescriptors(mine, false);
    sendMessage(mine, GREETING);
    return { mine, theirs };
  });
}

/**
 * Takes an invitation, once. A descriptor that is none is only looked at.
 *
 * @throws {DmaBufError} `EINVAL` if it is no invitation, or one that was taken; `EACCES` if it is of an unknown user.
 */
export function acceptInvitation(descriptor: number, users: KnownUsers): void {
  const bytes = Buffer.alloc(GREETING.length);
  if (!isUnixSocket(descriptor, "stream") || !isWaiting(GREETING, descriptor, bytes)) {
    throw new DmaBufError(
      "EINVAL",
      `Cannot join the domain: descriptor ${descriptor} of this process is no invitation of inviteProcess(), or was used`,
    );
  }
  users.check(descriptor, "Cannot join the domain");
  receiveMessage(descriptor, bytes, 0);
}

/** Whether these bytes are the next ones in a socket. @param bytes Of the same length, to look with. */
function isWaiting(wanted: Buffer, socket: number, bytes: Buffer): boolean {
  const seen = peekMessage(socket, bytes);
  return seen?.length === wanted.length && !seen.hasDescriptors && wanted.equals(bytes);
}
