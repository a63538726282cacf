import { isBufferLive } from "../../domain/buffer-slot.js";
import type { Segment } from "../../domain/layout.js";
import type { StorageLetter, StorageName } from "../messages/message.js";
import type { LedgerEntry, ResourceLedger } from "./resource-ledger.js";

/** A letter, with the files that came with it: a thread that is terminated may never have needed them. */
export interface Deposit extends StorageLetter {
  readonly files: readonly LedgerEntry[];
}

/** The memory that has come to an agent, and that it has not needed yet. */
export class Deposits {
  readonly #segment: Segment;
  readonly #ledger: ResourceLedger;
  readonly #deposits = new Set<Deposit>();

  constructor(segment: Segment, ledger: ResourceLedger) {
    this.#segment = segment;
    this.#ledger = ledger;
  }

  /** What nobody can need any more goes, also if it is what comes. */
  add(deposit: Deposit): void {
    this.#deposits.add(deposit);
    this.dropStale();
    for (const other of this.#deposits) {
      if (isReplaced(other, deposit)) this.#drop(other);
      // Several agents answer a question, and not all with the newest.
      else if (isReplaced(deposit, other)) return this.#drop(deposit);
    }
  }

  /** Takes out memory that serves for what is named: of that version or a newer one. */
  take(name: StorageName): Deposit | undefined {
    let found: Deposit | undefined;
    for (const deposit of this.#deposits) {
      if (!serves(deposit, name)) continue;
      // No more rights than were asked for, if there is a choice.
      if (found === undefined || deposit.mode === name.mode) found = deposit;
    }
    if (found !== undefined) this.#deposits.delete(found);
    return found;
  }

  /** Closes the files of buffers that are gone. */
  dropStale(): void {
    for (const deposit of this.#deposits) if (!isBufferLive(this.#segment, keyOf(deposit))) this.#drop(deposit);
  }

  close(): void {
    for (const deposit of this.#deposits) this.#drop(deposit);
  }

  #drop(deposit: Deposit): void {
    this.#deposits.delete(deposit);
    for (const file of deposit.files) this.#ledger.close(file);
  }
}

/** Whether memory of one name can be used where another is needed. */
export function serves(has: StorageName, needs: StorageName): boolean {
  if (has.slot !== needs.slot || has.generation !== needs.generation) return false;
  return ((has.version - needs.version) | 0) >= 0 && (has.mode === "read-write" || needs.mode === "read");
}

function isReplaced(old: StorageName, by: StorageName): boolean {
  return old !== by && old.mode === by.mode && serves(by, old);
}

function keyOf({ slot, generation }: StorageName): { slot: number; generation: number } {
  return { slot, generation };
}
