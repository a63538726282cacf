import { check, checkOptions, NAME, type Kinds } from "../arguments.js";
import type { ExporterOps } from "../buffer/exporter.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { HANDLE_MODE } from "../buffer/handle.js";
import type { StorageSegment } from "../buffer/storage.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import type { Fence } from "../fence/fence.js";
import { DOMAIN } from "../domain-base.js";
import type { JoinedDomain } from "../features.js";
import { makeReservation, userOf, type Reservation } from "../reservation/reservation.js";
import type { AccessMode } from "../reservation/usage.js";
import { DMA_BUF_DESCRIPTOR, type DmaBufDescriptor } from "./dma-buf.js";
import { giveBack } from "./give-back.js";
import { KernelWork } from "./kernel-fence.js";
import type { MemoryView } from "./memory-view.js";
import type { SyncFileDescriptor } from "./sync-file.js";

/**
 * A kernel dma-buf as a buffer of a domain.
 *
 * kernel-buffer.1. The bytes are the device's own, mapped; nothing is copied.
 * kernel-buffer.2. An access begins with the kernel's fences: they are put into the buffer's reservation, so that it
 *      waits for them as for all others, with its timeout and its signal. Then, and at its end, `DMA_BUF_IOCTL_SYNC`
 *      makes caches agree.
 * kernel-buffer.3. What was pending at a look is in the reservation, as one entry for readers and one for
 *      writers after any number of looks; what devices begin later is found by the next access, or by `pullFences`.
 * kernel-buffer.4. The buffer can be used by the agent that imported it. Others import a descriptor of their own: no
 *      message can carry this memory, and a handle to it is refused when it arrives.
 */

/** How {@link importDescriptor} brings a dma-buf into a domain. */
export interface KernelBufferOptions {
  /** For people; at most 31 bytes of UTF-8. Default: the name that the kernel knows. */
  readonly name?: string;
  /** What may be done with it. Default "read-write". */
  readonly mode?: "read" | "read-write";
}

const OPTIONS: Kinds<KernelBufferOptions> = { name: NAME, mode: HANDLE_MODE };

/** A dma-buf in a domain, and its ties to the kernel. */
export interface KernelBuffer {
  /** The buffer, for the agent that imported it. */
  readonly buffer: DmaBuf;
  /**
   * Puts the kernel's pending fences into the buffer's reservation, so that everything that waits for the reservation
   * waits for devices too.
   */
  readonly pullFences: (options?: WaitOptions) => Promise<void>;
  /** As {@link pullFences}, blocking this thread for the reservation's lock. */
  readonly pullFencesSync: (options?: { readonly timeout?: number }) => void;
}

/**
 * Brings a dma-buf into a domain. The descriptor stays the caller's; the buffer has one of its own.
 *
 * @param domain One of threads: between processes only memory files are passed on.
 * @returns The buffer, whose last close gives everything back, and what brings the kernel's fences into it.
 * @throws {DmaBufError} `EACCES` to write through a descriptor to read; `EINVAL` if the exporter cannot be mapped, or
 *   in a domain between processes.
 *
 * @example
 * ```ts device
 * import { Domain } from "dmabuf";
 * import { DmaHeap, importDescriptor } from "dmabuf/linux";
 *
 * using domain = Domain.create();
 * using heap = DmaHeap.open("system");
 * using descriptor = heap.allocate(4096);
 * const { buffer, pullFences } = importDescriptor(domain, descriptor);
 * await pullFences(); // now waits for the buffer's reservation wait for devices too
 * console.log(await buffer.ready("read", { timeout: 1000 }));
 * buffer.close();
 * ```
 */
export function importDescriptor(
  domain: JoinedDomain,
  descriptor: DmaBufDescriptor,
  options: KernelBufferOptions = {},
): KernelBuffer {
  check("importDescriptor()", "domain", domain, DOMAIN);
  check("importDescriptor()", "descriptor", descriptor, DMA_BUF_DESCRIPTOR);
  checkOptions("importDescriptor()", options, OPTIONS);
  const { mode = "read-write" } = options;
  const { name = "", exporterName } = descriptor.statistics();
  const own = descriptor.duplicate();
  let view: MemoryView | undefined;
  let made: DmaBuf | undefined;
  try {
    view = own.map(mode);
    const segments = [new MappedSegment(view)];
    const ops = new KernelExporter(domain, own, view, segments);
    const exported = (made = domain.export(segments, { name: options.name ?? name, exporterName, ops }));
    ops.reservation = makeReservation(userOf(exported.reservation).another());
    const buffer = (made = exported.duplicate(mode));
    exported.close();
    const pullFences = async (wait: WaitOptions = {}): Promise<void> => {
      checkWait("KernelBuffer.pullFences()", wait);
      using _lock = await buffer.reservation.lock(undefined, wait);
      ops.addFences();
    };
    const pullFencesSync = (wait: { readonly timeout?: number } = {}): void => {
      checkWaitSync("KernelBuffer.pullFencesSync()", wait);
      using _lock = buffer.reservation.lockSync(undefined, wait);
      ops.addFences();
    };
    return { buffer, pullFences, pullFencesSync };
  } catch (error) {
    giveBack(
      () => made?.close(),
      () => view?.close(),
      () => own.close(),
    );
    throw error;
  }
}

