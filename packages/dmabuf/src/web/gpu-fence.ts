import { check, checkOptions, FUNCTION } from "../arguments.js";
import { isLater, promised } from "../domain/promised.js";
import type { FenceMembers } from "../fence/feature.js";
import type { Fence } from "../fence/fence.js";
import { PROMISE_FENCE, type PromiseFenceOptions } from "../fence/promise-fence.js";
import { DEVICE, submitted } from "./gpu-work.js";
import { having } from "./method-kind.js";

const DOMAIN = /* @__PURE__ */ having("fenceFrom", "a Domain of dmabuf");

/**
 * A fence of work on the GPU: it signals when all of the work has run, and fails if the work was not good. That
 * `queue.onSubmittedWorkDone()` does not say: it fulfils also for a device that was destroyed, and for a submission that was
 * refused.
 *
 * Its error is `EINVAL` if the device finds the work invalid, `ENOMEM` if it is out of memory, `EIO` if it fails inside, and
 * `ENODEV` if the device is lost; the `cause` has the browser's own words. All threads can wait for it.
 *
 * @param domain One that this thread has joined.
 * @param submit Encodes and submits the work, before it returns: errors of what comes later are not the fence's. It may
 *   submit nothing: then the fence is that of all that was submitted before.
 * @param options As those of `domain.fenceFrom()`: a time limit of 10,000 ms, and the name "gpu".
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `ENOSPC` if too many published fences are pending; nothing was submitted.
 * @throws What `submit` throws.
 *
 * @example
 * ```ts page
 * import type { DmaBuf, Domain } from "dmabuf";
 * import { gpuFence } from "dmabuf/web";
 *
 * declare const domain: Domain;
 * declare const device: GPUDevice;
 * declare const commands: GPUCommandBuffer;
 * declare const buffer: DmaBuf;
 * const { reservation } = buffer;
 * const lock = await reservation.lock();
 * reservation.reserveFences(1);
 * const fence = gpuFence(domain, device, () => device.queue.submit([commands]));
 * reservation.addFence(fence, "write");
 * lock[Symbol.dispose]();
 * await fence.result({ timeout: 1000 });
 * ```
 */
export function gpuFence(
  domain: Pick<FenceMembers, "fenceFrom">,
  device: GPUDevice,
  submit: () => void,
  options: PromiseFenceOptions = {},
): Fence {
  const call = "gpuFence()";
  check(call, "domain", domain, DOMAIN);
  check(call, "device", device, DEVICE);
  check(call, "submit", submit, FUNCTION);
  checkOptions(call, options, PROMISE_FENCE);
  // First what can fail: nothing is submitted without a fence.
  let settle!: (work: Promise<unknown>) => void;
  const fence = domain.fenceFrom(new Promise((resolve) => (settle = resolve)), { name: "gpu", ...options });
  try {
    const work = submitted(device, 4, (encoder, sentinel) => {
      if (isLater(promised(submit() as unknown))) throw new TypeError(`${call}: submit must not return a promise`);
      encoder.clearBuffer(sentinel);
    });
    settle(work.then((sentinel) => sentinel.destroy()));
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's code throws may be any value
    settle(Promise.reject(error));
    throw error;
  }
  return fence;
}
