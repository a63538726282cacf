import type { Identity } from "../../domain/agent-slot.js";
import type { Sizes } from "../../domain/layout.js";
import { allOrNothing } from "../../all-or-nothing.js";
import { DmaBufError } from "../../errors.js";
import { ControlSegment } from "./control-segment.js";
import type { DomainFiles } from "./domain-files.js";
import type { InvitationParts } from "./invitation.js";
import { joinLedger, leaveLedger } from "../resources/process-ledgers.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { Membership } from "./membership.js";

/** What a thread has of a domain when it has come in. */
export interface Entry {
  readonly segment: ControlSegment;
  readonly membership: Membership;
  readonly identity: Identity;
}

/** As the first agent of a new domain. @throws {RangeError} Naming the option that is out of range. */
export function enterNew(sizes: Partial<Sizes>, features: number, ledger: ResourceLedger, name: string): Entry {
  return takeSlot(ControlSegment.create(sizes, features, ledger), name);
}

/** With a domain's descriptors, which are closed if it fails. @throws {DmaBufError} `ENOSPC` if the domain is full. */
export function enterExisting(files: DomainFiles, ledger: ResourceLedger, name: string): Entry {
  return takeSlot(open(files, ledger), name);
}

/** With the descriptors that a domain has in this process already. @throws {DmaBufError} `ENOSPC`; `ESTALE` if no thread has them now. */
export function enterShared(files: DomainFiles, ledger: ResourceLedger, name: string): Entry {
  useLedger(files, "no thread of this process is in it any more");
  return enterExisting(files, ledger, name);
}

/** With the descriptors of the thread that has invited this one. @throws {DmaBufError} `ESTALE` if the invitation is void. */
export function enterInvited({ reservation, files }: InvitationParts, ledger: ResourceLedger): Entry {
  useLedger(files, "the invitation is void");
  const segment = open(files, ledger);
  return joinOrLeave(segment, () => {
    const membership = Membership.joinReserved(segment, files, reservation);
    return { membership, identity: reservation.identity };
  });
}

/** The descriptors are this thread's, too. */
function useLedger(files: DomainFiles, whyNot: string): void {
  if (!joinLedger(files.ledger)) throw new DmaBufError("ESTALE", `Cannot join the domain: ${whyNot}`);
}

function open(files: DomainFiles, ledger: ResourceLedger): ControlSegment {
  return allOrNothing((orUndo) => {
    orUndo(() => leaveLedger(files.ledger));
    return ControlSegment.open(files, ledger);
  });
}

function takeSlot(segment: ControlSegment, name: string): Entry {
  return joinOrLeave(segment, () => Membership.join(segment, segment.files, name));
}

/** Without a membership, the thread has nothing of the domain. */
function joinOrLeave(segment: ControlSegment, join: () => Omit<Entry, "segment">): Entry {
  return allOrNothing((orUndo) => {
    orUndo(() => leaveLedger(segment.files.ledger));
    orUndo(() => segment.close());
    return { segment, ...join() };
  });
}
