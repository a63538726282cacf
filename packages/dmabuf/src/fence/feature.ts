import { check, integer } from "../arguments.js";
import { checkOwn } from "../domain/agent.js";
import { whileJoined, type Feature } from "../domain/feature.js";
import { FENCE_RECOVERY } from "../domain/fence-slot.js";
import { createFenceArray, type FenceArray, type FenceArrayOptions } from "./fence-array.js";
import { createFenceChain, type FenceChain } from "./fence-chain.js";
import type { FenceHandle } from "./fence-handle.js";
import { FENCE, fenceAgent, type Fence, type FenceOps } from "./fence.js";
import { importFence } from "./import-fence.js";
import { createFence } from "./local-fence.js";
import { promiseFence, type PromiseFenceOptions } from "./promise-fence.js";
import {
  createSoftwareTimeline,
  openSoftwareTimeline,
  type SoftwareTimeline,
  type SoftwareTimelineHandle,
  type SoftwareTimelineOptions,
} from "./software-timeline.js";
import { stubFence } from "./stub.js";
import { createSyncFile, importSyncFile, type SyncFile, type SyncFileHandle } from "./sync-file.js";
import { allocateContexts, createTimeline, type Timeline, type TimelineOptions } from "./timeline.js";
import { mergeFences } from "./unwrap.js";

/**
 * What a domain does with fences.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline({ name: "gpu" });
 * const both = domain.mergeFences([timeline.createFence(), domain.fenceFrom(Promise.resolve())]);
 * timeline.signal(1);
 * console.log(await both.wait({ timeout: 1000 })); // "signaled"
 * ```
 */
export interface FenceMembers {
  /**
   * A timeline of this thread: a fence context whose fences signal in order, for all threads.
   *
   * @throws {DmaBufError} `ENOSPC` if all timelines are in use; `EBADF` if this thread has left the domain.
   */
  createTimeline(options?: TimelineOptions): Timeline;
  /**
   * A timeline that this thread, and those it is sent to, advance by hand.
   *
   * @throws {DmaBufError} `ENOSPC` if all timelines are in use; `EBADF` if this thread has left the domain.
   */
  createSoftwareTimeline(options?: SoftwareTimelineOptions): SoftwareTimeline;
  /**
   * A fence of this thread alone, until it is sent or added to a reservation.
   *
   * @param context From {@link allocateContexts}. Default: a new one.
   * @param seqno Its number in the context. Default 1.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createFence(ops: FenceOps, context?: number, seqno?: number): Fence;
  /**
   * All of some fences, or any of them, as one fence. A member that is a container itself is reported, and so is an
   * array of no fences, which is signaled from the start.
   *
   * @throws {TypeError} If a fence is of another domain.
   */
  createFenceArray(fences: readonly Fence[], options?: FenceArrayOptions): FenceArray;
  /**
   * A link of a chain of fences: it signals when its own fence and all links before it have signaled.
   *
   * @param previous What comes before it: a link, a plain fence, or nothing.
   * @param fence The link's own: a plain fence or an array.
   * @param seqno Its number: a point of the chain's timeline, from 0 to 2^53 - 1.
   * @throws {TypeError} If a fence is of another domain.
   */
  createFenceChain(previous: Fence | undefined, fence: Fence, seqno: number): FenceChain;
  /**
   * One fence for all that is pending in some fences: the newest of each context. What has signaled is left out, and
   * its error with it.
   *
   * @returns The one pending fence itself; an array of several; or a signaled stub with the time of the last one.
   * @throws {TypeError} If a fence is of another domain.
   */
  mergeFences(fences: Iterable<Fence>): Fence;
  /**
   * A fence that is signaled already.
   *
   * @param timestampNs When it is to have signaled, in monotonic nanoseconds; the fence is then a new one. Without it,
   *   all calls give the same fence, which has signaled at the first of them.
   * @throws {RangeError} If that is no time.
   */
  stubFence(timestampNs?: number): Fence;
  /**
   * A fence that signals when a promise settles. All threads can wait for it.
   *
   * If the promise rejects, the fence has an error: with the reason's `code` if that is an errno name; `ECANCELED` for an
   * `AbortError`, `ETIMEDOUT` for a `TimeoutError`, `ENOSPC` for a `QuotaExceededError`, `EOPNOTSUPP` for a `NotSupportedError`,
   * `ENOENT` for a `NotFoundError`, `EACCES` for a `NotAllowedError` or a `SecurityError`, `EINVAL` for a `DataError`, `EBADF` for
   * an `InvalidStateError`; and otherwise with `EIO`. In this thread the reason is the error's `cause`.
   *
   * @throws {TypeError} If there is no promise.
   * @throws {DmaBufError} `ENOSPC` if too many published fences are pending; `EBADF` if this thread has left the
   *   domain.
   */
  fenceFrom(promise: PromiseLike<unknown>, options?: PromiseFenceOptions): Fence;
  /** The first of `count` consecutive numbers of fence contexts. @throws {RangeError} If `count` is below 1. */
  allocateContexts(count: number): number;
  /**
   * A fence with a name, for explicit synchronization.
   *
   * @param name Cut to 31 bytes of UTF-8. Default, and if it is empty: made from the fence.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createSyncFile(fence: Fence, name?: string): SyncFile;
}

const CONTEXTS = integer(1, 0x7fff_ffff);

/** Fences and all that is made of them in one agent: timelines, containers, sync files. */
export const FENCES: Feature<FenceMembers> = {
  name: "fences",
  shares: ["fences"],
  steps: FENCE_RECOVERY,
  install(core) {
    const { agent } = core;
    core.opens("fence", (handle: FenceHandle) => importFence(agent, handle));
    core.opens("sync-file", (handle: SyncFileHandle) => importSyncFile(agent, handle));
    core.opens("software-timeline", (handle: SoftwareTimelineHandle) => openSoftwareTimeline(agent, handle));
    return {
      ...whileJoined<Omit<FenceMembers, "allocateContexts">>(core, {
        createTimeline: (options) => createTimeline(agent, options),
        createSoftwareTimeline: (options) => createSoftwareTimeline(agent, options),
        createFence: (ops, context, seqno) => createFence(agent, ops, context, seqno),
        createFenceArray: (fences, options) => createFenceArray(agent, fences, options),
        createFenceChain(previous, fence, seqno) {
          check("Domain.createFenceChain()", "fence", fence, FENCE);
          checkOwn("Domain.createFenceChain()", "fence", fenceAgent(fence), agent);
          return createFenceChain(previous, fence, seqno);
        },
        mergeFences: (fences) => mergeFences(agent, fences),
        stubFence: (timestampNs) => stubFence(agent, timestampNs),
        fenceFrom: (promise, options) => promiseFence(agent, promise, options),
        createSyncFile,
      }),
      allocateContexts(count) {
        check("Domain.allocateContexts()", "count", count, CONTEXTS);
        return allocateContexts(agent, count);
      },
    };
  },
};
