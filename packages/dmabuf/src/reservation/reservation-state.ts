import type { Agent } from "../domain/agent.js";
import { readEntries, type Entry } from "./entries.js";
import type { TakenLock } from "./reservation-lock.js";

/** Keeps a buffer from being freed until the result is called. Whoever calls it holds a reference, which may go then. */
export type KeepBuffer = () => () => void;

/** What all users of a reservation in one agent share: who of them has the lock, and the fences that stand under it. */
export class ReservationState {
  readonly agent: Agent;
  readonly slot: number;
  readonly keep: KeepBuffer;
  lock: TakenLock | undefined;
  /** Valid while the lock is held. */
  entries: Entry[] = [];
  room = 0;

  constructor(agent: Agent, bufferSlot: number, keep: KeepBuffer) {
    this.agent = agent;
    this.slot = bufferSlot;
    this.keep = keep;
  }

  /** The lock has come, or come back. */
  readAgain(): void {
    this.entries = readEntries(this.agent, this.slot);
    this.room = this.entries.length;
  }
}
