import { check, FUNCTION, instance, NAME, oneOf } from "../arguments.js";
import { readFileSync, statSync } from "node:fs";
import { Buffer } from "node:buffer";
import type { WaitOptions } from "../domain/wait.js";
import { countdown } from "../domain/wait.js";
import { codeOf, DmaBufError } from "../errors.js";
import { HANDLE_MODE } from "../buffer/handle.js";
import { checkRange } from "../buffer/memory-map.js";
import { waitResult, type WaitResult } from "../fence/read-fence.js";
import { threadsHost } from "../host/threads.js";
import { callError, closeDescriptor, lastErrno, nativeFunction } from "../node/system-calls/index.js";
import { checkAccess, checkAccessMode, checkAccessSync, type AccessMode } from "../reservation/usage.js";
import { Descriptor, isDescriptorReady, requestOf } from "./descriptor.js";
import { giveBack } from "./give-back.js";
import { call, ioctlNumber, rawCall, request } from "./ioctl.js";
import { FD, OFFSET } from "./kinds.js";
import { createMemoryView, type MemoryView } from "./memory-view.js";
import { SYNC_FILE_DESCRIPTOR, syncFileFrom, type SyncFileDescriptor } from "./sync-file.js";
import { waitForDescriptor, waitForDescriptorSync } from "./wait.js";

/** @see linux/include/uapi/linux/dma-buf.h */
export const DMA_BUF = {
  SYNC: request("DMA_BUF_IOCTL_SYNC", "write", "b", 0, { flags: "u64" }),
  /** Its argument is the name itself, a NUL-terminated text. */
  SET_NAME: { name: "DMA_BUF_SET_NAME", number: ioctlNumber("write", "b", 1, 8) },
  /** Linux 6.0 and later, as the next. */
  EXPORT_SYNC_FILE: request("DMA_BUF_IOCTL_EXPORT_SYNC_FILE", "read-write", "b", 2, { flags: "u32", fd: "s32" }),
  IMPORT_SYNC_FILE: request("DMA_BUF_IOCTL_IMPORT_SYNC_FILE", "write", "b", 3, { flags: "u32", fd: "s32" }),
} as const;

const DMA_BUF_FLAG = { READ: 1, WRITE: 2, END: 4 } as const;

/** A writer may read too. */
const ACCESS: Readonly<Record<AccessMode, number>> = {
  read: DMA_BUF_FLAG.READ,
  write: DMA_BUF_FLAG.READ | DMA_BUF_FLAG.WRITE,
};
const IMPLICIT: Readonly<Record<AccessMode, number>> = { read: DMA_BUF_FLAG.READ, write: DMA_BUF_FLAG.WRITE };
const WHENCE = oneOf(["set", "end"]);
const SEEK_SET = 0;
const SEEK_END = 2;

const lseek = nativeFunction("int64_t lseek(int fd, int64_t offset, int whence)");

/** What the kernel tells of one buffer. */
export interface DmaBufStatistics {
  /** Bytes. */
  readonly size: number;
  /** The number of all references: descriptors, mappings, and uses by devices. */
  readonly references: number;
  /** Which driver or heap owns the memory. */
  readonly exporterName: string;
  /** `undefined` if none was ever set. */
  readonly name: string | undefined;
  /** The kernel's number of the buffer. */
  readonly inode: number;
}

let makeDmaBuf: (fd: number, size: number) => DmaBufDescriptor;

/**
 * A kernel dma-buf, as a descriptor of it. Any number of processes and devices may have others.
 *
 * @example
 * ```ts device
 * import { DmaHeap } from "dmabuf/linux";
 *
 * using heap = DmaHeap.open("system");
 * using buffer = heap.allocate(4096);
 * await buffer.access("write", (bytes) => bytes.fill(7), { timeout: 1_000 });
 * console.log(buffer.size, buffer.statistics().exporterName);
 * ```
 */
export class DmaBufDescriptor extends Descriptor {
  /** Bytes. */
  readonly size: number;

  static {
    makeDmaBuf = (fd, size) => new DmaBufDescriptor(fd, size);
  }

  private constructor(fd: number, size: number) {
    super(fd, "the dma-buf");
    this.size = size;
  }

  /** The kernel's number of the buffer: the same for all descriptors of it. */
  get inode(): number {
    return Number(statSync(`/proc/self/fd/${this.fd}`, { bigint: true }).ino);
  }

  /** What `lseek` gives. @throws {DmaBufError} `EINVAL` for anything but offset 0 from the start or the end. */
  seek(offset: number, whence: "set" | "end"): number {
    check("DmaBufDescriptor.seek()", "offset", offset, OFFSET);
    check("DmaBufDescriptor.seek()", "whence", whence, WHENCE);
    const place = lseek(this.fd, offset, whence === "set" ? SEEK_SET : SEEK_END);
    if (place >= 0) return place;
    throw callError(lastErrno(), "lseek", `Cannot seek to ${offset} from "${whence}" in the dma-buf`);
  }

