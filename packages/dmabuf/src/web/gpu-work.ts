import { DmaBufError, type ErrorCode } from "../errors.js";
import { having } from "./method-kind.js";

/**
 * Work on a GPU, and whether it was good. `queue.onSubmittedWorkDone()` alone cannot tell: it fulfils for work of a device that
 * was destroyed, and for what was found invalid.
 */

/** Numbers of WebGPU. */
export const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8 };

/** What an error of each kind is. The first one is the innermost scope; of several errors the last one counts. */
const SCOPES: readonly (readonly [GPUErrorFilter, ErrorCode])[] = [
  ["internal", "EIO"],
  ["validation", "EINVAL"],
  ["out-of-memory", "ENOMEM"],
];

/** What arguments must be. */
export const DEVICE = /* @__PURE__ */ having("pushErrorScope", "a GPUDevice");
export const GPU_BUFFER = /* @__PURE__ */ having("mapAsync", "a GPUBuffer");

/**
 * Submits work, and waits until it is done.
 *
 * @param size Bytes of a buffer, a multiple of 4, that the work uses last: the queue is done with all else then.
 * @param encode Encodes the use of that buffer, `target`; may submit work of its own before.
 * @returns The buffer, mapped for reading.
 * @throws What `encode` throws, in this call.
 * @throws {DmaBufError} `EINVAL`, `ENOMEM` or `EIO` for what the device finds wrong with the work; `ENODEV` if it was lost.
 */
export function submitted(
  device: GPUDevice,
  size: number,
  encode: (encoder: GPUCommandEncoder, target: GPUBuffer) => void,
): Promise<GPUBuffer> {
  // A device that is lost may refuse.
  const endScopes = (): Promise<GPUError | null>[] => SCOPES.map(() => device.popErrorScope().catch(() => null));
  for (const [filter] of SCOPES.toReversed()) device.pushErrorScope(filter);
  try {
    const target = device.createBuffer({ size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
    const encoder = device.createCommandEncoder();
    encode(encoder, target);
    device.queue.submit([encoder.finish()]);
    return judged(device, target, target.mapAsync(USAGE.MAP_READ), endScopes());
  } catch (error) {
    void endScopes();
    throw error;
  }
}

async function judged(
  device: GPUDevice,
  buffer: GPUBuffer,
  mapped: Promise<void>,
  scopes: readonly Promise<GPUError | null>[],
): Promise<GPUBuffer> {
  let code: ErrorCode = "ENODEV";
  // What was lost is said by the device; only what is said already is waited for.
  let cause: { readonly message: string } | undefined = await mapped.then(
    () => undefined,
    (error: Error) => Promise.race([device.lost, Promise.resolve(error)]),
  );
  // Also what is known to be wrong may still run.
  (await Promise.all(scopes)).forEach((error, i) => {
    if (error) [code, cause] = [SCOPES[i]![1], error];
  });
  if (!cause) return buffer;
  buffer.destroy();
  throw new DmaBufError(code, `Cannot run the work of the GPU: ${cause.message}`, { cause });
}
