import { check } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { FrameBytes } from "../stream/frame.js";
import { FRAME } from "./frame-kind.js";
import { GPU_BUFFER } from "./gpu-work.js";
import { having } from "./method-kind.js";
import { planesFor } from "./planes-for.js";

const QUEUE = /* @__PURE__ */ having("writeBuffer", "a GPUQueue");

/**
 * Writes a frame to the GPU, **from the shared memory itself**: JavaScript copies nothing. The browser has taken the bytes when
 * the call returns: give the frame back at once, and no fence is needed.
 *
 * A buffer gets all bytes of the frame. WebGPU writes multiples of 4 bytes only: up to 3 bytes without a meaning follow, so the
 * buffer's size is a multiple of 4 and at least the frame's length. Textures get a plane each, of the plane's size, with a
 * format of as many bytes as its samples have: `r8unorm` for luma, `rg8unorm` for the pairs of `NV12`, `rgba8unorm`, `bgra8unorm`.
 *
 * What does not fit is an error of the device's, as always in WebGPU: `gpuFence()` has it.
 *
 * @param queue `device.queue`.
 * @param target With the usage `COPY_DST`.
 * @param frame A frame or a loan.
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EINVAL` if the frame has more planes than there are textures, or samples of 3 bytes, which no texture
 *   has; `EBADF` if it was given back.
 *
 * @example
 * ```ts page
 * import type { Frame } from "dmabuf";
 * import { writeFrame } from "dmabuf/web";
 *
 * declare const device: GPUDevice;
 * declare const pixels: GPUBuffer;
 * declare const frame: Frame;
 * writeFrame(device.queue, pixels, frame);
 * frame.close();
 * ```
 */
export function writeFrame(queue: GPUQueue, target: GPUBuffer | readonly GPUTexture[], frame: FrameBytes): void {
  const call = "writeFrame()";
  check(call, "queue", queue, QUEUE);
  if (Array.isArray(target)) {
    const planes = planesFor<GPUTexture>(call, "target", target, frame);
    if (planes.some(([{ bytesPerSample }]) => bytesPerSample === 3))
      throw new DmaBufError("EINVAL", `${call}: no texture has samples of 3 bytes`);
    for (const [{ bytes, stride, width, height }, texture] of planes)
      queue.writeTexture({ texture }, bytes, { bytesPerRow: stride, rowsPerImage: height }, [width, height]);
    return;
  }
  check(call, "target", target, GPU_BUFFER);
  check(call, "frame", frame, FRAME);
  const { buffer, byteOffset, length } = frame.bytes;
  // Behind each frame its buffer goes on, at least to the next multiple of 8.
  queue.writeBuffer(target as GPUBuffer, 0, buffer, byteOffset, Math.ceil(length / 4) * 4);
}
