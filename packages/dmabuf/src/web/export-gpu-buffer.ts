import { check, checkOptions, isName, NAME, type Kinds } from "../arguments.js";
import { holderOf, type DmaBuf } from "../buffer/buffer.js";
import { countedCopyTo } from "../buffer/copies.js";
import type { BufferMembers } from "../buffer/feature.js";
import { allocateMemory } from "../buffer/shared-memory.js";
import { DmaBufError } from "../errors.js";
import { DEVICE, GPU_BUFFER, submitted, USAGE } from "./gpu-work.js";
import { having } from "./method-kind.js";

/** Options of {@link exportGPUBuffer}. */
export interface GPUBufferOptions {
  /** For people; at most 31 bytes of UTF-8. Default: the GPUBuffer's label, if it is so short. */
  readonly name?: string;
}

const OPTIONS: Kinds<GPUBufferOptions> = { name: NAME };
const DOMAIN = /* @__PURE__ */ having("export", "a Domain of dmabuf");

/**
 * Makes a buffer of the GPU's memory that all threads can use: their accesses see what the GPU has written, and the GPU sees what
 * they have written.
 *
 * The bytes are the GPU's own until an access begins: then they are copied to memory that threads share, which is one counted
 * copy for each access, beside those that the browser makes. When a write access ends they are written back, from the shared
 * memory itself; that of another thread in a turn of this thread's event loop. GPU work goes on the buffer's reservation by
 * `gpuFence()`, so that accesses wait for it.
 *
 * @param domain One that this thread has joined.
 * @param device That of the GPUBuffer.
 * @param buffer Of a size that is a multiple of 4, with the usages `COPY_SRC` and `COPY_DST`. It stays the caller's: it is not
 *   destroyed with the `DmaBuf`.
 * @returns A buffer whose accesses fail with `ENODEV` if the device is lost, and with `EINVAL` if the GPUBuffer was destroyed.
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EINVAL` for another size or usage; `ENOMEM` if there is not so much
 *   shared memory; `ENOSPC` if the domain is full.
 *
 * @example
 * ```ts page
 * import type { Domain } from "dmabuf";
 * import { exportGPUBuffer } from "dmabuf/web";
 *
 * declare const domain: Domain;
 * declare const device: GPUDevice;
 * declare const worker: Worker;
 * const usage = 0x80 | 4 | 8; // STORAGE | COPY_SRC | COPY_DST
 * const results = device.createBuffer({ size: 4096, usage });
 * using buffer = exportGPUBuffer(domain, device, results, { name: "results" });
 * worker.postMessage(buffer.handle());
 * ```
 */
export function exportGPUBuffer(
  domain: Pick<BufferMembers, "export">,
  device: GPUDevice,
  buffer: GPUBuffer,
  options: GPUBufferOptions = {},
): DmaBuf {
  const call = "exportGPUBuffer()";
  check(call, "domain", domain, DOMAIN);
  check(call, "device", device, DEVICE);
  check(call, "buffer", buffer, GPU_BUFFER);
  checkOptions(call, options, OPTIONS);
  const { size, usage } = buffer;
  const needed = USAGE.COPY_SRC | USAGE.COPY_DST;
  if (size % 4 || (usage & needed) !== needed) {
    const why = `it has ${size} bytes and usage ${usage}`;
    throw new DmaBufError(
      "EINVAL",
      `${call}: buffer must have a multiple of 4 bytes, COPY_SRC and COPY_DST, and ${why}`,
    );
  }
  const memory = allocateMemory(size);
  const bytes = new Uint8Array(memory);
  const segments = [{ memory, offset: 0, length: size }];
  const exported = domain.export(segments, {
    name: options.name ?? (isName(buffer.label) ? buffer.label : ""),
    exporterName: "webgpu",
    ops: {
      map: () => segments,
      unmap() {},
      release() {},
      async beginCpuAccess() {
        const staging = await submitted(device, size, (encoder, target) =>
          encoder.copyBufferToBuffer(buffer, 0, target, 0, size),
        );
        countedCopyTo(agent, call, new Uint8Array(staging.getMappedRange()), bytes);
        staging.destroy();
      },
      endCpuAccess(mode) {
        if (mode === "write") device.queue.writeBuffer(buffer, 0, bytes);
      },
    },
  });
  // What is closed later says it no more.
  const { agent } = holderOf(exported).record;
  return exported;
}
