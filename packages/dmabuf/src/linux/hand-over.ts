import { awaitedHold } from "../buffer/awaited-hold.js";
import { check } from "../arguments.js";
import { DMA_BUF, holderOf, type DmaBuf } from "../buffer/buffer.js";
import { waitsFor } from "../domain/agent-slot.js";
import type { HeldUp } from "../domain/long-waits.js";
import { take, takeSync, until, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import { unwrap } from "../fence/unwrap.js";
import { untilAll } from "../fence/wait-many.js";
import { userOf } from "../reservation/reservation.js";
import { checkAccessMode, usageFor, type AccessMode } from "../reservation/usage.js";
import { DMA_BUF_DESCRIPTOR, type DmaBufDescriptor } from "./dma-buf.js";
import { syncFileOfFence } from "./kernel-fence.js";

/** What a hand-over came to. */
export interface HandOver {
  /** How many kernel fences were given to the dma-buf: the device waits for them by itself. */
  readonly imported: number;
  /** How many fences of this library were waited for: the kernel may not depend on user code. */
  readonly waited: number;
}

/**
 * Makes a buffer ready for a device: it may use it when this resolves.
 *
 * What is pending on the buffer decides. A fence that came from the kernel is given back to it, and the device waits. A
 * fence of this library signals when user code says so, perhaps never: the kernel must not wait for such a fence, as it
 * gives back memory only when its fences have signaled. It is therefore waited for here, before the device gets the
 * buffer; and if a time limit has ended it, so is the end of its work. So are the
 * accesses of other agents, which have no fence at all: the caller must have ended its own.
 *
 * @param access What the device will do.
 * @param descriptor The dma-buf that the device gets.
 * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; the signal's reason if it aborts.
 *
 * @example
 * ```ts device
 * import { DmaHeap, handOver, importDescriptor } from "dmabuf/linux";
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using heap = DmaHeap.open("system");
 * using descriptor = heap.allocate(4096);
 * using buffer = importDescriptor(domain, descriptor).buffer;
 * await buffer.access("write", { timeout: 1000 }).then((access) => access.close());
 * console.log(await handOver(buffer, "read", descriptor, { timeout: 1000 })); // now a device may read it
 * ```
 */
export async function handOver(
  buffer: DmaBuf,
  access: AccessMode,
  descriptor: DmaBufDescriptor,
  options: WaitOptions = {},
): Promise<HandOver> {
  checkHandOver("handOver()", buffer, access, descriptor);
  checkWait("handOver()", options);
  const { ending, record } = holderOf(buffer);
  return take(record.agent, handingOver(buffer, access, descriptor, options.timeout), options, ending);
}

/**
 * As {@link handOver}, blocking this thread.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `EDEADLK` if this thread itself uses the buffer, or without
 *   a limit, if only this thread can signal what it waits for; `EOPNOTSUPP` where blocking is forbidden.
 *
 * @example
 * ```ts device
 * import { DmaHeap, handOverSync, importDescriptor } from "dmabuf/linux";
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using heap = DmaHeap.open("system");
 * using descriptor = heap.allocate(4096);
 * using buffer = importDescriptor(domain, descriptor).buffer;
 * console.log(handOverSync(buffer, "read", descriptor, { timeout: 1000 })); // now a device may read it
 * ```
 */
export function handOverSync(
  buffer: DmaBuf,
  access: AccessMode,
  descriptor: DmaBufDescriptor,
  options: { readonly timeout?: number } = {},
): HandOver {
  checkHandOver("handOverSync()", buffer, access, descriptor);
  checkWaitSync("handOverSync()", options);
  const { timeout } = options;
  return takeSync(holderOf(buffer).record.agent, handingOver(buffer, access, descriptor, timeout), timeout);
}

function checkHandOver(call: string, buffer: DmaBuf, access: AccessMode, descriptor: DmaBufDescriptor): void {
  check(call, "buffer", buffer, DMA_BUF);
  checkAccessMode(call, access, "access");
  check(call, "descriptor", descriptor, DMA_BUF_DESCRIPTOR);
}

function* handingOver(
  buffer: DmaBuf,
  access: AccessMode,
  descriptor: DmaBufDescriptor,
  timeout: number | undefined,
): Steps<HandOver> {
  const { reservation } = buffer;
  const user = userOf(reservation);
  const { record } = holderOf(buffer);
  const { agent, holds } = record;
  const hold = awaitedHold(holds, access);
  const heldUpBy =
    (why: () => string): HeldUp =>
    () => [`hand buffer "${record.name}" over`, why()];
  const users = (): string => waitsFor(agent, hold.inTheWay());
  const work = (): string => user.waitsFor(usageFor(access));
  let isFree = false;
  try {
    isFree = hold.ready() || (yield until(agent, hold, heldUpBy(users)));
  } finally {
    if (isFree) holds.drop(access);
    else hold.giveUp();
  }
  if (!isFree) throw timedOut(timeout, users());
  const fence = reservation.getSingleton(usageFor(access));
  const ours: Fence[] = [];
  let imported = 0;
  for (const leaf of fence === undefined ? [] : unwrap(fence)) {
    using file = syncFileOfFence(leaf);
    // To look for its origin may have shown that it has signaled.
    if (leaf.isSignaled()) continue;
    if (file === undefined) {
      ours.push(leaf);
    } else {
      // As the strongest kind, for all kinds: no other access may come before it.
      descriptor.importSyncFile("write", file);
      imported++;
    }
  }
  if (ours.length > 0 && !(yield untilAll(ours))) throw timedOut(timeout, work());
  const overdue = user.overdueWork(usageFor(access));
  if (overdue !== undefined && !(yield until(agent, overdue, heldUpBy(work)))) {
    throw timedOut(timeout, overdue.describe() ?? "work on it was overdue");
  }
  return { imported, waited: ours.length };
}

function timedOut(timeout: number | undefined, why: string): DmaBufError {
  return new DmaBufError("ETIMEDOUT", `Cannot hand the buffer over in ${timeout} ms: ${why}`);
}
