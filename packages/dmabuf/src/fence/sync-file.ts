import { CUT_NAME, check, handleTo, instance, orElse } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { cutName } from "../domain/text.js";
import { DmaBufError } from "../errors.js";
import { checkDomain } from "../domain/handle.js";
import { fenceAgent, FENCE, type Fence } from "./fence.js";
import type { WaitResult } from "./read-fence.js";
import type { FenceHandle } from "./fence-handle.js";
import { importFence } from "./import-fence.js";
import { mergeFences, unwrap } from "./unwrap.js";
import { noUserFence } from "./user-fence.js";

/** A sync file as plain data to send to another agent, which opens it with {@link Domain.import}. */
export interface SyncFileHandle {
  /** What the handle opens. */
  readonly kind: "sync-file";
  /** The id of the domain that the sync file is of. */
  readonly domain: string;
  /** The sync file's name. */
  readonly name: string;
  /** A handle to the fence in it. */
  readonly fence: FenceHandle;
}

const HANDLE = handleTo(
  "a sync file",
  "its handle()",
  (value) => (value as Partial<SyncFileHandle> | null | undefined)?.kind === "sync-file",
);

/** What a sync file says of one fence in it. */
export interface SyncFileFence {
  /** As {@link Fence.timelineName}. */
  readonly timelineName: string;
  /** As {@link Fence.driverName}. */
  readonly driverName: string;
  /** 0 pending, 1 signaled, a negative errno if the work failed. */
  readonly status: number;
  /** When it signaled, in monotonic nanoseconds; `undefined` while it is pending. */
  readonly timestamp: number | undefined;
}

/** What {@link SyncFile.info} tells. */
export interface SyncFileInfo {
  /** The sync file's name, at most 31 bytes of UTF-8. */
  readonly name: string;
  /** 1 if all fences signaled without an error; otherwise the status of the first of which that is not so. */
  readonly status: number;
  /** The plain fences, as {@link unwrap} gives them. */
  readonly fences: readonly SyncFileFence[];
}

/** @param name Cut to 31 bytes of UTF-8. Default, and if it is empty: made from the fence. */
export let makeSyncFile: (fence: Fence, name?: string) => SyncFile;

/**
 * One fence of any kind, with a name, as programs pass it around for explicit synchronization: "wait for this before you
 * start", and "this tells when I am done". {@link Domain.createSyncFile} makes it.
 *
 * The fence in it never changes. What is made from a sync file (a merge, a handle) does not depend on it.
 *
 * @example
 * ```ts
 * import { Domain, SyncFile } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * using drawn = domain.createSyncFile(timeline.createFence());
 * using copied = domain.createSyncFile(timeline.createFence());
 * using both = SyncFile.merge("frame", drawn, copied);
 * timeline.signal(2);
 * console.log(both.name, await both.wait()); // frame signaled
 * ```
 *
 * @see linux/drivers/dma-buf/sync_file.c
 */
export class SyncFile implements Disposable {
  static {
    makeSyncFile = (fence, name = "") => new SyncFile(fence, name);
  }

  /** Empty for a name made from the fence. */
  readonly #name: string;
  #fence: Fence | undefined;

  private constructor(fence: Fence, name: string) {
    this.#fence = fence;
    this.#name = cutName(name);
  }

  /**
   * All that is in two sync files as one, which stay as they are. What has signaled is left out, and its error with it.
   *
   * @param name Cut to 31 bytes of UTF-8; if it is empty, the name is made from the fence.
   * @throws {DmaBufError} `EBADF` if one of them was closed.
   * @throws {TypeError} If they are of two agents.
   */
  static merge(name: string, a: SyncFile, b: SyncFile): SyncFile {
    check("SyncFile.merge()", "name", name, CUT_NAME);
    check("SyncFile.merge()", "a", a, SYNC_FILE);
    check("SyncFile.merge()", "b", b, SYNC_FILE);
    const fences = [a.fence, b.fence];
    const agent = fenceAgent(a.fence);
    if (fenceAgent(b.fence) !== agent)
      throw new TypeError("Sync files of two agents cannot be merged: import one first");
    return new SyncFile(mergeFences(agent, fences), name);
  }

  /** The fence itself. @throws {DmaBufError} `EBADF` after the close, as all of a sync file's methods. */
  get fence(): Fence {
    if (this.#fence === undefined) throw new DmaBufError("EBADF", "Cannot use the sync file: it is closed");
    return this.#fence;
  }

  /** The name it was merged or sent with, or `driver-timelineCONTEXT-SEQNO` of its fence; at most 31 bytes of UTF-8. */
  get name(): string {
    const { driverName, timelineName, context, seqno } = this.fence;
    return this.#name || cutName(`${driverName}-${timelineName}${context}-${seqno}`);
  }

  /** The status of the fence itself: an array's is that of its first failure, a chain's is never an error. */
  get status(): number {
    return this.fence.status;
  }

  /** Whether {@link close} was called. */
  get isClosed(): boolean {
    return this.#fence === undefined;
  }

  /** Whether the fence has signaled, with an error or without: what the kernel's poll for input tells. */
  isReady(): boolean {
    this.fence.enableSignaling();
    return this.fence.isSignaled();
  }

  /** Waits until {@link isReady}; a close in the meantime does not end the wait. As {@link Fence.wait}. */
  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("SyncFile.wait()", options);
    return this.fence.wait(options);
  }

  /** As {@link Fence.waitSync}. */
  waitSync(options: { readonly timeout?: number } = {}): WaitResult {
    checkWaitSync("SyncFile.waitSync()", options);
    return this.fence.waitSync(options);
  }

  /** What is in it, as of now. */
  info(): SyncFileInfo {
    const fences = Array.from(unwrap(this.fence), describeFence);
    // The first that has not succeeded decides: one that is pending hides a later error.
    const status = fences.find((fence) => fence.status <= 0)?.status ?? 1;
    return { name: this.name, status, fences };
  }

  /** Hints that the fence is needed by then (absolute monotonic nanoseconds). Nothing fails if it is late. */
  setDeadline(deadlineNs: number): void {
    this.fence.setDeadline(deadlineNs);
  }

  /** A handle to send to another agent. @throws {DmaBufError} `ENOSPC` if too many published fences are pending. */
  handle(): SyncFileHandle {
    const fence = this.fence.handle();
    return { kind: "sync-file", domain: fence.domain, name: this.name, fence };
  }

  /** Drops the fence. */
  close(): void {
    this.#fence = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function describeFence(fence: Fence): SyncFileFence {
  const { timelineName, driverName, timestamp } = fence;
  // The time is read first: a fence that signals just now is pending or not, never half of both.
  return { timelineName, driverName, status: timestamp === undefined ? 0 : fence.status, timestamp };
}

/** What an argument `file` must be. */
export const SYNC_FILE = /* @__PURE__ */ noUserFence(instance(SyncFile));

/** A sync file of a fence. */
export function createSyncFile(fence: Fence, name = ""): SyncFile {
  check("Domain.createSyncFile()", "fence", fence, FENCE);
  check("Domain.createSyncFile()", "name", name, CUT_NAME);
  return makeSyncFile(fence, name);
}

/** The sync file that was sent. @throws {DmaBufError} `EINVAL` if it is of another domain, or damaged. */
export function importSyncFile(agent: Agent, handle: SyncFileHandle): SyncFile {
  check("Domain.import()", "handle", handle, HANDLE);
  check("Domain.import()", "handle.name", handle.name, orElse("EINVAL", CUT_NAME));
  checkDomain(agent, handle.domain, "sync file");
  return makeSyncFile(importFence(agent, handle.fence), handle.name);
}
