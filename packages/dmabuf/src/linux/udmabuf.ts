import { fstatSync } from "node:fs";
import { allOrNothing } from "../all-or-nothing.js";
import { check, checkList, checkObject, NAME, OBJECT, required, type Kinds } from "../arguments.js";
import {
  addSeals,
  createMemoryFile,
  pageSize,
  reservePages,
  SEAL,
  sealsOf,
  setFileLength,
} from "../node/system-calls/index.js";
import { Descriptor, descriptorFrom, requestOf } from "./descriptor.js";
import { openDevice } from "./open-device.js";
import { ownDmaBuf, type DmaBufDescriptor } from "./dma-buf.js";
import { ioctlNumber, rawCall, request, type Reasons } from "./ioctl.js";
import { BYTES, FD, OFFSET } from "./kinds.js";
import { createMemoryView } from "./memory-view.js";
import { packAll, Struct } from "./struct.js";

/** @see linux/include/uapi/linux/udmabuf.h */
export const UDMABUF = {
  CREATE: request("UDMABUF_CREATE", "write", "u", 0x42, { memfd: "u32", flags: "u32", offset: "u64", size: "u64" }),
  /** Its argument is the head, and the items behind it. */
  CREATE_LIST: { name: "UDMABUF_CREATE_LIST", number: ioctlNumber("write", "u", 0x43, 8) },
} as const;

export const UDMABUF_HEAD = new Struct({ flags: "u32", count: "u32" });
export const UDMABUF_ITEM = new Struct({ memfd: "u32", pad: "u32", offset: "u64", size: "u64" });
export const UDMABUF_PATH = "/dev/udmabuf";

const CLOEXEC = 1;

const REASONS: Reasons = {
  EBADFD: "the descriptor is no memory file",
  EINVAL:
    "the memory file must be sealed against shrinking and not against writing, and each range must lie in it in whole pages, within the limits of the module",
};

/** A range of a memory file. */
export interface MemoryRange {
  /** The descriptor of a memory file, sealed with `F_SEAL_SHRINK`; it stays the caller's. */
  readonly memfd: number;
  /** Bytes from the start of the file: a multiple of the page size. */
  readonly offset: number;
  /** Bytes: a multiple of the page size. */
  readonly size: number;
}

const RANGE: Kinds<MemoryRange> = { memfd: required(FD), offset: required(OFFSET), size: required(BYTES) };

/**
 * The device that makes dma-bufs of memory files, so that devices can use memory that programs filled.
 *
 * @example
 * ```ts device
 * import { createSealedMemory, UdmabufDevice } from "dmabuf/linux";
 *
 * using memory = createSealedMemory("image", 65_536);
 * using device = UdmabufDevice.open();
 * using buffer = device.create({ memfd: memory.fd, offset: 0, size: 65_536 });
 * ```
 */
export class UdmabufDevice extends Descriptor {
  private constructor(fd: number) {
    super(fd, "udmabuf");
  }

  /** Opens the device. @throws {DmaBufError} `ENOENT` if the kernel has no udmabuf; `EACCES` without the right to it. */
  static open(): UdmabufDevice {
    return new UdmabufDevice(openDevice(UDMABUF_PATH, "udmabuf"));
  }

  /**
   * A dma-buf over pages of a memory file. Both show the same bytes; the pages stay where they are while it lives.
   *
   * @throws {DmaBufError} `EBADFD` if the descriptor is no memory file; `EINVAL` for missing or forbidding seals, a
   *   range that is no whole pages or does not lie in the file, or more than the module allows (64 MiB by default).
   */
  create(range: MemoryRange): DmaBufDescriptor {
    checkObject("UdmabufDevice.create()", "range", range, RANGE);
    const { memfd, offset, size } = range;
    clearPages(range);
    const given = { memfd, flags: CLOEXEC, offset, size };
    const { result } = requestOf(this, UDMABUF.CREATE, given, `Cannot make a dma-buf of ${size} bytes`, REASONS);
    return ownDmaBuf(result);
  }

  /** One dma-buf over several ranges, one after the other. @throws {DmaBufError} As {@link create}. */
  createList(ranges: readonly MemoryRange[]): DmaBufDescriptor {
    ranges = checkList("UdmabufDevice.createList()", "ranges", ranges, OBJECT);
    ranges.forEach((range, i) => checkObject("UdmabufDevice.createList()", `ranges[${i}]`, range, RANGE));
    ranges.forEach(clearPages);
    const head = UDMABUF_HEAD.pack({ flags: CLOEXEC, count: ranges.length });
    const items = packAll(UDMABUF_ITEM, ranges);
    const argument = new Uint8Array(new ArrayBuffer(head.length + items.length));
    argument.set(head);
    argument.set(items, head.length);
    const action = `Cannot make a dma-buf of ${ranges.length} ranges`;
    return ownDmaBuf(rawCall(this.fd, UDMABUF.CREATE_LIST, argument, action, REASONS));
  }
}

/**
 * A memory file that udmabuf takes: sealed against shrinking and growing, with its pages reserved.
 *
 * @param size Bytes; a multiple of the page size.
 * @returns Its descriptor, which the caller owns.
 * @throws {DmaBufError} `ENOMEM` or `ENOSPC` if there is not so much memory; `EMFILE` without a free descriptor.
 *
 * @example
 * ```ts device
 * import { createSealedMemory, UdmabufDevice } from "dmabuf/linux";
 *
 * using memory = createSealedMemory("image", 65_536);
 * using device = UdmabufDevice.open();
 * using buffer = device.create({ memfd: memory.fd, offset: 0, size: 65_536 });
 * ```
 */
export function createSealedMemory(name: string, size: number): Descriptor {
  check("createSealedMemory()", "name", name, NAME);
  check("createSealedMemory()", "size", size, BYTES);
  return allOrNothing((orUndo) => {
    const file = descriptorFrom(createMemoryFile(name), "the memory file");
    orUndo(() => file.close());
    setFileLength(file.fd, size);
    reservePages(file.fd, 0, size);
    addSeals(file.fd, SEAL.SHRINK | SEAL.GROW);
    return file;
  });
}

/**
 * Makes sure that the pages have been zeroed. Pages that were only reserved are zeroed at their first use; since Linux
 * 6.11 udmabuf takes them as they are: with what was there before, and to be zeroed under the device later.
 */
function clearPages({ memfd, offset, size }: MemoryRange): void {
  const page = pageSize();
  try {
    // A file that may shrink, or a range beyond its end, would be a fault here: the kernel refuses both.
    if ((sealsOf(memfd) & SEAL.SHRINK) === 0 || offset % page !== 0 || offset + size > fstatSync(memfd).size) return;
    using view = createMemoryView(memfd, "read", { offset, length: size });
    const { bytes } = view;
    for (let at = 0; at < size; at += page) _touched ^= bytes[at]!;
  } catch {
    // What is wrong with it, the kernel says.
  }
}

/** Takes what was read, so that reading is not left out. */
let _touched = 0;
