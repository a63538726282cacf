import { check } from "../arguments.js";
import { Descriptor, requestOf } from "./descriptor.js";
import { openDevice } from "./open-device.js";
import { request } from "./ioctl.js";
import { U32 } from "./kinds.js";
import { SYNC_FILE_DESCRIPTOR, syncFileFrom, type SyncFileDescriptor } from "./sync-file.js";

/** @see linux/drivers/dma-buf/sw_sync.c */
export const SW_SYNC = {
  CREATE_FENCE: request("SW_SYNC_IOC_CREATE_FENCE", "read-write", "W", 0, {
    value: "u32",
    name: { text: 32 },
    fence: "s32",
  }),
  INC: request("SW_SYNC_IOC_INC", "write", "W", 1, { amount: "u32" }),
  /** Linux 6.4 and later. */
  GET_DEADLINE: request("SW_SYNC_GET_DEADLINE", "read-write", "W", 2, {
    deadlineNs: "u64",
    pad: "u32",
    fenceFd: "s32",
  }),
} as const;

export const SOFTWARE_SYNC_PATH = "/sys/kernel/debug/sync/sw_sync";

/**
 * A kernel timeline that a program advances by hand, for tests. It breaks the promise of all other fences, that they
 * signal in bounded time: use it for nothing else. Only root has it, in a kernel that was built for tests.
 *
 * @example
 * ```ts device
 * import { SoftwareSyncTimeline } from "dmabuf/linux";
 *
 * using timeline = SoftwareSyncTimeline.create();
 * using fence = timeline.createFence(1);
 * timeline.advance();
 * console.log(await fence.wait());
 * ```
 */
export class SoftwareSyncTimeline extends Descriptor {
  private constructor(fd: number) {
    super(fd, "the software timeline");
  }

  /** A timeline at 0. @throws {DmaBufError} `ENOENT` if the kernel has none; `EACCES` without the right to it. */
  static create(): SoftwareSyncTimeline {
    return new SoftwareSyncTimeline(openDevice(SOFTWARE_SYNC_PATH, "a software timeline"));
  }

  /** A sync_file that signals when the timeline comes to `value` (32 bits, which wrap around). */
  createFence(value: number): SyncFileDescriptor {
    check("SoftwareSyncTimeline.createFence()", "value", value, U32);
    const { fence } = requestOf(this, SW_SYNC.CREATE_FENCE, { value, fence: -1 }, "Cannot make a fence");
    return syncFileFrom(fence);
  }

  /** Goes on by `count`, and signals what lies between. */
  advance(count = 1): void {
    check("SoftwareSyncTimeline.advance()", "count", count, U32);
    requestOf(this, SW_SYNC.INC, { amount: count }, "Cannot advance the software timeline");
  }

  /**
   * The earliest deadline that was set on a fence of a software timeline, in monotonic nanoseconds.
   *
   * @throws {DmaBufError} `ENOENT` if none was set; `EINVAL` if it is no such fence; `ENOTTY` before Linux 6.4.
   */
  deadline(file: SyncFileDescriptor): bigint {
    check("SoftwareSyncTimeline.deadline()", "file", file, SYNC_FILE_DESCRIPTOR);
    return requestOf(this, SW_SYNC.GET_DEADLINE, { fenceFd: file.fd }, "Cannot read the deadline").deadlineNs;
  }
}
