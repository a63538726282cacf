import { check } from "../../arguments.js";
import { checkAccessMode, type AccessMode } from "../../reservation/usage.js";
import { request } from "../ioctl.js";
import { DRM_BUFFER, type DrmBuffer } from "./device.js";
import { requestOf } from "../descriptor.js";

/** @see linux/include/uapi/drm/vgem_drm.h */
export const VGEM = {
  FENCE_ATTACH: request("DRM_IOCTL_VGEM_FENCE_ATTACH", "read-write", "d", 0x41, {
    handle: "u32",
    flags: "u32",
    fence: "u32",
    pad: "u32",
  }),
  FENCE_SIGNAL: request("DRM_IOCTL_VGEM_FENCE_SIGNAL", "write", "d", 0x42, { fence: "u32", flags: "u32" }),
} as const;

const WRITE = 1;

/**
 * A fence in a buffer of the test device vgem, in place of a device's work. It signals by itself after 10 seconds.
 *
 * @example
 * ```ts device
 * import { DrmDevice, VgemFence } from "dmabuf/linux";
 *
 * using card = DrmDevice.find("vgem", "card");
 * using buffer = card?.createDumbBuffer(64, 64);
 * if (buffer !== undefined) {
 *   using descriptor = buffer.export();
 *   const fence = VgemFence.create(buffer, "write");
 *   console.log(descriptor.isReady("read")); // false
 *   fence.signal();
 * }
 * ```
 */
export class VgemFence {
  readonly #buffer: DrmBuffer;
  readonly #fence: number;

  /**
   * Adds a fence to the buffer's.
   *
   * @throws {DmaBufError} `EBUSY` if a pending fence is in the way of such an access.
   */
  static create(buffer: DrmBuffer, mode: AccessMode): VgemFence {
    check("VgemFence.create()", "buffer", buffer, DRM_BUFFER);
    checkAccessMode("VgemFence.create()", mode);
    return new VgemFence(buffer, mode);
  }

  private constructor(buffer: DrmBuffer, mode: AccessMode) {
    const flags = mode === "write" ? WRITE : 0;
    this.#buffer = buffer;
    const given = { handle: buffer.handle, flags };
    const reasons = { EBUSY: "a pending fence is in the way" };
    const action = "Cannot attach a fence to the buffer";
    this.#fence = requestOf(buffer.device, VGEM.FENCE_ATTACH, given, action, reasons).fence;
  }

  /** Signals it. @throws {DmaBufError} `ENOENT` if it was signaled by this call before; `ETIMEDOUT` if its time had passed. */
  signal(): void {
    requestOf(this.#buffer.device, VGEM.FENCE_SIGNAL, { fence: this.#fence }, "Cannot signal the fence", {
      ENOENT: "it was signaled before",
      ETIMEDOUT: "its 10 seconds had passed",
    });
  }
}
