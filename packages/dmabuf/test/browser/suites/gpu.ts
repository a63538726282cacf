import { type Domain, type Frame, type FrameFormat } from "../../../src/index.js";

/** What the suites of the GPU share. */

/** Numbers of WebGPU, which the compiler's types do not have. */
export const USAGE = { MAP_READ: 1, MAP_WRITE: 2, COPY_SRC: 4, COPY_DST: 8, STORAGE: 0x80 } as const;
export const TEXTURE_USAGE = { COPY_SRC: 1, COPY_DST: 2 } as const;

/** A frame whose bytes are all different from their neighbours', the padding's too. */
export function frameOf(domain: Domain, format: FrameFormat, length = format.size): Frame {
  const stream = domain.createStream({ format, buffers: 1 });
  const consumer = stream.frames();
  const loan = stream.loanSync()!;
  loan.bytes.forEach((_, i, bytes) => (bytes[i] = (i * 37 + (i >> 8)) & 0xff));
  loan.publish({ length });
  return consumer.tryNext()!;
}

/** What a buffer of the GPU has, from its first byte on. */
export async function readBuffer(device: GPUDevice, source: GPUBuffer): Promise<Uint8Array> {
  const { size } = source;
  const staging = device.createBuffer({ size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(USAGE.MAP_READ);
  const bytes = new Uint8Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return bytes;
}
