import { DmaBufError } from "../errors.js";
import type { DmaBuf } from "./buffer.js";
import type { BufferTable } from "./buffer-table.js";
import { PAGE_SIZE } from "./storage.js";

export interface AllocateOptions {
  /** For people; at most 31 bytes of UTF-8. */
  readonly name?: string;
}

/** An allocator of buffers. */
export interface Heap {
  /** Stable; says what the memory is, not how it is got. It is the exporter's name of its buffers. */
  readonly name: string;
  /**
   * A zeroed buffer. Its size is rounded up to whole pages of 4,096 bytes.
   *
   * @throws {DmaBufError} `EINVAL` for a size below 1; `ENOMEM` if there is not so much memory.
   */
  allocate(size: number, options?: AllocateOptions): DmaBuf;
}

/** Ordinary memory that all threads share. */
export class SystemHeap implements Heap {
  readonly name = "system";
  readonly #buffers: BufferTable;

  constructor(buffers: BufferTable) {
    this.#buffers = buffers;
  }

  allocate(size: number, options: AllocateOptions = {}): DmaBuf {
    const length = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    if (!Number.isSafeInteger(length) || length < PAGE_SIZE) {
      throw new DmaBufError("EINVAL", `Cannot allocate ${size} bytes: the size must be an integer of at least 1`);
    }
    return this.#buffers.allocate(length, { ...options, exporterName: this.name });
  }
}
