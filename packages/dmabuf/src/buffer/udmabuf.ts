import { checkOptions, integer, NAME, orElse, type Kind, type Kinds } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { DmaBuf } from "./buffer.js";
import type { BufferTable } from "./buffer-table.js";
import { checkSegments, checkStorage, PAGE_SIZE, storageSize, type StorageSegment } from "./storage.js";

/** How {@link Domain.createUdmabuf} makes a buffer of ranges. */
export interface UdmabufOptions {
  /** For people; at most 31 bytes of UTF-8. */
  readonly name?: string;
  /** How many ranges there may be. Default 1,024. */
  readonly listLimit?: number;
  /** How many bytes there may be in all. Default 64 MiB. */
  readonly sizeLimit?: number;
}

const LIST_LIMIT = 1024;
const SIZE_LIMIT = 64 << 20;

/** Memory that threads can share never shrinks, which is what the kernel asks of it by a seal. */
const SHARED: Kind = orElse("EBADFD", {
  wanted: "a SharedArrayBuffer",
  isKind: (value) => value instanceof SharedArrayBuffer,
});

const OPTIONS: Kinds<UdmabufOptions> = { name: NAME, listLimit: integer(0), sizeLimit: integer(0) };

/**
 * A buffer made of pages that the program has already, in the order of the list. The memory stays the program's: what is
 * written on either side is seen on the other.
 *
 * @throws {DmaBufError} `EINVAL` for no ranges, too many, or one that is not made of whole pages inside its memory;
 *   `EBADFD` for memory that threads cannot share.
 * @see linux/drivers/dma-buf/udmabuf.c
 */
export function createUdmabuf(
  buffers: BufferTable,
  ranges: readonly StorageSegment[],
  options: UdmabufOptions = {},
): DmaBuf {
  ranges = checkSegments("Domain.createUdmabuf()", "ranges", ranges, SHARED);
  checkOptions("Domain.createUdmabuf()", options, OPTIONS);
  const { name = "", listLimit = LIST_LIMIT, sizeLimit = SIZE_LIMIT } = options;
  if (ranges.length === 0 || ranges.length > listLimit) {
    refuse(`there are ${ranges.length} ranges, not 1 to ${listLimit} (option "listLimit")`);
  }
  ranges.forEach((range, i) => checkPages(range, i));
  const size = storageSize(ranges);
  if (size > sizeLimit) refuse(`the ranges have ${size} bytes, ${sizeLimit} are allowed (option "sizeLimit")`);
  checkStorage(ranges, size);
  return buffers.export(
    ranges.map(({ memory, offset, length }) => ({ memory, offset, length })),
    { name, exporterName: "udmabuf" },
  );
}

function checkPages({ offset, length }: StorageSegment, i: number): void {
  if (isPages(offset) && isPages(length) && length > 0) return;
  refuse(`range ${i} (${offset} + ${length} bytes) is not made of whole pages of ${PAGE_SIZE} bytes`);
}

function isPages(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 0 && bytes % PAGE_SIZE === 0;
}

function refuse(reason: string): never {
  throw new DmaBufError("EINVAL", `Cannot make a buffer of the ranges: ${reason}`);
}
