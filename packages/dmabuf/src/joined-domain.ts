import { allOrNothing } from "./all-or-nothing.js";
import { check, checkList, instance, integer, milliseconds, type Kinds } from "./arguments.js";
import { DMA_BUF, type DmaBuf } from "./buffer/buffer.js";
import { bufferInfo } from "./buffer/buffer-info.js";
import { BufferTable, type ExportOptions } from "./buffer/buffer-table.js";
import type { BufferHandleData } from "./buffer/handle.js";
import type { AllocateOptions } from "./buffer/heap.js";
import { Heaps } from "./buffer/heaps.js";
import { BUFFER_STEPS } from "./buffer/recovery-steps.js";
import { bufferStatistics, type BufferStatistics } from "./buffer/statistics.js";
import type { StorageSegment } from "./buffer/storage.js";
import type { StorageCarrier } from "./buffer/storage-carrier.js";
import { createUdmabuf, type UdmabufOptions } from "./buffer/udmabuf.js";
import type { Agent } from "./domain/agent.js";
import { agentNames, type Identity } from "./domain/agent-slot.js";
import { checkWait, type WaitOptions } from "./domain/wait.js";
import { abandonRequests } from "./domain/request-slot.js";
import { SYNCOBJ_RECOVERY } from "./domain/syncobj-slot.js";
import { FENCE_RECOVERY } from "./domain/fence-slot.js";
import { leave, recover, type RecoveryStep } from "./domain/recovery.js";
import { DmaBufError } from "./errors.js";
import { Fence, type FenceOps } from "./fence/fence.js";
import { promiseFence, type PromiseFenceOptions } from "./fence/promise-fence.js";
import { fenceHandle, importFence, type FenceHandle } from "./fence/fence-handle.js";
import { checkDomain } from "./fence/shared-fence.js";
import { SoftwareTimeline } from "./fence/software-timeline.js";
import type { SoftwareTimelineHandle, SoftwareTimelineOptions } from "./fence/software-timeline.js";
import { SyncFile, type SyncFileHandle } from "./fence/sync-file.js";
import { Syncobj, type SyncobjOptions } from "./fence/syncobj.js";
import type { SyncobjHandleData } from "./fence/syncobj-handle.js";
import { SyncobjTable } from "./fence/syncobj-table.js";
import { allocateContexts, Timeline, type TimelineOptions } from "./fence/timeline.js";
import type { Queue } from "./queue/queue.js";
import { Scheduler, type SchedulerOptions } from "./queue/scheduler.js";
import type { AcquireContext } from "./reservation/acquire-context.js";
import { lockAll } from "./reservation/lock-all.js";
import {
  checkStreamOptions,
  DEFAULT_BUFFERS,
  DEFAULT_DATA_BYTES,
  FrameStream,
  type StreamOptions,
} from "./stream/frame-stream.js";
import { checkFrameBuffer, checkStreamHandle, frameBufferSize, type StreamHandle } from "./stream/stream-handle.js";
import type { StreamParts } from "./stream/stream-parts.js";
import { claimStream, STREAM_RECOVERY } from "./stream/stream-slot.js";

export interface JoinOptions {
  /** Milliseconds for which a handle that nobody imports holds its buffer or syncobj. Default 10,000. */
  readonly handleLimit?: number;
  /**
   * Milliseconds for which a blocking wait of this thread looks again and again before it sleeps; 0 sleeps at once.
   * Default 0.05, and 0 on one processor.
   */
  readonly spin?: number;
}

export const JOIN: Kinds<JoinOptions> = {
  handleLimit: milliseconds(0, Infinity),
  spin: milliseconds(0, 0x7fff_ffff),
};

const CONTEXTS = integer(1, 0x7fff_ffff);

/** @internal What is given back after a death, in this order: fences first, which most agents wait for. */
export const RECOVERY: readonly RecoveryStep[] = [
  ...FENCE_RECOVERY,
  SYNCOBJ_RECOVERY,
  ...BUFFER_STEPS,
  STREAM_RECOVERY,
];

/**
 * One thread's way into a domain: the agents that share buffers, fences and streams. Each makes, sends and imports what
 * it needs through its own. How a domain is made and joined depends on what its agents are: threads, or processes too.
 */
export abstract class JoinedDomain implements Disposable {
  /** This thread as the layers below know it. */
  readonly agent: Agent;
  /** Allocators of buffers, by name. */
  readonly heaps: Heaps;
  readonly #buffers: BufferTable;
  readonly #syncobjs: SyncobjTable;
  readonly #streams = new Set<FrameStream>();

