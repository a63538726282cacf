import { DmaBufError } from "../errors.js";
import { mapMemory, unmapMemory, viewOf } from "../node/system-calls.js";

/** Addresses are given back only when no view can be left that reads them. */
const forgotten = new FinalizationRegistry<{ address: bigint; length: number }>(({ address, length }) =>
  unmapMemory(address, length),
);

/** The bytes of a device's or a kernel's memory, mapped into this process and shared. */
export class MemoryView implements Disposable {
  readonly length: number;
  readonly #address: bigint;
  #memory: ArrayBuffer | undefined;

  /**
   * @param range `offset` and `length` in bytes; the offset is a multiple of the page size.
   * @throws {DmaBufError} `EACCES` if the descriptor does not allow it; `EINVAL` if the range does not lie in it.
   */
  constructor(fd: number, mode: "read" | "read-write", range: { readonly offset?: number; readonly length: number }) {
    const { offset = 0, length } = range;
    this.length = length;
    this.#address = mapMemory({ fd, length, offset, protection: mode });
    this.#memory = viewOf(this.#address, length);
    forgotten.register(this.#memory, { address: this.#address, length });
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

  /** Gives the memory back at once. A view that somebody kept reads zeros from now on. */
  close(): void {
    if (this.#memory === undefined) return;
    this.#memory = undefined;
    mapMemory({ length: this.length, protection: "read-write", over: this.#address, noReserve: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
