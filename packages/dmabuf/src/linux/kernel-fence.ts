import { check } from "../arguments.js";
import { allOrNothing } from "../all-or-nothing.js";
import { DmaBufError } from "../errors.js";
import type { WaitCondition } from "../domain/agent.js";
import { fenceAgent, isSameFence, newFence, type Fence, type Outcome } from "../fence/fence.js";
import { LocalBacking } from "../fence/local-fence.js";
import { makeSyncFile, type SyncFile } from "../fence/sync-file.js";
import { agentOf, DOMAIN } from "../domain-base.js";
import type { JoinedDomain } from "../features.js";
import { watchDescriptor } from "../node/waiting/poller.js";
import { POLL } from "../node/system-calls/index.js";
import { SYNC_FILE_DESCRIPTOR, type SyncFileDescriptor } from "./sync-file.js";

/**
 * A kernel sync_file as a fence of the library, and all that is pending on a dma-buf as one.
 *
 * kernel-fence.1. The kernel promises that its fences signal in bounded time, so this one goes wherever a fence goes:
 *      into arrays, chains, reservations and the dependencies of jobs.
 * kernel-fence.2. It holds a descriptor of its own, which is closed when it has been seen signaled, was disposed, or is
 *      forgotten.
 * kernel-fence.3. Other agents see it signal through this one, which must come back to its event loop for that, or wait
 *      for it.
 * kernel-fence.4. The other way does not exist: a fence of this library never enters the kernel. User code decides when
 *      it signals, and the kernel must not depend on that. `handOver` waits instead.
 * kernel-fence.5. After any number of looks at a dma-buf, what is pending there is two fences of one context at
 *      most. The first is a look that has been taken. The second is a look that is taken when the work of the first has
 *      finished, and so it has all that a look can find until then. (The kernel tells of no sync_file which
 *      fences are in it, so that two looks cannot be compared.)
 */

/** How often a blocked thread looks at the descriptor, in milliseconds. */
const LOOK_EVERY = 1;
/** Milliseconds after which a look that the kernel has refused, as without a free descriptor, is tried again. */
const LOOK_AGAIN = 20;

/** Looks at what is pending now; `undefined` if nothing is. */
export type Look = () => SyncFileDescriptor | undefined;

const forgotten = new FinalizationRegistry<KernelBacking>((backing) => backing.forget());

/** This agent's fences of the kernel, as far as they were not seen signaled. */
const pending = new Map<KernelBacking, WeakRef<Fence>>();

/**
 * The fence of a kernel sync_file, which stays the caller's.
 *
 * @returns A fence that signals when the kernel's does, with its status and its time.
 * @throws {DmaBufError} `EBADF` if the file is closed; `EMFILE` without a free descriptor.
 *
 * @example
 * ```ts device
 * import { Domain } from "dmabuf";
 * import { DmaHeap, kernelFence } from "dmabuf/linux";
 *
 * using domain = Domain.create();
 * using heap = DmaHeap.open("system");
 * using descriptor = heap.allocate(4096);
 * using file = descriptor.exportSyncFile("write");
 * const fence = kernelFence(domain, file);
 * console.log(await fence.wait({ timeout: 1000 }));
 * ```
 */
export function kernelFence(domain: JoinedDomain, file: SyncFileDescriptor): Fence {
  check("kernelFence()", "domain", domain, DOMAIN);
  check("kernelFence()", "file", file, SYNC_FILE_DESCRIPTOR);
  return allOrNothing((orUndo) => {
    const own = file.duplicate();
    orUndo(() => own.close());
    return fenceOf(domain, new KernelBacking(own));
  });
}

/**
 * As {@link kernelFence}, as a sync file of the library, with the name of the kernel's.
 *
 * @example
 * ```ts device
 * import { Domain } from "dmabuf";
 * import { kernelSyncFile, SoftwareSyncTimeline } from "dmabuf/linux";
 *
 * using domain = Domain.create();
 * using timeline = SoftwareSyncTimeline.create();
 * using file = timeline.createFence(1);
 * using syncFile = kernelSyncFile(domain, file);
 * timeline.advance(1);
 * console.log(syncFile.name, await syncFile.wait({ timeout: 1000 }));
 * ```
 */