  /**
   * The bytes, mapped into this process. Surround their use with {@link beginCpuAccess} and {@link endCpuAccess}. The
   * mapping holds the buffer, whether this descriptor is closed or not.
   *
   * @param range `offset` and `length` in bytes, whole pages. Default: all.
   * @throws {DmaBufError} `EACCES` for writing through a descriptor to read; `EINVAL` if the range is not in the
   *   buffer, or the exporter cannot map it.
   */
  map(
    mode: "read" | "read-write" = "read-write",
    range: { readonly offset?: number; readonly length?: number } = {},
  ): MemoryView {
    check("DmaBufDescriptor.map()", "mode", mode, HANDLE_MODE);
    checkRange("DmaBufDescriptor.map()", range);
    const { offset = 0, length = this.size - offset } = range;
    return createMemoryView(this.fd, mode, { offset, length });
  }

  /**
   * Begins to use mapped bytes: makes caches agree, and waits for the fences that come before. Prefers to wait
   * without blocking the thread; a fence that comes in between makes it wait again.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; what the exporter refuses it with.
   */
  async beginCpuAccess(mode: AccessMode, options: WaitOptions = {}): Promise<void> {
    checkAccess("DmaBufDescriptor.beginCpuAccess()", mode, options);
    if ((await this.ready(mode, options)) === "timed-out") timedOut(mode, options.timeout);
    this.#sync(ACCESS[mode]);
  }

  /** As {@link beginCpuAccess}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  beginCpuAccessSync(mode: AccessMode, options: { readonly timeout?: number } = {}): void {
    checkAccessSync("DmaBufDescriptor.beginCpuAccessSync()", mode, options);
    if (this.readySync(mode, options) === "timed-out") timedOut(mode, options.timeout);
    this.#sync(ACCESS[mode]);
  }

  /** The end that belongs to it. Waits for nothing. @throws {DmaBufError} `EINVAL` of a udmabuf that was not begun. */
  endCpuAccess(mode: AccessMode): void {
    checkAccessMode("DmaBufDescriptor.endCpuAccess()", mode);
    this.#sync(ACCESS[mode] | DMA_BUF_FLAG.END);
  }

  /**
   * Begins, runs `use` with the bytes, and ends. They are not valid afterwards.
   *
   * @param options `timeout` in milliseconds, by default no limit, and `signal`, which ends the wait.
   * @returns What `use` returns.
   * @throws {DmaBufError} As {@link map} and {@link beginCpuAccess}; what `use` throws.
   */
  async access<T>(mode: AccessMode, use: (bytes: Uint8Array<ArrayBuffer>) => T, options: WaitOptions = {}): Promise<T> {
    checkAccess("DmaBufDescriptor.access()", mode, options);
    check("DmaBufDescriptor.access()", "use", use, FUNCTION);
    using view = this.map(mode === "read" ? "read" : "read-write");
    await this.beginCpuAccess(mode, options);
    return this.#use(mode, use, view);
  }

  /** As {@link access}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  accessSync<T>(
    mode: AccessMode,
    use: (bytes: Uint8Array<ArrayBuffer>) => T,
    options: { readonly timeout?: number } = {},
  ): T {
    checkAccessSync("DmaBufDescriptor.accessSync()", mode, options);
    check("DmaBufDescriptor.accessSync()", "use", use, FUNCTION);
    using view = this.map(mode === "read" ? "read" : "read-write");
    this.beginCpuAccessSync(mode, options);
    return this.#use(mode, use, view);
  }

  #use<T>(mode: AccessMode, use: (bytes: Uint8Array<ArrayBuffer>) => T, view: MemoryView): T {
    let used: T;
    try {
      used = use(view.bytes);
    } catch (error) {
      giveBack(() => this.endCpuAccess(mode));
      throw error;
    }
    this.endCpuAccess(mode);
    return used;
  }

  /** The name that people see. @throws {DmaBufError} `EINVAL` if it has more than 31 bytes. */
  setName(name: string): void {
    check("DmaBufDescriptor.setName()", "name", name, NAME);
    rawCall(this.fd, DMA_BUF.SET_NAME, Buffer.from(`${name}\0`), "Cannot name the dma-buf");
  }

  /** Whether all fences are done that an access of this kind must wait for. */
  isReady(mode: AccessMode): boolean {
    checkAccessMode("DmaBufDescriptor.isReady()", mode);
    return isDescriptorReady(this.fd, direction(mode));
  }

  /** Waits until {@link isReady}. */
  async ready(mode: AccessMode, options: WaitOptions = {}): Promise<WaitResult> {
    checkAccess("DmaBufDescriptor.ready()", mode, options);
    return waitResult(await waitForDescriptor(this.fd, direction(mode), options));
  }

  /** As {@link ready}, blocking this thread. */
  readySync(mode: AccessMode, options: { readonly timeout?: number } = {}): WaitResult {
    checkAccessSync("DmaBufDescriptor.readySync()", mode, options);
    const left = countdown(threadsHost(), options.timeout);
    return waitResult(waitForDescriptorSync(this.fd, direction(mode), left()));
  }

