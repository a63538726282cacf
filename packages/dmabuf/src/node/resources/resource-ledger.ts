import { allOrNothing } from "../../all-or-nothing.js";
import { DmaBufError } from "../../errors.js";
import {
  boundFunction,
  callError,
  checkViewLength,
  closeDescriptor,
  descriptorsIn,
  forgetDescriptors,
  lastErrno,
  mapMemory,
  MESSAGE_BYTES,
  MOST_DESCRIPTORS,
  receiveMessage,
} from "../system-calls/index.js";

/**
 * What one thread of a process has mapped and opened, in memory that the process's other threads can read: the kernel
 * takes back what a dead process had, but not what a terminated worker had. See process-ledgers.ts for who releases it.
 *
 * resource-ledger.1. Only its own thread writes a ledger, while it lives; only after its end does another release what
 *      is there.
 * resource-ledger.2. Whatever is made is in the ledger before its thread runs on: a worker is terminated where a
 *      function begins or a loop repeats, and nothing of this is between the system call and the entry.
 *      What comes with a message comes into memory of the ledger, and is there until it is entered.
 * resource-ledger.3. An entry is cleared before its mapping or descriptor goes, likewise: another thread may get the
 *      same number next, and what is its must not be released for this one.
 * resource-ledger.4. A mapping of which views may have been handed out is not unmapped for a dead thread, but overlaid
 *      with zero pages: a view may have been transferred to a thread that lives.
 */

/** One mapping or descriptor in a ledger. */
export type LedgerEntry = number & { readonly __ledgerEntry: unique symbol };

/** A message, whose descriptors are in the ledger. */
export interface ReceivedFiles {
  /** Bytes. */
  readonly length: number;
  readonly files: readonly LedgerEntry[];
}

export interface LedgerRelease {
  readonly descriptors: number;
  readonly mappings: number;
}

export interface FileMapping {
  /** Bytes. */
  readonly length: number;
  readonly fd: number;
  /** Where in the file it begins, in bytes: a multiple of the page size. Default 0. */
  readonly offset?: number;
  readonly isWritable: boolean;
}

const ENTRIES = 8192;

/** How many entries were ever used: the first number of 64 bits, before the entries. */
const USED = 0;
const FIRST = 1;

/** One entry, in numbers of 64 bits. */
const ENTRY = {
  VALUE: 0, // an address or a descriptor + 1, 0 if the entry is free
  LENGTH: 1, // bytes mapped, 0 for a descriptor
  LENT: 2, // 1 if views of the mapping may be with user code
  WORDS: 3,
} as const;

const NUMBERS = FIRST + ENTRIES * ENTRY.WORDS;
/** Where the entries end, in bytes, and the memory begins into which messages come. */
const ARRIVALS = NUMBERS * Float64Array.BYTES_PER_ELEMENT;

const MAP_SHARED = 1;
const PROT_READ = 1;
const PROT_WRITE = 2;

/** How long a ledger is. */
export const LEDGER_BYTES = ARRIVALS + MESSAGE_BYTES;

/** Where a ledger is: zeroed memory at first. */
export interface LedgerMemory {
  readonly buffer: ArrayBufferLike;
  /** Bytes, a multiple of 8. */
  readonly offset: number;
}

/** Memory for a ledger that only this thread finds, or those that it sends it to. */
export function createLedgerMemory(): LedgerMemory {
  return { buffer: new SharedArrayBuffer(LEDGER_BYTES), offset: 0 };
}

