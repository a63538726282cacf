import { check, checkObject, required, type Kinds } from "../arguments.js";
import { allOrNothing } from "../all-or-nothing.js";
import { HANDLE_MODE } from "../buffer/handle.js";
import { DmaBufError } from "../errors.js";
import { layZeros, type LedgerEntry } from "../node/resources/resource-ledger.js";
import { viewOf } from "../node/system-calls/index.js";
import { threadLedger } from "../node/resources/thread-ledger.js";
import { BYTES, FD, OFFSET } from "./kinds.js";

/** Addresses are given back only when no view can be left that reads them. */
const leftBehind = new FinalizationRegistry<LedgerEntry>((entry) => threadLedger().unmap(entry));

/** Node.js 22 and later. */
type TransferableBuffer = ArrayBuffer & { transfer?(): ArrayBuffer };

const RANGE: Kinds<{ readonly offset?: number; readonly length: number }> = {
  offset: OFFSET,
  length: required(BYTES),
};

let makeView: (fd: number, isWritable: boolean, offset: number, length: number) => MemoryView;

/**
 * The bytes of a device's or a kernel's memory, mapped into this process and shared.
 *
 * @example
 * ```ts device
 * import { createMemoryView, createSealedMemory } from "dmabuf/linux";
 *
 * using memory = createSealedMemory("image", 4096);
 * using view = createMemoryView(memory.fd, "read-write", { length: 4096 });
 * view.bytes.fill(7);
 * ```
 */
export class MemoryView implements Disposable {
  /** Bytes. */
  readonly length: number;
  /** In this thread's ledger, with views of it at user code's. */
  readonly #entry: LedgerEntry;
  #memory: ArrayBuffer | undefined;

  static {
    makeView = (fd, isWritable, offset, length) => new MemoryView(fd, isWritable, offset, length);
  }

  private constructor(fd: number, isWritable: boolean, offset: number, length: number) {
    this.length = length;
    const ledger = threadLedger();
    [this.#entry, this.#memory] = allOrNothing((orUndo) => {
      const entry = ledger.map({ fd, length, offset, isWritable });
      orUndo(() => ledger.unmap(entry));
      ledger.setLent(entry, true);
      return [entry, viewOf(ledger.addressOf(entry), length)];
    });
  }

  /** Whether the bytes are no longer mapped. */
  get isClosed(): boolean {
    return this.#memory === undefined;
  }

  /** The memory itself. @throws {DmaBufError} `EBADF` after the close. */
  get memory(): ArrayBuffer {
    if (this.#memory === undefined) throw new DmaBufError("EBADF", "Cannot use the bytes: they are no longer mapped");
    return this.#memory;
  }

  /** All bytes, in place. @throws {DmaBufError} `EBADF` after the close. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory);
  }

  /**
   * Gives the memory back at once. Views of it that are left become empty; before Node.js 22, and if the memory was
   * transferred, they read zeros.
   */
  close(): void {
    const memory = this.#memory as TransferableBuffer | undefined;
    if (memory === undefined) return;
    this.#memory = undefined;
    const isWhole = memory.byteLength === this.length;
    if (isWhole && memory.transfer !== undefined) {
      memory.transfer();
      threadLedger().unmap(this.#entry);
      return;
    }
    layZeros(threadLedger().addressOf(this.#entry), this.length);
    // If it was transferred, it is not known when its views are gone: its addresses stay.
    if (isWhole) leftBehind.register(memory, this.#entry);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Maps memory of a descriptor, which may be closed afterwards.
 *
 * @param range `offset` and `length` in bytes; the offset is a multiple of the page size.
 * @throws {DmaBufError} `EFBIG` for more than a view can have; `EACCES` if the descriptor does not allow it; `EINVAL` if
 *   the range is not in it.
 *
 * @example
 * ```ts device
 * import { createMemoryView, createSealedMemory } from "dmabuf/linux";
 *
 * using memory = createSealedMemory("image", 4096);
 * using view = createMemoryView(memory.fd, "read-write", { length: 4096 });
 * view.bytes.fill(7);
 * ```
 */
export function createMemoryView(
  fd: number,
  mode: "read" | "read-write",
  range: { readonly offset?: number; readonly length: number },
): MemoryView {
  check("createMemoryView()", "fd", fd, FD);
  check("createMemoryView()", "mode", mode, HANDLE_MODE);
  checkObject("createMemoryView()", "range", range, RANGE);
  return makeView(fd, mode === "read-write", range.offset ?? 0, range.length);
}
