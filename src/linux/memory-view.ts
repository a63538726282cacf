import { allOrNothing } from "../all-or-nothing.js";
import { DmaBufError } from "../errors.js";
import { mapMemory, unmapMemory, viewOf } from "../node/system-calls.js";

/** Addresses are given back only when no view can be left that reads them. */
const leftBehind = new FinalizationRegistry<{ address: bigint; length: number }>(({ address, length }) =>
  unmapMemory(address, length),
);

/** Node.js 22 and later. */
type TransferableBuffer = ArrayBuffer & { transfer?(): ArrayBuffer };

/** The bytes of a device's or a kernel's memory, mapped into this process and shared. */
export class MemoryView implements Disposable {
  readonly length: number;
  readonly #address: bigint;
  #memory: ArrayBuffer | undefined;

  /**
   * @param range `offset` and `length` in bytes; the offset is a multiple of the page size.
   * @throws {DmaBufError} `EFBIG` for more than a view can have; `EACCES` if the descriptor does not allow it; `EINVAL` if the range does not lie in it.
   */
  constructor(fd: number, mode: "read" | "read-write", range: { readonly offset?: number; readonly length: number }) {
    const { offset = 0, length } = range;
    this.length = length;
    [this.#address, this.#memory] = allOrNothing((orUndo) => {
      const address = mapMemory({ fd, length, offset, protection: mode });
      orUndo(() => unmapMemory(address, length));
      return [address, viewOf(address, length)];
    });
  }

  get isClosed(): boolean {
    return this.#memory === undefined;
  }

  /** The memory itself. @throws {DmaBufError} `EBADF` after the end. */
  get memory(): ArrayBuffer {
    if (this.#memory === undefined) throw new DmaBufError("EBADF", "Cannot use the bytes: they are no longer mapped");
    return this.#memory;
  }

  /** All bytes, in place. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory);
  }

  /**
   * Gives the memory back at once. Views that somebody kept become empty; before Node.js 22, and if somebody has transferred
   * the memory, they read zeros.
   */
  close(): void {
    const memory = this.#memory as TransferableBuffer | undefined;
    if (memory === undefined) return;
    this.#memory = undefined;
    const isWhole = memory.byteLength === this.length;
    if (isWhole && memory.transfer !== undefined) {
      memory.transfer();
      unmapMemory(this.#address, this.length);
      return;
    }
    mapMemory({ length: this.length, protection: "read-write", over: this.#address, noReserve: true });
    // Of one that was transferred nobody knows when its views are gone: its addresses stay.
    if (isWhole) leftBehind.register(memory, { address: this.#address, length: this.length });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