/** kernel-buffer.4: a copy of this object has no memory, so a message that tried to carry it would arrive without. */
class MappedSegment implements StorageSegment {
  readonly offset = 0;
  readonly length: number;
  readonly #view: MemoryView;

  constructor(view: MemoryView) {
    this.#view = view;
    this.length = view.length;
  }

  get memory(): ArrayBuffer {
    return this.#view.memory;
  }
}

class KernelExporter implements ExporterOps {
  /** The buffer's, with any of its holders open; set as soon as it is exported. */
  reservation!: Reservation;
  readonly #descriptor: DmaBufDescriptor;
  readonly #view: MemoryView;
  readonly #segments: readonly StorageSegment[];
  /** What each kind of access waits for. */
  readonly #work: Readonly<Record<AccessMode, KernelWork>>;
  /** After which fence an access of a kind begins. */
  readonly #beginsAfter: Partial<Record<AccessMode, Fence | undefined>> = {};
  #wasBegun = false;

  constructor(
    domain: JoinedDomain,
    descriptor: DmaBufDescriptor,
    view: MemoryView,
    segments: readonly StorageSegment[],
  ) {
    this.#descriptor = descriptor;
    this.#view = view;
    this.#segments = segments;
    const work = (access: AccessMode): KernelWork => new KernelWork(domain, () => this.#look(access));
    this.#work = { read: work("read"), write: work("write") };
  }

  /**
   * Puts the kernel's fences of now into the reservation, whose lock the caller holds.
   *
   * @returns What readers and what writers wait for, as far as it is pending.
   */
  addFences(): { readonly read?: Fence; readonly write?: Fence } {
    const { reservation } = this;
    const known = new Set([...reservation.lockedFences()].map(({ fence }) => fence.context));
    const fences: { read?: Fence; write?: Fence } = {};
    // What readers wait for are the writers; what writers wait for are all, and the writers among them once more.
    for (const [access, usage] of [
      ["read", "write"],
      ["write", "read"],
    ] as const) {
      const fence = this.#work[access].fence();
      if (fence === undefined) continue;
      // It takes the place of the one before.
      if (!known.has(fence.context)) reservation.reserveFences(1);
      reservation.addFence(fence, usage);
      fences[access] = fence;
    }
    return fences;
  }

  map(): readonly StorageSegment[] {
    return this.#segments;
  }

  unmap(): void {}

  mmap(): void {}

  /** The agent that asks for the access waits for the reservation next, and finds there what is pending. */
  beginCpuAccess(mode: AccessMode): void {
    if (this.#descriptor.isReady(mode)) {
      this.#work.read.settle();
      this.#work.write.settle();
      return this.#begin(mode);
    }
    const { reservation } = this;
    using _lock = reservation.isHeldHere ? undefined : reservation.lockSync();
    const fences = this.addFences();
    const last = fences[mode];
    if (last !== undefined && last === this.#beginsAfter[mode] && !last.isSignaled()) return;
    this.#beginsAfter[mode] = last;
    // Caches agree before any other agent sees the signal.
    if (last?.addCallback(() => this.#begin(mode)).queued !== true) this.#begin(mode);
  }

  /**
   * The kernel pairs no begin with an end, so the end of an access that came to nothing is one too many, and does no
   * harm.
   */
  endCpuAccess(mode: AccessMode): void {
    if (this.#wasBegun) giveBack(() => this.#descriptor.endCpuAccess(mode));
  }

  release(): void {
    giveBack(
      () => this.#view.close(),
      () => this.#descriptor.close(),
    );
  }

  #begin(mode: AccessMode): void {
    if (this.#descriptor.isClosed) return;
    this.#wasBegun = true;
    this.#descriptor.beginCpuAccessSync(mode);
  }

  /** No agent waits any more for a buffer that is closed. */
  #look(access: AccessMode): SyncFileDescriptor | undefined {
    if (this.#descriptor.isClosed || this.#descriptor.isReady(access)) return undefined;
    const file = this.#descriptor.exportSyncFile(access);
    if (!file.isReady()) return file;
    file.close();
    return undefined;
  }
}
