import { DmaBufError } from "../../errors.js";
import { layZeros, type FileMapping, type LedgerEntry, type ResourceLedger } from "../resources/resource-ledger.js";
import { processHost } from "../host.js";
import { mapMemory, viewOf } from "../system-calls/index.js";

/**
 * A memory file mapped in this thread, as an `ArrayBuffer` that is lent out for a time.
 *
 * memory-mapping.1. A mapping makes one view of its memory, once: making one takes about 45 µs, and koffi ends the
 *      process if its worker is terminated in one of them.
 * memory-mapping.2. At the end of a use the memory is taken back by `ArrayBuffer.prototype.transfer`, where there is
 *      one (Node.js 22 and later): all views of it that were handed out then have length 0.
 * memory-mapping.3. Closing gives the memory back at once: zero pages take its place. A view that is left reads zeros,
 *      and what is written there is lost; nothing crashes.
 * memory-mapping.4. The addresses are unmapped when no `ArrayBuffer` that was handed out is left. If a program has
 *      transferred one, that moment is unknown: then they stay, which takes addresses and no memory.
 * memory-mapping.5. No view is marked as untransferable: Node.js 24 and 26 then abort at the exit.
 * memory-mapping.6. Between two uses another file can take the place of the one that is mapped: what is lent for each use anew
 *      needs no new view (memory-mapping.1), and is not mapped between them.
 */
export class MemoryMapping implements Disposable {
  readonly length: number;
  readonly #range: Range;
  #users = 0;

  /**
   * @param file Its descriptor is kept by the caller: the mapping does not need it any more. Offset and length are
   *     multiples of the page size. If it is not writable, a write to the view is a fault that ends the process.
   * @throws {DmaBufError} `EFBIG` for more bytes than a view can have; `EACCES` to write through a descriptor that may
   *     only read; `EPERM` if the file is sealed against it; `ENOMEM`.
   */
  constructor(ledger: ResourceLedger, file: FileMapping) {
    const { length } = file;
    this.length = length;
    const entry = ledger.map(file);
    this.#range = { ledger, entry, length, view: undefined, isLent: false, isStolen: false, isClosed: false, left: 0 };
  }

  /** The memory. It becomes empty at the end of the use. @throws {DmaBufError} `EBADF` when the mapping is closed. */
  get buffer(): ArrayBuffer {
    const range = this.#range;
    if (range.isClosed) throw new DmaBufError("EBADF", "Cannot use the memory: it is no longer mapped");
    if (range.view !== undefined && !isWhole(range.view, range.length)) stolen(range);
    range.view ??= viewOf(range.ledger.addressOf(range.entry), range.length);
    if (!range.isLent) lend(range, range.view);
    return range.view;
  }

  get isClosed(): boolean {
    return this.#range.isClosed;
  }

  beginUse(): void {
    this.#users += 1;
  }

  /** Called once for each use. The last end takes the memory back. */
  endUse(): void {
    if (--this.#users === 0 && !this.isClosed) takeBack(this.#range);
  }

  /** Whether a program has transferred a view: what is mapped here later, another thread could see and write. */
  get isStolen(): boolean {
    return this.#range.isStolen;
  }

  /**
   * Lets the file go between two uses, and keeps the addresses: zero pages take its place. Not while it is in use.
   *
   * @throws {DmaBufError} `ENOMEM` if the kernel cannot do that: the file is still mapped then.
   */
  suspend(): void {
    const { ledger, entry, length } = this.#range;
    layZeros(ledger.addressOf(entry), length);
  }

  /** Maps a file at the same addresses, after {@link suspend}. @throws {DmaBufError} As of the constructor. */
  resume({ fd, offset = 0, isWritable }: Omit<FileMapping, "length">): void {
    const { ledger, entry, length } = this.#range;
    const protection = isWritable ? "read-write" : "read";
    mapMemory({ length, fd, offset, protection, over: ledger.addressOf(entry) });
  }

  /** Gives the memory back, also if it is still in use. */
  close(): void {
    const range = this.#range;
    if (range.isClosed) return;
    takeBack(range);
    range.isClosed = true;
    if (range.left === 0 && !range.isStolen) {
      range.ledger.unmap(range.entry);
    } else {
      range.ledger.setLent(range.entry, true);
      layZerosOrWait(range);
    }
    // Where the views could not be taken from their users, a user's view is still one of it.
    range.view = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What outlives the mapping while views of it are left. */
interface Range {
  readonly ledger: ResourceLedger;
  readonly entry: LedgerEntry;
  readonly length: number;
  view: ArrayBuffer | undefined;
  /** The view is one that was handed out. */
  isLent: boolean;
  isStolen: boolean;
  isClosed: boolean;
  /** How many `ArrayBuffer`s that were handed out are not collected yet. */
  left: number;
}

type TransferableBuffer = ArrayBuffer & { transfer?(): ArrayBuffer };

/** Whether memory is taken back at the end of its use (memory-mapping.2). */
export const TAKES_BACK = "transfer" in ArrayBuffer.prototype;

const handedOut = new FinalizationRegistry<Range>((range) => {
  range.left -= 1;
  if (range.left === 0 && range.isClosed && !range.isStolen) range.ledger.unmap(range.entry);
});

function lend(range: Range, view: ArrayBuffer): void {
  range.isLent = true;
  range.left += 1;
  range.ledger.setLent(range.entry, true);
  handedOut.register(view, range);
}

function takeBack(range: Range): void {
  const { view } = range;
  if (!range.isLent || view === undefined) return;
  if (!isWhole(view, range.length)) {
    stolen(range);
    range.isLent = false;
    return;
  }
  const taken = (view as TransferableBuffer).transfer?.();
  if (taken === undefined) return;
  range.view = taken;
  range.isLent = false;
  if (!range.isStolen) range.ledger.setLent(range.entry, false);
}

/** A program has transferred what it was lent: another thread has it now, and sees what is written there later. */
function stolen(range: Range): void {
  range.view = undefined;
  if (range.isStolen) return;
  range.isStolen = true;
  processHost().warn(
    "The bytes of a buffer were put into a transfer list: they are gone here, and who has them sees what others write there later. Post handle() of the buffer or stream, or a copy()",
  );
}

/** Where the kernel refuses even that, the memory stays until the views are collected. */
function layZerosOrWait({ ledger, entry, length }: Range): void {
  try {
    layZeros(ledger.addressOf(entry), length);
  } catch {
    // A close does not fail.
  }
}

function isWhole(view: ArrayBuffer, length: number): boolean {
  return view.byteLength === length;
}
