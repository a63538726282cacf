import { checkList } from "../arguments.js";
import { checkOwn, type Agent } from "../domain/agent.js";
import type { Feature } from "../domain/feature.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { MEMORY_FENCES } from "../fence/user-fence-feature.js";
import { abandonRequests } from "./request-slot.js";
import { makeAcquireContext, type AcquireContext } from "../reservation/acquire-context.js";
import { take, takeSync } from "../domain/steps.js";
import { lockEach } from "../reservation/lock-all.js";
import type { Reservation } from "../reservation/reservation.js";
import { DMA_BUF, holderOf, type DmaBuf } from "./buffer.js";
import { exporterFlags } from "./buffer-slot.js";
import { DmaBufError } from "../errors.js";
import { bufferInfo } from "./buffer-info.js";
import { BufferTable, type ExportOptions } from "./buffer-table.js";
import type { BufferHandleData } from "./handle.js";
import type { AllocateOptions } from "./heap.js";
import { makeHeaps, type Heaps } from "./heaps.js";
import { readMemoryFenceHandle } from "./memory-fence.js";
import type { PagedBuffer, PagedBufferOptions } from "./paged-buffer.js";
import { BUFFER_RECOVERY } from "./recovery-steps.js";
import { bufferStatistics, type BufferStatistics } from "./statistics.js";
import type { StorageSegment } from "./storage.js";
import { CARRIER } from "./storage-carrier.js";
import { STREAM_MEMORY, HeldBuffer } from "./stream-buffer.js";
import { createUdmabuf, type UdmabufOptions } from "./udmabuf.js";

/**
 * What a domain does with buffers.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using source = domain.allocate(4096, { name: "source" });
 * using target = domain.allocate(4096, { name: "target" });
 * using locks = await domain.lockAll([source, target], { timeout: 1000 });
 * console.log(source.reservation.isLocked, domain.statistics().length); // true 2
 * ```
 */
export interface BufferMembers {
  /** Allocators of buffers, by name. */
  readonly heaps: Heaps;
  /**
   * A zeroed buffer from the system heap; its size is rounded up to whole pages of 4,096 bytes, without the option `exact`.
   *
   * @param size Bytes.
   * @throws {DmaBufError} `EINVAL` for a size below 1; `ENOMEM` if there is not so much memory; `ENOSPC` if the domain is
   *   full; `EBADF` if this thread has left it.
   */
  allocate(size: number, options?: AllocateOptions): DmaBuf;
  /**
   * A buffer made of whole pages of shared memory that the program has already, in the order of the list.
   *
   * @param ranges Each of whole pages of 4,096 bytes in a `SharedArrayBuffer`.
   * @throws {DmaBufError} `EINVAL` for no ranges, too many or too large ones, or one that is not whole pages; `EBADFD` for
   *   memory that threads cannot share; `ENOSPC` if the domain is full.
   */
  createUdmabuf(ranges: readonly StorageSegment[], options?: UdmabufOptions): DmaBuf;
  /**
   * Exports storage of the caller's as a buffer.
   *
   * @throws {DmaBufError} `EINVAL` if the storage or the exporter is not complete; `ENOSPC` if the domain is full; `EBADF`
   *   if this thread has left it.
   */
  export(segments: readonly StorageSegment[], options?: ExportOptions): DmaBuf;
  /**
   * A buffer whose pages are filled when a thread touches them for the first time.
   *
   * @throws {DmaBufError} `EINVAL` for a size below 1; `ENOMEM` if there is not so much memory; `ENOSPC` if the domain is
   *   full; `EBADF` if this thread has left it.
   */
  createPagedBuffer(options: PagedBufferOptions): PagedBuffer;
  /**
   * Locks the reservations of several buffers together, in any order, without a deadlock. A buffer that is named twice is
   * locked once.
   *
   * @returns What holds them; dispose it to unlock all.
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `EBADF` if one of the buffers was closed, also while the
   *   call waits. Nothing is locked then.
   */
  lockAll(buffers: Iterable<DmaBuf>, options?: WaitOptions): Promise<AcquireContext>;
  /** As {@link lockAll}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  lockAllSync(buffers: Iterable<DmaBuf>, options?: { readonly timeout?: number }): AcquireContext;
  /**
   * A context under which several reservations are locked one after the other, by a program that decides the order itself:
   * see `Reservation.lock()`. {@link lockAll} does it where nothing else has to be done in between.
   */
  createAcquireContext(): AcquireContext;
  /** What the domain knows of all live buffers, in all threads. */
  statistics(): BufferStatistics[];
  /** All live buffers as text for people, in the columns of the kernel's `bufinfo`. */
  bufferInfo(): string;
}

