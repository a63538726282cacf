import { DmaBufError } from "../../errors.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import type { MemoryMapping } from "../memory/memory-mapping.js";
import { MemoryObject } from "../memory/memory-object.js";

/**
 * The memory of the blanks that a contributor is lent, one at a time: mapped from when it comes until it is given back.
 * Each place of the ring has its addresses, and so one view for all of its blanks (memory-mapping.6).
 */
export class BlankMemory {
  readonly #ledger: ResourceLedger;
  /** Bytes of a frame, and of a buffer. */
  readonly #size: number;
  readonly #bytes: number;
  readonly #mappings = new Map<number, MemoryMapping>();

  constructor(ledger: ResourceLedger, size: number, bytes: number) {
    this.#ledger = ledger;
    this.#size = size;
    this.#bytes = bytes;
  }

  /**
   * Maps what has come, and closes its descriptor.
   *
   * @throws {DmaBufError} `EPROTO` if it is no memory for a frame, to write; as of a mapping.
   */
  open(place: number, file: LedgerEntry): MemoryMapping {
    using object = MemoryObject.adopt(this.#ledger, file);
    if (!object.isWritable || object.length < this.#bytes) {
      throw new DmaBufError("EPROTO", "Cannot contribute to the stream: what was lent is no memory for its frames");
    }
    const mapping = this.#mappings.get(place);
    if (mapping !== undefined) {
      mapping.resume({ fd: object.fd, isWritable: true });
      mapping.beginUse();
      return mapping;
    }
    const made = object.map({ offset: 0, length: this.#size });
    this.#mappings.set(place, made);
    made.beginUse();
    return made;
  }

  /** Ends the use of a blank's memory: it is not mapped here afterwards. @throws {DmaBufError} `ENOMEM` if it still is. */
  close(place: number): void {
    const mapping = this.#mappings.get(place);
    if (mapping === undefined) return;
    mapping.endUse();
    if (!mapping.isStolen) return mapping.suspend();
    // Another thread has a view of these addresses.
    this.#mappings.delete(place);
    mapping.close();
  }

  /** Unmaps everything, also what is in use. */
  end(): void {
    for (const mapping of this.#mappings.values()) mapping.close();
    this.#mappings.clear();
  }
}
