import { DmaBufError } from "../errors.js";
import type { Awaited } from "../domain/agent.js";
import { isSameFence, type Fence, type FenceOps } from "../fence/fence.js";
import { SyncFile } from "../fence/sync-file.js";
import type { JoinedDomain } from "../joined-domain.js";
import type { SyncFileDescriptor } from "./sync-file.js";
import { watchReady } from "./wait.js";

/**
 * A sync_file of the kernel's as a fence of the library's.
 *
 * KF1. The kernel promises that its fences signal in bounded time, so this one goes wherever a fence goes: into arrays,
 *      chains, reservations and the dependencies of jobs.
 * KF2. It holds a descriptor of its own, which is closed when it has been seen signaled, was disposed, or is forgotten.
 * KF3. Other agents see it signal through this one, which must come back to its event loop for that, or wait for it.
 * KF4. The other way does not exist: a fence of this library never enters the kernel. User code decides when it signals,
 *      and the kernel must not depend on that. `handOver` waits instead.
 */

/** How often a blocked thread looks at the descriptor, in milliseconds. */
const LOOK_EVERY = 1;

const forgotten = new FinalizationRegistry<SyncFileDescriptor>((file) => file.close());

/** This agent's fences of the kernel, as far as they were not seen signaled. */
const pending = new Map<KernelFenceOps, WeakRef<Fence>>();

/** The fence of a sync_file, which stays the caller's. @throws {DmaBufError} `EBADF` if it is closed. */
export function kernelFence(domain: JoinedDomain, file: SyncFileDescriptor): Fence {
  const ops = new KernelFenceOps(file.duplicate());
  const fence = domain.fence(ops);
  pending.set(ops, new WeakRef(fence));
  forgotten.register(fence, ops.file, ops);
  return fence;
}

/** As {@link kernelFence}, as a sync file of the library's. */
export function kernelSyncFile(domain: JoinedDomain, file: SyncFileDescriptor): SyncFile {
  return new SyncFile(kernelFence(domain, file), file.name);
}

/**
 * The kernel's sync_file of a fence that came from there and is pending; it stays the fence's. The fence may have come
 * back from a reservation as another object.
 */
export function syncFileOfFence(fence: Fence): SyncFileDescriptor | undefined {
  for (const [ops, reference] of pending) {
    const original = reference.deref();
    if (original === undefined) pending.delete(ops);
    else if (isSameFence(original, fence)) return original.isSignaled() ? undefined : ops.file;
  }
  return undefined;
}

class KernelFenceOps implements FenceOps {
  readonly driverName: string;
  readonly timelineName: string;
  readonly file: SyncFileDescriptor;
  #completedAt: number | undefined;
  #endWatch: (() => void) | undefined;

  constructor(file: SyncFileDescriptor) {
    const { fences } = file.info();
    this.file = file;
    // Several fences have no name in common.
    const [only] = fences.length === 1 ? fences : [];
    this.driverName = only?.driverName ?? "sync_file";
    this.timelineName = only?.timelineName ?? "merged";
  }

  signaled(fence: Fence): boolean {
    if (this.file.isClosed) return true;
    if (!this.file.isReady()) return false;
    const { status, fences } = this.file.info();
    if (status < 0) fence.setError(status);
    this.#completedAt = Math.max(...fences.map(({ timestamp }) => timestamp ?? 0));
    this.#close();
    return true;
  }

  completedAt(): number | undefined {
    return this.#completedAt;
  }

  enableSignaling(fence: Fence): boolean {
    this.#endWatch = watchReady(this.file.fd, "input", () => {
      if (!fence.isSignaled() || this.file.isClosed) return;
      // A time limit has ended the fence before: only now the device has finished with the memory.
      this.#close();
      fence.signal();
    });
    return true;
  }

  setDeadline(_fence: Fence, deadlineNs: number): void {
    try {
      this.file.setDeadline(BigInt(Math.max(0, Math.trunc(deadlineNs))));
    } catch (error) {
      // A kernel before 6.4 takes no such hints.
      if (!(error instanceof DmaBufError) || error.code !== "ENOTTY") throw error;
    }
  }

  awaited(fence: Fence): Awaited {
    fence.enableSignaling();
    return { arm: () => {}, ready: () => fence.isSignaled(), patience: () => LOOK_EVERY };
  }

  isOwn(): boolean {
    return false;
  }

  /** A pending fence of the kernel's can be dropped at any time: who waits here goes on waiting. */
  abandon(): void {}

  release(fence: Fence): void {
    if (!fence.isSignaled() && this.#endWatch === undefined) this.#close();
  }

  #close(): void {
    this.#endWatch?.();
    this.#endWatch = undefined;
    forgotten.unregister(this);
    pending.delete(this);
    this.file.close();
  }
}
