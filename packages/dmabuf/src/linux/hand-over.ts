import { awaitedHold } from "../buffer/awaited-hold.js";
import { check } from "../arguments.js";
import { DMA_BUF, holderOf, type DmaBuf } from "../buffer/buffer.js";
import { waitsFor } from "../domain/agent-slot.js";
import { checkWait, limitsOf, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import { unwrap } from "../fence/unwrap.js";
import { waitAll } from "../fence/wait-many.js";
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
  check("handOver()", "buffer", buffer, DMA_BUF);
  checkAccessMode("handOver()", access, "access");
  check("handOver()", "descriptor", descriptor, DMA_BUF_DESCRIPTOR);
  checkWait("handOver()", options);
  const { reservation } = buffer;
  const user = userOf(reservation);
  const { agent, holds } = holderOf(buffer).record;
  const limits = limitsOf(agent.host, options, holderOf(buffer).ending);
  const hold = awaitedHold(holds, access);
  let isFree = false;
  try {
    isFree = await agent.wait(hold, limits());
  } finally {
    if (isFree) holds.release(access);
    else hold.giveUp();
  }
  if (!isFree) throw timedOut(options.timeout, waitsFor(agent, hold.inTheWay()));
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
  if ((await waitAll(ours, limits())) === "timed-out") {
    throw timedOut(options.timeout, user.waitsFor(usageFor(access)));
  }
  const overdue = user.overdueWork(usageFor(access));
  if (overdue !== undefined && !(await agent.wait(overdue, limits()))) {
    throw timedOut(options.timeout, overdue.describe() ?? "work on it was overdue");
  }
  return { imported, waited: ours.length };
}

function timedOut(timeout: number | undefined, why: string): DmaBufError {
  return new DmaBufError("ETIMEDOUT", `Cannot hand the buffer over in ${timeout} ms: ${why}`);
}
