import { allOrNothing } from "../../all-or-nothing.js";
import { fchmodSync, fstatSync } from "node:fs";
import { freemem } from "node:os";
import { DmaBufError } from "../../errors.js";
import { letGo } from "../resources/let-go.js";
import { MemoryMapping } from "./memory-mapping.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import {
  addSeals,
  checkViewLength,
  createMemoryFile,
  isWritable,
  pageSize,
  punchHole,
  reopenDescriptor,
  reservePages,
  SEAL,
  sealsOf,
  setFileLength,
} from "../system-calls/index.js";

export interface MemoryObjectOptions {
  /** Shown in `/proc`. */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  /** Pages are found when they are first touched: if there is none then, the process gets SIGBUS. Default false. */
  readonly lazy?: boolean;
  /** `sealWriters` will be called: only mappings that exist by then can write. Default false. */
  readonly sealed?: boolean;
}

/** From this length on it is worth looking whether there is so much memory at all. */
const LARGE = 16 << 20;
const FIXED_LENGTH = SEAL.SHRINK | SEAL.GROW;

/**
 * Memory without a name in any file system, reached by a descriptor. Its length is sealed: no process that has it can
 * shrink it under a reader. When the last descriptor and mapping in any process are gone, so is the memory.
 */
export class MemoryObject implements Disposable {
  readonly length: number;
  readonly isWritable: boolean;
  readonly #ledger: ResourceLedger;
  readonly #entry: LedgerEntry;
  #open = true;

  private constructor(ledger: ResourceLedger, entry: LedgerEntry, length: number) {
    this.#ledger = ledger;
    this.#entry = entry;
    this.length = length;
    this.isWritable = isWritable(ledger.descriptorOf(entry));
  }

  /**
   * New zeroed memory, of mode 0600.
   *
   * @throws {DmaBufError} `ENOMEM` if there is not so much, `EMFILE` if there is no descriptor left, `EFBIG` if no view
   *   could show it.
   * @throws {RangeError} If there is nothing in it.
   */
  static create(ledger: ResourceLedger, options: MemoryObjectOptions): MemoryObject {
    const { name, length, lazy = false, sealed = false } = options;
    if (!(Number.isSafeInteger(length) && length > 0)) {
      throw new RangeError(`A memory object has at least one byte, not ${length}`);
    }
    if (!lazy) checkFree(length);
    checkViewLength(length, "Cannot allocate memory in one piece");
    return allOrNothing((orUndo) => {
      const entry = ledger.open(() => createMemoryFile(name));
      orUndo(() => ledger.close(entry));
      const fd = ledger.descriptorOf(entry);
      setFileLength(fd, length);
      addSeals(fd, FIXED_LENGTH | (sealed ? 0 : SEAL.SEAL));
      fchmodSync(fd, 0o600);
      if (!lazy) reserve(fd, length);
      return new MemoryObject(ledger, entry, length);
    });
  }

  /**
   * Takes over a descriptor that was received and is in the ledger. It is closed if it is refused.
   *
   * @throws {DmaBufError} `EPROTO` if it is no memory file of sealed length: its owner could cut it under a reader. A last
   *   page that the file fills in part can be mapped and used to its end.
   */
  static adopt(ledger: ResourceLedger, entry: LedgerEntry): MemoryObject {
    return allOrNothing((orUndo) => {
      orUndo(() => letGo(ledger.handOver(entry)));
      const fd = ledger.descriptorOf(entry);
      // Of anything but a memory file the length may never be told.
      const length = (sealsIn(fd) & FIXED_LENGTH) === FIXED_LENGTH ? lengthOf(fd) : undefined;
      if (length === undefined || length === 0) {
        const what = length === undefined ? "its length is not sealed" : "it is empty";
        throw new DmaBufError("EPROTO", `Cannot take what was sent as memory: ${what}`);
      }
      return new MemoryObject(ledger, entry, length);
    });
  }

  /** @throws {DmaBufError} `EBADF` when it is closed. */
  get fd(): number {
    if (!this.#open) throw new DmaBufError("EBADF", "Cannot use the memory object: it is closed");
    return this.#ledger.descriptorOf(this.#entry);
  }

  /**
   * Maps it into this thread, to write if its descriptor may.
   *
   * @param part Which bytes; the mapping has the whole pages that these are in. Default: all.
   * @throws {DmaBufError} As of `new MemoryMapping`.
   */
  map({ offset, length }: FileRange = { offset: 0, length: this.length }): MemoryMapping {
    const start = pagesBefore(offset);
    const pages = { offset: start, length: wholePages(offset + length) - start };
    return new MemoryMapping(this.#ledger, { fd: this.fd, isWritable: this.isWritable, ...pages });
  }

  /** The same memory through a descriptor that may only read. */
  openReadOnly(): MemoryObject {
    const entry = this.#ledger.open(() => reopenDescriptor(this.fd, "read"));
    return new MemoryObject(this.#ledger, entry, this.length);
  }

  /** From now on no process can begin to write, not even through this descriptor; mappings that exist still can. */
  sealWriters(): void {
    addSeals(this.fd, SEAL.FUTURE_WRITE | SEAL.SEAL);
  }

  /** Whether no process can begin to write any more. */
  get isSealed(): boolean {
    return (sealsOf(this.fd) & (SEAL.FUTURE_WRITE | SEAL.WRITE)) !== 0;
  }

  /**
   * Gives all pages back to the system, also while others hold descriptors and mappings: they read zeros.
   *
   * @returns False if the memory is sealed, or only readable here, or the kernel has refused: it goes with its last
   *   descriptor and mapping.
   */
  giveBack(): boolean {
    if (!this.isWritable || this.isSealed) return false;
    try {
      // The last page goes only with all of its bytes, also where the file ends in it.
      punchHole(this.fd, 0, wholePages(this.length));
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ledger.close(this.#entry);
  }

  /** Ends the object, and leaves its descriptor open: that is the caller's. */
  giveUp(): LedgerEntry {
    this.#open = false;
    return this.#entry;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A run of bytes in a file. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** Where the page of a byte begins. */
export function pagesBefore(offset: number): number {
  return offset - (offset % pageSize());
}

function wholePages(bytes: number): number {
  return pagesBefore(bytes + pageSize() - 1);
}

/** The kernel would take what there is, and kill a process to get more. */
function checkFree(length: number): void {
  if (length < LARGE) return;
  // Where no file system of control groups is mounted, Node.js knows of no limit and says 0.
  const free = Math.min(freemem(), process.availableMemory() || Infinity);
  if (length > free) throw new DmaBufError("ENOMEM", `Cannot allocate ${length} bytes: there are ${free} free`);
}

function reserve(fd: number, length: number): void {
  try {
    reservePages(fd, 0, length);
  } catch (cause) {
    if ((cause as DmaBufError).code !== "ENOSPC") throw cause;
    throw new DmaBufError("ENOMEM", `Cannot allocate ${length} bytes`, { syscall: "fallocate", cause });
  }
}

function lengthOf(fd: number): number {
  try {
    return fstatSync(fd).size;
  } catch (cause) {
    throw new DmaBufError("EBADF", `Cannot ask for the length of descriptor ${fd}`, { syscall: "fstat", cause });
  }
}

/** What is no memory file has no seals. */
function sealsIn(fd: number): number {
  try {
    return sealsOf(fd);
  } catch (error) {
    if ((error as DmaBufError).code === "EINVAL") return 0;
    throw error;
  }
}
