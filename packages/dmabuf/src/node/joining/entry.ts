import type { Identity } from "../../domain/agent-slot.js";
import type { Sizes } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { ControlSegment, type ControlOptions } from "./control-segment.js";
import type { DomainFiles } from "./domain-files.js";
import type { WorkerInvitation } from "./invitation.js";
import { joinLedger, leaveLedger } from "../memory/process-ledgers.js";
import { Seat } from "./membership.js";

/** What a thread has of a domain when it has come in. */
export interface Entry {
  readonly segment: ControlSegment;
  readonly seat: Seat;
  readonly identity: Identity;
}

/** As the first agent of a new domain. @throws {RangeError} Naming the option that is out of range. */
export function enterNew(sizes: Partial<Sizes>, control: ControlOptions, name: string): Entry {
  return takeSeat(ControlSegment.create(sizes, control), name);
}

/** With a domain's descriptors, which are closed if it fails. @throws {DmaBufError} `ENOSPC` if the domain is full. */
export function enterExisting(files: DomainFiles, control: ControlOptions, name: string): Entry {
  return takeSeat(open(files, control), name);
}

/** With the descriptors of the thread that has invited this one. @throws {DmaBufError} `ESTALE` if the invitation is void. */
export function enterInvited({ reservation, files }: WorkerInvitation, control: ControlOptions): Entry {
  if (!joinLedger(files.ledger)) throw new DmaBufError("ESTALE", "Cannot join the domain: the invitation is void");
  const segment = open(files, control);
  return orLeave(segment, () => {
    const seat = Seat.occupy(segment, files, reservation);
    return { segment, seat, identity: reservation.identity };
  });
}

function open(files: DomainFiles, control: ControlOptions): ControlSegment {
  try {
    return ControlSegment.open(files, control);
  } catch (error) {
    leaveLedger(files.ledger);
    throw error;
  }
}

function takeSeat(segment: ControlSegment, name: string): Entry {
  return orLeave(segment, () => ({ segment, ...Seat.take(segment, segment.files, name) }));
}

/** Without a seat, the thread has nothing of the domain. */
function orLeave(segment: ControlSegment, enter: () => Entry): Entry {
  try {
    return enter();
  } catch (error) {
    segment.close();
    leaveLedger(segment.files.ledger);
    throw error;
  }
}
