import { check, CUT_NAME, instance } from "../arguments.js";
import { noUserFence } from "../fence/user-fence.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { waitResult, type WaitResult } from "../fence/read-fence.js";
import type { SyncFileFence, SyncFileInfo } from "../fence/sync-file.js";
import { addressOf } from "../node/system-calls/index.js";
import { Descriptor, isDescriptorReady, requestOf } from "./descriptor.js";
import { request } from "./ioctl.js";
import { DEADLINE, FD } from "./kinds.js";
import { Struct, unpackAll } from "./struct.js";
import { waitForDescriptor, waitForDescriptorSync } from "./wait.js";

/** @see linux/include/uapi/linux/sync_file.h */
export const SYNC_FILE = {
  MERGE: request("SYNC_IOC_MERGE", "read-write", ">", 3, {
    name: { text: 32 },
    fd2: "s32",
    fence: "s32",
    flags: "u32",
    pad: "u32",
  }),
  FILE_INFO: request("SYNC_IOC_FILE_INFO", "read-write", ">", 4, {
    name: { text: 32 },
    status: "s32",
    flags: "u32",
    numFences: "u32",
    pad: "u32",
    fences: "u64",
  }),
  /** Linux 6.4 and later. */
  SET_DEADLINE: request("SYNC_IOC_SET_DEADLINE", "write", ">", 5, { deadlineNs: "u64", pad: "u64" }),
} as const;

const FENCE_INFO = new Struct({
  timelineName: { text: 32 },
  driverName: { text: 32 },
  status: "s32",
  flags: "u32",
  timestampNs: "u64",
});

let makeSyncFile: (fd: number) => SyncFileDescriptor;

/**
 * A kernel sync_file: one or several fences of drivers, as a descriptor.
 *
 * @example
 * ```ts device
 * import { DmaHeap } from "dmabuf/linux";
 *
 * using heap = DmaHeap.open();
 * using buffer = heap.allocate(4096);
 * using work = buffer.exportSyncFile("write");
 * console.log(await work.wait({ timeout: 1_000 }), work.info().fences);
 * ```
 */
export class SyncFileDescriptor extends Descriptor {
  static {
    makeSyncFile = (fd) => new SyncFileDescriptor(fd);
  }

  private constructor(fd: number) {
    super(fd, "the sync_file");
  }

  /**
   * All that is in two sync files as one, which stay as they are.
   *
   * @param name Cut after the last whole character that fits in 31 bytes; if it is empty, the kernel makes one from the
   *   fence.
   * @throws {DmaBufError} `EMFILE`; `ENOENT` if `b` is open and no sync_file.
   */
  static merge(name: string, a: SyncFileDescriptor, b: SyncFileDescriptor): SyncFileDescriptor {
    check("SyncFileDescriptor.merge()", "name", name, CUT_NAME);
    check("SyncFileDescriptor.merge()", "a", a, SYNC_FILE_DESCRIPTOR);
    check("SyncFileDescriptor.merge()", "b", b, SYNC_FILE_DESCRIPTOR);
    const given = { name, fd2: b.fd };
    const reasons = { ENOENT: "the second is no sync_file" };
    return syncFileFrom(requestOf(a, SYNC_FILE.MERGE, given, "Cannot merge the sync files", reasons).fence);
  }

  /** Whether it has signaled, with an error or without. */
  isReady(): boolean {
    return isDescriptorReady(this.fd, "input");
  }

  /** Waits until {@link isReady}. */
  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("SyncFileDescriptor.wait()", options);
    return waitResult(await waitForDescriptor(this.fd, "input", options));
  }

  /** As {@link wait}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  waitSync(options: { readonly timeout?: number } = {}): WaitResult {
    checkWaitSync("SyncFileDescriptor.waitSync()", options);
    return waitResult(waitForDescriptorSync(this.fd, "input", options.timeout));
  }

  /** The status of the fence itself: an array's is that of its first failure, a chain's is never an error. */
  get status(): number {
    return requestOf(this, SYNC_FILE.FILE_INFO, {}, "Cannot look at the sync_file").status;
  }

  /** The name it was merged with, or one that the kernel made of the fence. */
  get name(): string {
    return requestOf(this, SYNC_FILE.FILE_INFO, {}, "Cannot look at the sync_file").name;
  }

  /** What is in it, as of now. */
  info(): SyncFileInfo {
    for (let room = this.#count(); ; room = this.#count()) {
      const bytes = new Uint8Array(new ArrayBuffer(FENCE_INFO.size * room));
      try {
        const given = { numFences: room, fences: addressOf(bytes) };
        const info = requestOf(this, SYNC_FILE.FILE_INFO, given, "Cannot look at the sync_file");
        const fences = unpackAll(FENCE_INFO, bytes, info.numFences).map(describeFence);
        return { name: info.name, status: info.status, fences };
      } catch (error) {
        // Between the two looks a container may have got more leaves; it loses them much more often.
        if (!(error instanceof DmaBufError) || error.code !== "EINVAL" || this.#count() <= room) throw error;
      }
    }
  }

  /**
   * Hints that the fences are needed by then (absolute monotonic nanoseconds). Nothing fails if they are late.
   *
   * @throws {DmaBufError} `ENOTTY` before Linux 6.4.
   */
  setDeadline(deadlineNs: number | bigint): void {
    check("SyncFileDescriptor.setDeadline()", "deadlineNs", deadlineNs, DEADLINE);
    const whole = typeof deadlineNs === "number" ? Math.floor(deadlineNs) : deadlineNs;
    requestOf(this, SYNC_FILE.SET_DEADLINE, { deadlineNs: whole }, "Cannot set the deadline of the sync_file");
  }

  /** Another descriptor of the same sync_file. */
  duplicate(): SyncFileDescriptor {
    return syncFileFrom(this.duplicateDescriptor());
  }

  #count(): number {
    return requestOf(this, SYNC_FILE.FILE_INFO, {}, "Cannot look at the sync_file").numFences;
  }
}

/**
 * Takes over the descriptor of a sync_file, which is closed if that fails.
 *
 * @throws {DmaBufError} `EMFILE` if this thread can own no more descriptors.
 *
 * @example
 * ```ts device
 * import { syncFileFrom } from "dmabuf/linux";
 *
 * using work = syncFileFrom(3); // as a graphics library gave it
 * console.log(await work.wait({ timeout: 1_000 }));
 * ```
 */
export function syncFileFrom(fd: number): SyncFileDescriptor {
  check("syncFileFrom()", "fd", fd, FD);
  return makeSyncFile(fd);
}

/** What an argument must be that is a kernel sync_file. */
export const SYNC_FILE_DESCRIPTOR = noUserFence(instance(SyncFileDescriptor));

function describeFence(fence: {
  timelineName: string;
  driverName: string;
  status: number;
  timestampNs: bigint;
}): SyncFileFence {
  const { timelineName, driverName, status, timestampNs } = fence;
  return { timelineName, driverName, status, timestamp: timestampNs === 0n ? undefined : Number(timestampNs) };
}