export function kernelSyncFile(domain: JoinedDomain, file: SyncFileDescriptor): SyncFile {
  check("kernelSyncFile()", "domain", domain, DOMAIN);
  check("kernelSyncFile()", "file", file, SYNC_FILE_DESCRIPTOR);
  return makeSyncFile(kernelFence(domain, file), file.name);
}

/**
 * A kernel sync_file for a fence that came from there and is pending. The caller closes it. The fence may have come
 * back from a reservation as another object.
 */
export function syncFileOfFence(fence: Fence): SyncFileDescriptor | undefined {
  for (const [backing, reference] of pending) {
    const original = reference.deref();
    if (original === undefined) pending.delete(backing);
    else if (isSameFence(original, fence)) return original.isSignaled() ? undefined : backing.syncFile();
  }
  return undefined;
}

/** What is pending on a dma-buf, as fences of one context (kernel-fence.5). */
export class KernelWork {
  readonly #domain: JoinedDomain;
  readonly #look: Look;
  readonly #context: number;
  #seqno = 0;
  /** The last that was made. */
  #newest: { readonly backing: KernelBacking; readonly fence: Fence } | undefined;

  /** @param look At any time it finds all that was pending before, as far as it is pending still. */
  constructor(domain: JoinedDomain, look: Look) {
    this.#domain = domain;
    this.#look = look;
    this.#context = domain.allocateContexts(1);
  }

  /** A fence of all that is pending now; `undefined` if nothing is. @throws {DmaBufError} What the look throws. */
  fence(): Fence | undefined {
    if (this.#newest !== undefined) {
      const { backing, fence } = this.#newest;
      const looksNowOrLater = !backing.hasLooked;
      if (!backing.isOver())
        return looksNowOrLater ? fence : this.#add(new KernelBacking({ after: backing, look: this.#look }));
    }
    this.#newest = undefined;
    const file = this.#look();
    if (file === undefined) return undefined;
    return allOrNothing((orUndo) => {
      orUndo(() => file.close());
      return this.#add(new KernelBacking(file));
    });
  }

  /** Signals what has finished, which a thread that blocks does not hear of. */
  settle(): void {
    this.#newest?.backing.isOver();
  }

  #add(backing: KernelBacking): Fence {
    const fence = fenceOf(this.#domain, backing, this.#context, ++this.#seqno);
    this.#newest = { backing, fence };
    return fence;
  }
}

function fenceOf(domain: JoinedDomain, backing: KernelBacking, context = domain.allocateContexts(1), seqno = 1): Fence {
  const fence = newFence(agentOf(domain), backing, context, seqno);
  const reference = new WeakRef(fence);
  backing.fence = reference;
  pending.set(backing, reference);
  forgotten.register(fence, backing, backing);
  return fence;
}

/** Work after that of another fence. */
interface Later {
  readonly after: KernelBacking;
  readonly look: Look;
}

class KernelBacking extends LocalBacking {
  readonly driverName: string;
  readonly timelineName: string;
  /** A pending fence of the kernel can be dropped at any time: the waits here go on. */
  override readonly goesOn = true;
  fence: WeakRef<Fence> | undefined;
  #file: SyncFileDescriptor | undefined;
  /** Until it has looked. */
  #later: Later | undefined;
  #isOver = false;
  #status = 0;
  #completedAt: number | undefined;
  #deadline: bigint | undefined;
  #endWatch: (() => void) | undefined;
  readonly #whenOver = new Set<() => void>();

  /** @param source A descriptor, which is this fence's, or what is to be looked at. */
  constructor(source: SyncFileDescriptor | Later) {
    super();
    if ("after" in source) {
      this.#later = source;
      ({ driverName: this.driverName, timelineName: this.timelineName } = source.after);
      return;
    }
    const { fences } = source.info();
    this.#file = source;
    // Several fences have no name in common.
    const [only] = fences.length === 1 ? fences : [];
    this.driverName = only?.driverName ?? "sync_file";
    this.timelineName = only?.timelineName ?? "merged";
  }

  get hasLooked(): boolean {
    return this.#later === undefined;
  }