  /** @param carrier How buffers' memory reaches the other agents. */
  protected constructor(agent: Agent, carrier: StorageCarrier, options: JoinOptions) {
    this.agent = agent;
    this.#buffers = new BufferTable(agent, carrier, options);
    this.heaps = new Heaps(this.#buffers);
    this.#syncobjs = new SyncobjTable(agent, options);
  }

  /** A number that names the domain, the same in all of its threads. */
  get id(): string {
    return this.agent.domain;
  }

  get isClosed(): boolean {
    return this.agent.closed;
  }

  /** A zeroed buffer from the system heap; its size is rounded up to whole pages of 4,096 bytes. */
  allocate(size: number, options: AllocateOptions = {}): DmaBuf {
    return this.heaps.get("system").allocate(size, options);
  }

  /** A buffer made of whole pages of shared memory that the program has already, in the order of the list. */
  createUdmabuf(ranges: readonly StorageSegment[], options: UdmabufOptions = {}): DmaBuf {
    return createUdmabuf(this.#buffers, ranges, options);
  }

  /**
   * Exports storage of the caller's as a buffer.
   *
   * @throws {DmaBufError} `EINVAL` if the storage or the exporter is not complete; `ENOSPC` if the domain is full.
   */
  export(segments: readonly StorageSegment[], options: ExportOptions = {}): DmaBuf {
    return this.#buffers.export(segments, options);
  }

  /**
   * The buffer that a handle names.
   *
   * @throws {DmaBufError} `ESTALE` if the buffer is gone; `EINVAL` if the handle is of another domain.
   */
  import(handle: BufferHandleData): DmaBuf {
    this.checkJoined();
    return this.#buffers.import(handle);
  }

  /** A timeline of this thread's. @throws {DmaBufError} `ENOSPC` if all are in use. */
  createTimeline(options: TimelineOptions = {}): Timeline {
    this.checkJoined();
    return new Timeline(this.agent, options);
  }

  /**
   * A timeline that this thread, and those it is sent to, advance by hand.
   *
   * @throws {DmaBufError} `ENOSPC` if all timelines are in use.
   */
  createSoftwareTimeline(options: SoftwareTimelineOptions = {}): SoftwareTimeline {
    this.checkJoined();
    return SoftwareTimeline.create(this.agent, options);
  }

  /** The software timeline that was sent. @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` for another domain's. */
  openSoftwareTimeline(handle: SoftwareTimelineHandle): SoftwareTimeline {
    this.checkJoined();
    return SoftwareTimeline.open(this.agent, handle);
  }

  /**
   * A fence of this thread alone, until it is sent or added to a reservation.
   *
   * @param context From {@link allocateContexts}. Default: a new one.
   */
  createFence(ops: FenceOps, context = this.allocateContexts(1), seqno = 1): Fence {
    this.checkJoined();
    return new Fence(this.agent, ops, context, seqno);
  }

  /** A fence that signals when a promise settles. All threads can wait for it. */
  fenceFrom(promise: PromiseLike<unknown>, options: PromiseFenceOptions = {}): Fence {
    this.checkJoined();
    return promiseFence(this.agent, promise, options);
  }

  /** The first of `count` consecutive numbers of fence contexts. */
  allocateContexts(count: number): number {
    check("Domain.allocateContexts()", "count", count, CONTEXTS);
    return allocateContexts(this.agent, count);
  }

  /** A fence as a thing to post to another thread. @throws {DmaBufError} `ENOSPC` if too many are pending. */
  exportFence(fence: Fence): FenceHandle {
    return fenceHandle(fence);
  }

  /** The fence that was sent. @throws {DmaBufError} `EINVAL` if it is of another domain. */
  importFence(handle: FenceHandle): Fence {
    this.checkJoined();
    return importFence(this.agent, handle);
  }

  /** A fence with a name, for explicit synchronization. */
  createSyncFile(fence: Fence): SyncFile {
    this.checkJoined();
    return new SyncFile(fence);
  }

  /** The sync file that was sent. @throws {DmaBufError} `EINVAL` if it is of another domain. */
  importSyncFile(handle: SyncFileHandle): SyncFile {
    this.checkJoined();
    return SyncFile.import(this.agent, handle);
  }

  /** A place for a fence that does not exist yet, or for a timeline of them. */
  createSyncobj(options: SyncobjOptions = {}): Syncobj {
    this.checkJoined();
    return new Syncobj(this.#syncobjs, options);
  }

  /** The syncobj that was sent. @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` for another domain's. */
  openSyncobj(handle: SyncobjHandleData): Syncobj {
    this.checkJoined();
    return new Syncobj(this.#syncobjs, {}, this.#syncobjs.open(handle));
  }

  /**
   * Locks the reservations of several buffers together, without a deadlock.
   *
   * @returns What holds them; dispose it to unlock all.
   */
  async lockAll(buffers: Iterable<DmaBuf>, options: WaitOptions = {}): Promise<AcquireContext> {
    const all = checkList("Domain.lockAll()", "buffers", buffers, DMA_BUF);
    checkWait("Domain.lockAll()", options);
    return lockAll(
      this.agent,
      all.map((buffer) => buffer.reservation),
      options,
    );
  }

  /**
   * A frame stream that this thread produces.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if the domain has no room for it; `ENOMEM` if there is not so much memory.
   */
  createStream(options: StreamOptions): FrameStream {
    this.checkJoined();
    checkStreamOptions(options);
    const { format, name = "stream", buffers: count = DEFAULT_BUFFERS, dataBytes = DEFAULT_DATA_BYTES } = options;
    const { sealed = false } = options;
    return allOrNothing((orUndo) => {
      const buffers = Array.from({ length: count }, () => {
        const buffer = this.allocate(frameBufferSize(format, dataBytes), { name, sealed });
        orUndo(() => buffer.close());
        return buffer;
      });
      const key = claimStream(this.agent, name);
      return this.#addStream({ agent: this.agent, key, name, format, dataBytes, buffers }, true);
    });
  }

  /**
   * The stream that a handle names, to consume from it.
   *
   * @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` if the handle is of another domain or damaged.
   */
  openStream(handle: StreamHandle): FrameStream {
    this.checkJoined();
    checkStreamHandle(handle, this.agent.layout.sizes.streams);
    checkDomain(this.agent, handle.domain, "stream");
    const { slot, generation, name, format, dataBytes } = handle;
    return allOrNothing((orUndo) => {
      const buffers = handle.buffers.map((received) => {
        const buffer = this.import(received);
        orUndo(() => buffer.close());
        checkFrameBuffer(buffer, handle);
        return buffer;
      });
      return this.#addStream({ agent: this.agent, key: { slot, generation }, name, format, dataBytes, buffers }, false);
    });
  }

  /** Runs jobs on one executor, from several queues. @throws {RangeError} Naming the option that is out of range. */
  createScheduler<Data = undefined>(options: SchedulerOptions<Data>): Scheduler<Data> {
    this.checkJoined();
    return new Scheduler<Data>(this.agent, options);
  }

  /**
   * A queue of jobs with a scheduler of its own.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if all timelines are in use.
   */
  createQueue<Data = undefined>(options: SchedulerOptions<Data>): Queue<Data> {
    return this.createScheduler<Data>(options).createQueue();
  }

  /** What the domain knows of all live buffers, in all threads. */
  statistics(): BufferStatistics[] {
    return bufferStatistics(this.agent);
  }

  /** All live buffers as text for people, in the columns of the kernel's `bufinfo`. */
  bufferInfo(): string {
    return bufferInfo(this.agent, this.#buffers);
  }

  /** The names of the threads that are joined. */
  get agents(): string[] {
    return agentNames(this.agent);
  }

  /**
   * Leaves the domain: this thread's streams end, its buffers are closed, its pending fences end with `ECANCELED`, and
   * its pending waits reject with `ECANCELED`.
   */
  close(): void {
    if (this.isClosed) return;
    this.agent.endWaits();
    for (const stream of [...this.#streams]) stream.close();
    this.#buffers.close();
    this.#syncobjs.close();
    leave(this.agent, RECOVERY, this.agent.host.nowNs());
    abandonRequests(this.agent, this.agent.identity);
    this.agent.close();
    this.left();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #addStream(parts: StreamParts, isProducer: boolean): FrameStream {
    const stream = new FrameStream(parts, isProducer, (self) => {
      this.#streams.delete(self);
      this.streamClosed(self);
    });
    this.#streams.add(stream);
    return stream;
  }

  /** A stream of this thread's is closed: whatever lists it forgets it. */
  protected streamClosed(_stream: FrameStream): void {}

  /** Lets go of what this thread has joined by; called once, when it has left. */
  protected abstract left(): void;

  /** Gives back what another agent held. Call it only when that agent will not run again. */
  protected recover(dead: Identity): void {
    if (!this.isClosed) recover(this.agent, dead, RECOVERY, this.agent.host.nowNs());
  }

  /** @throws {DmaBufError} `EBADF` if this thread has left the domain. */
  protected checkJoined(): void {
    if (this.isClosed) throw new DmaBufError("EBADF", "Cannot use the domain: this thread has left it");
  }
}

/** What an argument `domain` must be. */
export const JOINED_DOMAIN = instance(JoinedDomain);
