import { constants } from "node:fs";
import { DmaBufError } from "../../errors.js";
import type { Storage } from "../../buffer/storage.js";
import type { StreamBuffer } from "../../buffer/stream-buffer.js";
import { FileStorage } from "../memory/file-storage.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { hasWriters, reopenDescriptor, SEAL, sealsOf } from "../system-calls/index.js";

/**
 * The memory of a frame, lent to a process that is not trusted.
 *
 * lent-memory.1. What is lent is a descriptor of its own: the kernel counts it, and each copy and mapping that comes from
 *      it, as a writer of the file. Those of the domain's members are not counted.
 * lent-memory.2. Whether the memory is back is asked of the kernel, which counts.
 * lent-memory.3. A file is lent only if nothing but one frame is in it, its length cannot change and no process can add a
 *      seal to it.
 * lent-memory.4. To open it never waits, also if a process of the same user has a lease on it.
 */
export class LentMemory {
  readonly #storage: FileStorage;

  /** @throws {DmaBufError} `EOPNOTSUPP` or `EPERM` if it cannot be lent. */
  constructor(storage: Storage) {
    checkLendable(storage);
    this.#storage = storage;
  }

  /**
   * Lends it: gives a descriptor to write with, which is closed here afterwards.
   *
   * @throws {DmaBufError} `EBUSY` if a process writes to it already; `EMFILE`; what `give` throws.
   */
  lend(ledger: ResourceLedger, give: (descriptor: number) => void): void {
    if (!this.isBack()) {
      throw new DmaBufError("EBUSY", "Cannot lend the memory of the frame: a process has opened it to write");
    }
    const [file] = this.#storage.descriptors("read-write") as [number];
    const entry = ledger.open(() => reopenDescriptor(file, "read-write", constants.O_NONBLOCK));
    try {
      give(ledger.descriptorOf(entry));
    } finally {
      ledger.close(entry);
    }
  }

  /** Whether no process has a descriptor or mapping any more with which it could write (lent-memory.2). */
  isBack(): boolean {
    return this.#storage.isReleased || !hasWriters(this.#storage.descriptors("read")[0]!);
  }
}

/**
 * Whether the buffers of a stream can be lent, each by itself.
 *
 * @throws {DmaBufError} `EOPNOTSUPP` or `EPERM` if not: see lent-memory.3.
 */
export function checkLendableRing(buffers: readonly StreamBuffer[]): void {
  const files = buffers.map(({ storage }) => new LentMemory(storage));
  // The kernel may have no leases.
  files[0]!.isBack();
}

function checkLendable(storage: Storage): asserts storage is FileStorage {
  const what = "Cannot lend the memory of the stream";
  if (!(storage instanceof FileStorage) || storage.parts.length !== 1) {
    throw new DmaBufError("EOPNOTSUPP", `${what}: it is not one file for each frame`);
  }
  const [{ object, offset, length }] = storage.parts as [FileStorage["parts"][0]];
  if (offset !== 0 || length > object.length || !storage.isOwned) {
    throw new DmaBufError("EOPNOTSUPP", `${what}: its files have more in them than a frame`);
  }
  if (storage.isSealed || !storage.isWritable) throw new DmaBufError("EPERM", `${what}: it is sealed`);
  if ((sealsOf(object.fd) & SEAL.SEAL) === 0) throw new DmaBufError("EPERM", `${what}: seals can be added to it`);
}
