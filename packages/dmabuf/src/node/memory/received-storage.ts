import { BUFFER_SLOTS, type BufferKey } from "../../buffer/buffer-slot.js";
import type { Segment } from "../../domain/layout.js";
import type { StorageMessage, StorageName } from "../messages/message.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";

/**
 * A message about storage, with the files that came with it: a thread that is terminated may never have needed them.
 */
export interface Delivery extends StorageMessage {
  readonly files: readonly LedgerEntry[];
}

/** The memory that has come to an agent, and that it has not needed yet. */
export class ReceivedStorage {
  readonly #segment: Segment;
  readonly #ledger: ResourceLedger;
  readonly #deliveries = new Set<Delivery>();

  constructor(segment: Segment, ledger: ResourceLedger) {
    this.#segment = segment;
    this.#ledger = ledger;
  }

  /** Drops what no agent can need any more, also if it is what arrives. */
  add(delivery: Delivery): void {
    this.#deliveries.add(delivery);
    this.dropStale();
    for (const other of this.#deliveries) {
      if (isReplaced(other, delivery)) this.#drop(other);
      // Several agents answer a question, and not all with the newest.
      else if (isReplaced(delivery, other)) return this.#drop(delivery);
    }
  }

  /** Takes out memory that serves for what is named: of that version or a newer one. */
  take(name: StorageName): Delivery | undefined {
    let found: Delivery | undefined;
    for (const delivery of this.#deliveries) {
      if (!serves(delivery, name)) continue;
      // No more rights than were asked for, if there is a choice.
      if (found === undefined || delivery.mode === name.mode) found = delivery;
    }
    if (found !== undefined) this.#deliveries.delete(found);
    return found;
  }

  /** Closes the files of buffers that are gone. */
  dropStale(): void {
    for (const delivery of this.#deliveries)
      if (!BUFFER_SLOTS.isLive(this.#segment, keyOf(delivery))) this.#drop(delivery);
  }

  close(): void {
    for (const delivery of this.#deliveries) this.#drop(delivery);
  }

  #drop(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    for (const file of delivery.files) this.#ledger.close(file);
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

/** The buffer alone. */
export function keyOf({ slot, generation }: BufferKey): BufferKey {
  return { slot, generation };
}