  /** Whether the work has finished, looking actively. The fence may have been ended by a time limit before. */
  isOver(): boolean {
    if (!this.#isOver && this.#later?.after.isOver() !== false) this.#takeLook();
    if (this.#isOver || this.#file?.isReady() !== true) return this.#isOver;
    const { status, fences } = this.#file.info();
    this.#status = status;
    this.#completedAt = Math.max(...fences.map(({ timestamp }) => timestamp ?? 0));
    this.#finish();
    return true;
  }

  poll(fence: Fence): Outcome | undefined {
    if (!this.isOver()) return undefined;
    return { error: Math.min(this.#status, 0), timestamp: this.#completedAt ?? fenceAgent(fence).host.nowNs() };
  }

  enableSignaling(fence: Fence): boolean {
    // While it is watched the fence is not forgotten.
    this.#watch(() => this.#check(fence));
    return true;
  }

  override setDeadline(_fence: Fence, deadlineNs: number): void {
    this.#deadline = BigInt(Math.max(0, Math.trunc(deadlineNs)));
    if (this.#file !== undefined) hintDeadline(this.#file, this.#deadline);
    else this.#later?.after.setDeadline(_fence, deadlineNs);
  }

  override awaited(fence: Fence): WaitCondition {
    fence.enableSignaling();
    return { arm: () => {}, ready: () => fence.isSignaled(), recheckAfter: () => LOOK_EVERY };
  }

  isOwn(): boolean {
    return false;
  }

  override release(fence: Fence): void {
    if (!fence.isSignaled() && this.#endWatch === undefined) this.close();
  }

  /** A descriptor of the fence's work, for the caller; `undefined` if nothing of it is pending. */
  syncFile(): SyncFileDescriptor | undefined {
    return this.#later === undefined ? this.#file?.duplicate() : this.#later.look();
  }

  close(): void {
    this.#isOver = true;
    this.#later = undefined;
    this.#endWatch?.();
    this.#endWatch = undefined;
    forgotten.unregister(this);
    pending.delete(this);
    this.#file?.close();
    this.#file = undefined;
  }

  /** The fence is forgotten; another one may still wait for its work. */
  forget(): void {
    if (this.#whenOver.size === 0) this.close();
  }

  /** Looks, if it has not. Nothing happens if the kernel refuses. */
  #takeLook(): void {
    if (this.#later === undefined) return;
    try {
      this.#file = this.#later.look();
    } catch {
      return;
    }
    this.#later = undefined;
    if (this.#file === undefined) this.#finish();
    else if (this.#deadline !== undefined) hintDeadline(this.#file, this.#deadline);
  }

  #finish(): void {
    this.close();
    const listeners = [...this.#whenOver];
    this.#whenOver.clear();
    // Not within this look, which may be another fence's.
    for (const listener of listeners) queueMicrotask(listener);
    const fence = this.fence?.deref();
    // A time limit has ended the fence before: only now the device has finished with the memory.
    if (fence?.isSignaled() === true) fence.signal();
  }

  /** Calls back when there is something to look at. */
  #watch(check: () => void): void {
    this.#endWatch?.();
    if (this.#file !== undefined) {
      // No other object has the descriptor.
      this.#endWatch = watchDescriptor(this.#file.fd, POLL.READABLE, check);
    } else if (this.#later !== undefined) {
      this.#endWatch = this.#later.after.#onOver(check);
    }
  }

  #onOver(listener: () => void): () => void {
    if (this.#isOver) return soon(listener);
    this.#whenOver.add(listener);
    if (this.#endWatch === undefined) this.#watch(() => this.#check(this.fence?.deref()));
    return () => void this.#whenOver.delete(listener);
  }

  #check(fence: Fence | undefined): void {
    this.#endWatch?.();
    this.#endWatch = undefined;
    const again = (): void => this.#check(fence);
    try {
      if (!this.isOver()) this.#watch(again);
    } catch {
      // There may be no descriptor for it just now.
      this.#endWatch = soon(again);
    }
  }
}

function soon(callback: () => void): () => void {
  const timer = setTimeout(callback, LOOK_AGAIN).unref();
  return () => clearTimeout(timer);
}

function hintDeadline(file: SyncFileDescriptor, deadlineNs: bigint): void {
  try {
    file.setDeadline(deadlineNs);
  } catch (error) {
    // A kernel before 6.4 takes no such hints.
    if (!(error instanceof DmaBufError) || error.code !== "ENOTTY") throw error;
  }
}