/** A thread's own ledger. */
export class ResourceLedger {
  readonly memory: LedgerMemory;
  readonly #numbers: Float64Array;
  readonly #arrivals: DataView;
  readonly #free: number[] = [];
  // Taken here, so that nothing is between these calls and the entries (resource-ledger.2, resource-ledger.3).
  readonly #close = boundFunction("int close(int fd)");
  readonly #munmap = boundFunction("int munmap(uintptr_t address, size_t length)");
  readonly #mmap = boundFunction(
    "intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
  );

  constructor(memory: LedgerMemory = createLedgerMemory()) {
    this.memory = memory;
    this.#numbers = numbersOf(memory);
    this.#arrivals = arrivalsOf(memory);
  }

  /**
   * Maps a file shared, to be viewed.
   *
   * @throws {DmaBufError} `EFBIG` for more than a view can have; otherwise with the errno of mmap(2).
   */
  map({ length, fd, offset = 0, isWritable }: FileMapping): LedgerEntry {
    checkViewLength(length);
    const at = this.#claim();
    const protection = PROT_READ | (isWritable ? PROT_WRITE : 0);
    const numbers = this.#numbers;
    const mmap = this.#mmap;
    numbers[at + ENTRY.LENGTH] = length;
    // SYNC POINT ledger-map: no function of ours may be called within this line.
    numbers[at] = mmap(0, length, protection, MAP_SHARED, fd, offset);
    if (numbers[at] !== -1) return at as LedgerEntry;
    const errno = lastErrno();
    this.#clear(at);
    throw callError(errno, "mmap", `Cannot map ${length} bytes of descriptor ${fd}`);
  }

  addressOf(entry: LedgerEntry): bigint {
    return BigInt(this.#numbers[entry]!);
  }

  /** Whether views of a mapping may be with user code. */
  setLent(entry: LedgerEntry, isLent: boolean): void {
    this.#numbers[entry + ENTRY.LENT] = isLent ? 1 : 0;
  }

  unmap(entry: LedgerEntry): void {
    const numbers = this.#numbers;
    const munmap = this.#munmap;
    const address = numbers[entry]!;
    const length = numbers[entry + ENTRY.LENGTH]!;
    numbers[entry] = 0;
    const result = munmap(address, length);
    this.#clear(entry);
    if (result < 0) throw callError(lastErrno(), "munmap", `Cannot unmap ${length} bytes`);
  }

  /** Enters a descriptor that exists or is made here. `open` makes it, or returns one that was there. */
  open(open: () => number): LedgerEntry {
    const at = this.#claim();
    try {
      this.#numbers[at] = open() + 1;
    } catch (error) {
      this.#clear(at);
      throw error;
    }
    return at as LedgerEntry;
  }

  /**
   * Enters descriptors that were received, all or none.
   *
   * @throws {DmaBufError} `EMFILE` if there is no entry left: they are closed then.
   */
  enter(descriptors: readonly number[]): LedgerEntry[] {
    const left = [...descriptors];
    return allOrNothing((orUndo) => {
      orUndo(() => left.forEach(closeDescriptor));
      return descriptors.map((fd) => {
        const entry = this.open(() => fd);
        left.shift();
        orUndo(() => this.close(entry));
        return entry;
      });
    });
  }

  /** As {@link receiveMessage}, which tells of the errors. */
  receive(socket: number, bytes: Uint8Array): ReceivedFiles | undefined {
    const message = receiveMessage(socket, bytes, MOST_DESCRIPTORS, this.#arrivals);
    if (message === undefined) return undefined;
    try {
      return { length: message.length, files: this.enter(message.descriptors) };
    } finally {
      // SYNC POINT ledger-arrivals: the thread that releases the ledger before this finds them in both places.
      forgetDescriptors(this.#arrivals);
    }
  }

  /** Clears an entry without closing the descriptor: it is the caller's from now on. */
  handOver(entry: LedgerEntry): number {
    const descriptor = this.descriptorOf(entry);
    this.#clear(entry);
    return descriptor;
  }

  descriptorOf(entry: LedgerEntry): number {
    return this.#numbers[entry]! - 1;
  }

  /** Closes a descriptor and clears its entry. */
  close(entry: LedgerEntry): void {
    const numbers = this.#numbers;
    const close = this.#close;
    const fd = numbers[entry]! - 1;
    numbers[entry] = 0;
    const result = close(fd);
    this.#clear(entry);
    if (result < 0) throw callError(lastErrno(), "close", `Cannot close descriptor ${fd}`);
  }

  #claim(): number {
    const at = this.#free.pop();
    if (at !== undefined) return at;
    const used = this.#numbers[USED]!;
    if (used === ENTRIES) {
      throw new DmaBufError(
        "EMFILE",
        `Cannot map or open more: a thread has at most ${ENTRIES} mappings and descriptors`,
      );
    }
    this.#numbers[USED] = used + 1;
    return FIRST + used * ENTRY.WORDS;
  }

  #clear(at: number): void {
    this.#numbers.fill(0, at, at + ENTRY.WORDS);
    this.#free.push(at);
  }
}

/**
 * Releases what is in the ledger of a thread of this process that has ended, and only then. A thread that is ended in
 * the middle of it has released a part, and left the rest to the next.
 */
export function releaseLedger(memory: LedgerMemory): LedgerRelease {
  const numbers = numbersOf(memory);
  const arrivals = arrivalsOf(memory);
  const close = boundFunction("int close(int fd)");
  const munmap = boundFunction("int munmap(uintptr_t address, size_t length)");
  const arrived = new Set(descriptorsIn(arrivals));
  forgetDescriptors(arrivals);
  let descriptors = 0;
  let mappings = 0;
  const end = FIRST + numbers[USED]! * ENTRY.WORDS;
  for (let at = FIRST; at < end; at += ENTRY.WORDS) {
    const value = numbers[at]!;
    const length = numbers[at + ENTRY.LENGTH]!;
    // The thread may have ended between a failed mapping and its removal.
    if (value > 0) {
      if (length === 0) {
        arrived.delete(value - 1);
        descriptors += 1;
        numbers[at] = 0;
        close(value - 1);
      } else if (numbers[at + ENTRY.LENT] === 0) {
        mappings += 1;
        numbers[at] = 0;
        munmap(value, length);
      } else {
        mappings += 1;
        layZeros(BigInt(value), length);
      }
    }
    numbers.fill(0, at, at + ENTRY.WORDS);
  }
  numbers[USED] = 0;
  for (const descriptor of arrived) closeDescriptor(descriptor);
  return { descriptors: descriptors + arrived.size, mappings };
}

function numbersOf({ buffer, offset }: LedgerMemory): Float64Array {
  return new Float64Array(buffer, offset, NUMBERS);
}

function arrivalsOf({ buffer, offset }: LedgerMemory): DataView {
  return new DataView(buffer, offset + ARRIVALS, MESSAGE_BYTES);
}

/** Zero pages in place of a mapping: its memory is back, and who still has a view reads zeros. */
export function layZeros(address: bigint, length: number): void {
  mapMemory({ length, protection: "read-write", over: address, noReserve: true });
}