/** Buffers with all that belongs to them: accesses, reservations, exporters of programs, attachments, moves. */
export const BUFFERS: Feature<BufferMembers> = {
  name: "buffers",
  shares: ["buffers", "exporters"],
  steps: BUFFER_RECOVERY,
  install(core) {
    const { agent } = core;
    const table = new BufferTable(core, core.get(CARRIER));
    const heaps = makeHeaps(table);
    const allocate = (size: number, options: AllocateOptions = {}): DmaBuf =>
      heaps.get("system").allocate(size, options);
    core.onClose(() => table.close());
    core.onLeft(() => abandonRequests(agent, agent.identity));
    core.opens("buffer", (handle: BufferHandleData) => table.import(handle));
    core.provide(MEMORY_FENCES, (handle) => {
      const { buffer, options } = readMemoryFenceHandle(handle);
      using holder = table.import(buffer);
      return holder.memoryFence(options);
    });
    core.provide(STREAM_MEMORY, {
      allocate: (size, { heap = "system", ...options }) =>
        new HeldBuffer(plain(heaps.get(heap).allocate(size, options), heap)),
      import: (handle) => new HeldBuffer(table.import(handle)),
    });
    return {
      heaps,
      allocate,
      createUdmabuf: (ranges, options = {}) => createUdmabuf(table, ranges, options),
      export: (segments, options) => table.export(segments, options),
      createPagedBuffer: (options) => table.createPaged(options),
      async lockAll(buffers, options = {}) {
        const reservations = reservationsOf("Domain.lockAll()", buffers, agent);
        checkWait("Domain.lockAll()", options);
        return makeAcquireContext(agent, await take(agent, lockEach(agent, reservations, options.timeout), options));
      },
      lockAllSync(buffers, options = {}) {
        const reservations = reservationsOf("Domain.lockAllSync()", buffers, agent);
        checkWaitSync("Domain.lockAllSync()", options);
        const { timeout } = options;
        return makeAcquireContext(agent, takeSync(agent, lockEach(agent, reservations, timeout), timeout));
      },
      createAcquireContext: () => makeAcquireContext(agent),
      statistics: () => bufferStatistics(agent),
      bufferInfo: () => bufferInfo(agent, table),
    };
  },
};

/** @throws {DmaBufError} `EOPNOTSUPP` for a buffer that cannot be used without its exporter: streams do not ask it. */
function plain(buffer: DmaBuf, heap: string): DmaBuf {
  const { agent, key } = holderOf(buffer).record;
  if (exporterFlags(agent, key.slot) === 0) return buffer;
  buffer.close();
  throw new DmaBufError(
    "EOPNOTSUPP",
    `Cannot make a stream of heap "${heap}": its buffers have operations of their own`,
  );
}

function reservationsOf(call: string, buffers: Iterable<DmaBuf>, agent: Agent): Reservation[] {
  return checkList(call, "buffers", buffers, DMA_BUF).map((buffer, i) => {
    checkOwn(call, `buffers[${i}]`, holderOf(buffer).record.agent, agent);
    return buffer.reservation;
  });
}