  /**
   * What an access of this kind must wait for, as of now: `read` the writers, `write` all.
   *
   * @throws {DmaBufError} `ENOTTY` before Linux 6.0.
   */
  exportSyncFile(mode: AccessMode): SyncFileDescriptor {
    checkAccessMode("DmaBufDescriptor.exportSyncFile()", mode);
    const given = { flags: IMPLICIT[mode], fd: -1 };
    return syncFileFrom(requestOf(this, DMA_BUF.EXPORT_SYNC_FILE, given, "Cannot export the fences of the dma-buf").fd);
  }

  /**
   * Adds a sync_file's fences to the buffer's, as the work of a reader or a writer. The kernel's fences only: see
   * {@link handOver} for work of this library.
   *
   * @throws {DmaBufError} `EINVAL` if it is none; `ENOTTY` before Linux 6.0.
   */
  importSyncFile(mode: AccessMode, file: SyncFileDescriptor): void {
    checkAccessMode("DmaBufDescriptor.importSyncFile()", mode);
    check("DmaBufDescriptor.importSyncFile()", "file", file, SYNC_FILE_DESCRIPTOR);
    const given = { flags: IMPLICIT[mode], fd: file.fd };
    const reasons = { EINVAL: "the descriptor is no sync_file" };
    requestOf(this, DMA_BUF.IMPORT_SYNC_FILE, given, "Cannot add the fences to the dma-buf", reasons);
  }

  /** What the kernel tells of the buffer in fdinfo. */
  statistics(): DmaBufStatistics {
    const text = readFileSync(`/proc/self/fdinfo/${this.fd}`, "utf8");
    const field = (name: string): string | undefined => new RegExp(`^${name}:\t(.*)$`, "m").exec(text)?.[1];
    return {
      size: Number(field("size")),
      references: Number(field("count")),
      exporterName: field("exp_name") ?? "",
      name: field("name"),
      inode: this.inode,
    };
  }

  /** Another descriptor of the same buffer. */
  duplicate(): DmaBufDescriptor {
    return ownDmaBuf(this.duplicateDescriptor());
  }

  #sync(flags: number): void {
    for (;;) {
      try {
        requestOf(this, DMA_BUF.SYNC, { flags }, "Cannot begin or end the access to the dma-buf");
        return;
      } catch (error) {
        // An exporter may be interrupted, or ask to be called again: the interface says to do so until it is done.
        if (!(error instanceof DmaBufError) || (error.code !== "EINTR" && error.code !== "EAGAIN")) throw error;
      }
    }
  }
}

/**
 * Takes over the descriptor of a dma-buf.
 *
 * @throws {DmaBufError} `EBADF` if it is closed; `EINVAL` if it is of another kind. It is then not taken over.
 *
 * @example
 * ```ts device
 * import { dmaBufFrom } from "dmabuf/linux";
 *
 * using buffer = dmaBufFrom(3); // as this process inherited it
 * console.log(buffer.size);
 * ```
 */
export function dmaBufFrom(fd: number): DmaBufDescriptor {
  check("dmaBufFrom()", "fd", fd, FD);
  checkKind(fd);
  return makeDmaBuf(fd, sizeOf(fd));
}

/** What the kernel has just made for this program: it is closed if it cannot be used. */
export function ownDmaBuf(fd: number): DmaBufDescriptor {
  try {
    return dmaBufFrom(fd);
  } catch (error) {
    // Without room in the thread's ledger it was closed already, and its number may be another descriptor's.
    if (codeOf(error) !== "EMFILE") closeDescriptor(fd);
    throw error;
  }
}

/** What an argument must be that is a kernel dma-buf. */
export const DMA_BUF_DESCRIPTOR = instance(DmaBufDescriptor);

function direction(mode: AccessMode): "input" | "output" {
  return mode === "read" ? "input" : "output";
}

/** Only a dma-buf knows its requests; it refuses this one for its missing flags. */
function checkKind(fd: number): void {
  const action = `Cannot use descriptor ${fd} as a dma-buf`;
  try {
    call(fd, DMA_BUF.SYNC, { flags: 0 }, action);
  } catch (error) {
    const code = error instanceof DmaBufError ? error.code : undefined;
    if (code === "ENOTTY") throw new DmaBufError("EINVAL", `${action}: it is of another kind`);
    if (code !== "EINVAL") throw error;
  }
}

function sizeOf(fd: number): number {
  const size = lseek(fd, 0, SEEK_END);
  if (size < 0) throw callError(lastErrno(), "lseek", `Cannot use descriptor ${fd} as a dma-buf`);
  lseek(fd, 0, SEEK_SET);
  return size;
}

function timedOut(mode: AccessMode, timeout: number | undefined): never {
  throw new DmaBufError("ETIMEDOUT", `Cannot ${mode} the dma-buf in ${timeout} ms: its fences are pending`);
}
