import type { Identity } from "../domain/agent-slot.js";
import type { LifelinePort } from "../host/lifeline.js";
import type { Seat } from "./seat.js";

/** What another thread of this process joins with: post it there, with its `port` in the transfer list. Used once. */
export interface WorkerInvitation {
  readonly seat: Seat;
  readonly ledger: SharedArrayBuffer;
  readonly inviter: Identity;
  readonly port: LifelinePort;
}

/** What a child process joins with: let it inherit the descriptor, and dispose this when it has been started. */
export interface ProcessInvitation extends Disposable {
  readonly descriptor: number;
}
