import { readdirSync } from "node:fs";
import { join } from "node:path";
import { check, type Kind } from "../arguments.js";
import { Descriptor, requestOf } from "./descriptor.js";
import { openDevice } from "./open-device.js";
import { ownDmaBuf, type DmaBufDescriptor } from "./dma-buf.js";
import { BYTES, isPath, PATH } from "./kinds.js";
import { request } from "./ioctl.js";

/** @see linux/include/uapi/linux/dma-heap.h */
export const DMA_HEAP = {
  ALLOC: request("DMA_HEAP_IOCTL_ALLOC", "read-write", "H", 0, {
    len: "u64",
    fd: "u32",
    fdFlags: "u32",
    heapFlags: "u64",
  }),
} as const;

export const HEAP_FOLDER = "/dev/dma_heap";

const O_CLOEXEC = 0o2000000;
const O_RDWR = 2;

const HEAP_NAME: Kind = {
  wanted: "the name of a heap",
  isKind: PATH.isKind,
  isTaken: (name: string) => !name.includes("/") && isPath(name),
  code: "EINVAL",
};

/**
 * A kernel allocator of dma-bufs: each heap is memory of another kind.
 *
 * @example
 * ```ts device
 * import { DmaHeap } from "dmabuf/linux";
 *
 * console.log(DmaHeap.list());
 * using heap = DmaHeap.open("system");
 * using buffer = heap.allocate(1 << 20);
 * ```
 */
export class DmaHeap extends Descriptor {
  /** The heap's name, that of its file in `/dev/dma_heap`. */
  readonly name: string;

  private constructor(fd: number, name: string) {
    super(fd, `the heap "${name}"`);
    this.name = name;
  }

  /** The names of this machine's heaps; none if the kernel has none. */
  static list(): string[] {
    try {
      return readdirSync(HEAP_FOLDER).sort();
    } catch {
      return [];
    }
  }

  /**
   * Opens a heap.
   *
   * @throws {DmaBufError} `ENOENT` if there is none of that name; `EACCES` without the right to it.
   */
  static open(name = "system"): DmaHeap {
    check("DmaHeap.open()", "name", name, HEAP_NAME);
    const path = join(HEAP_FOLDER, name);
    return new DmaHeap(openDevice(path, `the heap "${name}"`, "read"), name);
  }

  /**
   * A zeroed buffer. Its size is rounded up to whole pages. Ask for no more than the machine has: the kernel then looks
   * for a process to end before it refuses.
   *
   * @throws {DmaBufError} `EINVAL` for a size below 1; `ENOMEM`.
   */
  allocate(size: number): DmaBufDescriptor {
    check("DmaHeap.allocate()", "size", size, BYTES);
    const given = { len: size, fdFlags: O_RDWR | O_CLOEXEC };
    const { fd } = requestOf(this, DMA_HEAP.ALLOC, given, `Cannot allocate ${size} bytes from the heap "${this.name}"`);
    return ownDmaBuf(fd);
  }
}
