/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Large buffers that threads share without a copy, and fences that say when each user has finished.
 *
 * Install it by `npm install dmabuf`. Begin with {@link Domain.create}: everything else is made by the domain, sent by its
 * `handle()`, and opened in another thread by `domain.import(handle)`. Processes share a domain by `dmabuf/node`, devices are
 * reached by `dmabuf/linux`, and `dmabuf/streams` is a small entry for streams, and fences to wait for.
 *
 * @module
 */
export { Domain } from "./threads.js";
export type { InviteOptions } from "./invite-options.js";
export type { DomainOptions, Invitation, ThreadDomain } from "./thread-domain.js";
export type { DomainBase } from "./domain-base.js";
export type { MemberOptions } from "./domain-base.js";
export type { JoinOptions } from "./join-options.js";
export type { AllMembers, AnyHandle, Imported, JoinedDomain } from "./features.js";
export type { FenceMembers } from "./fence/feature.js";
export type { SyncobjMembers } from "./fence/syncobj-feature.js";
export type { UserFenceMembers } from "./fence/user-fence-feature.js";
export type { BufferMembers } from "./buffer/feature.js";
export type { StreamMembers } from "./stream/feature.js";
export type { QueueMembers } from "./queue/feature.js";
export type { WindowMembers } from "./window/feature.js";
export type { ValidatorMembers } from "./validator/feature.js";
export type { SignallingCookie } from "./validator/signalling.js";
export { DmaBufError, ERRNO, type ErrorCode, type PlainError } from "./errors.js";
export { ValidationReport, type PlainReport, type ReportCode, type ReportPlace } from "./validation-report.js";
export type { SilencedReport, ValidateOptions } from "./domain/validation.js";
export type {
  ExplainedAgent,
  ExplainedParty,
  ExplainedThing,
  ExplainedWait,
  Explanation,
  ExplanationData,
} from "./explanation.js";
export type { ExplainMembers } from "./explain/feature.js";
export type { Explainable } from "./explain/things-of.js";
export type { Sizes } from "./domain/layout.js";
export type { WaitOptions } from "./domain/wait.js";

export { Fence, isSameFence, laterFence, type FenceCallback, type FenceOps } from "./fence/fence.js";
export type { ReadFence, WaitResult } from "./fence/read-fence.js";
export type { PromiseFenceOptions } from "./fence/promise-fence.js";
export { FenceArray, type FenceArrayOptions } from "./fence/fence-array.js";
export { FenceChain, findSeqno } from "./fence/fence-chain.js";
export type {
  FenceArrayHandle,
  FenceChainHandle,
  FenceChainLink,
  FenceHandle,
  PlainFenceHandle,
  SignaledFenceHandle,
} from "./fence/fence-handle.js";
export {
  SoftwareTimeline,
  type SoftwareTimelineHandle,
  type SoftwareTimelineOptions,
} from "./fence/software-timeline.js";
export { SyncFile, type SyncFileFence, type SyncFileHandle, type SyncFileInfo } from "./fence/sync-file.js";
export { Syncobj, type SyncobjOptions, type SyncobjPoint } from "./fence/syncobj.js";
export type { SyncobjHandleData, SyncobjHandle } from "./fence/syncobj-handle.js";
export type { Inflight } from "./domain/referenced-table.js";
export type { SyncobjWaitOptions, SyncobjWaitSyncOptions } from "./fence/syncobj-wait.js";
export { newestOfEachContext, unwrap } from "./fence/unwrap.js";
export { Timeline, type TimelineOptions } from "./fence/timeline.js";
export { UserFence, type UserFenceOptions } from "./fence/user-fence.js";
export type { PlainUserFenceHandle, UserFenceHandle, UserFenceHandleData } from "./fence/user-fence-handle.js";
export { waitAll, waitAllSync, waitAny, waitAnySync, type WaitAnyResult } from "./fence/wait-many.js";

export type { AcquireContext } from "./reservation/acquire-context.js";
export type { ReservationFence } from "./reservation/fence-queries.js";
export { WouldDeadlockError, type Reservation } from "./reservation/reservation.js";
export type { ReservationLock } from "./reservation/reservation-lock.js";
export { usageFor, type AccessMode, type Usage } from "./reservation/usage.js";

export type { Attachment, DmaBuf, Importer } from "./buffer/buffer.js";
export type { ExportOptions } from "./buffer/buffer-table.js";
export type { AccessOptions } from "./buffer/access-attempt.js";
export type { CpuAccess } from "./buffer/cpu-access.js";
export type { Answer, Done } from "./buffer/call.js";
export type { ExporterAttachment, ExporterOps } from "./buffer/exporter.js";
export type { BufferHandle, HandleMode, BufferHandleData } from "./buffer/handle.js";
export type { AllocateOptions, Heap, HeapOps, HeapStorage } from "./buffer/heap.js";
export type { Heaps } from "./buffer/heaps.js";
export type { Mapping } from "./buffer/mapping.js";
export { MemoryFence, type MemoryFenceOptions } from "./buffer/memory-fence.js";
export type { MemoryMap, PageRange } from "./buffer/memory-map.js";
export type { NewStorage, Relocate } from "./buffer/move.js";
export { PagedBuffer, type PagedBufferOptions } from "./buffer/paged-buffer.js";
export type { BufferStatistics } from "./buffer/statistics.js";
export { PAGE_SIZE, type StorageSegment } from "./buffer/storage.js";
export type { UdmabufOptions } from "./buffer/udmabuf.js";

export { audioFormat, type AudioFormatOptions, type Samples, type SampleType } from "./stream/audio-format.js";
export {
  imageFormat,
  rawFormat,
  tensorFormat,
  type AudioLayout,
  type ElementType,
  type FrameFormat,
  type PixelFormat,
  type PlaneFormat,
  type Tensor,
} from "./stream/format.js";
export type { Consumer, ConsumerOptions } from "./stream/consumer.js";
export type { Loan, Frame, FrameBytes, Plane, PublishedFrame, PublishOptions } from "./stream/frame.js";
export type { FrameStream, StreamOptions } from "./stream/frame-stream.js";
export type { StreamHandle, StreamHandleData } from "./stream/stream-handle.js";
export type { FrameMetadata, JsonValue } from "./stream/metadata.js";
export type { ColorSpace, Picture, VisibleRect } from "./stream/picture.js";
export type { Policy } from "./stream/stream-slot.js";

export type { Executor, ExecutorOptions, SlotSharing } from "./queue/executor.js";
export type { JobNeeds, JobRequest } from "./queue/submission.js";
export type { Job, JobResult } from "./queue/job.js";
export type { Priority } from "./queue/job-line.js";
export type { LongRunningJob } from "./queue/long-running-job.js";
export type {
  LongRunningNeeds,
  LongRunningQueue,
  LongRunningQueueOptions,
  LongRunningRequest,
} from "./queue/long-running-queue.js";
export type { LongRunningScheduler, LongRunningSchedulerOptions } from "./queue/long-running-scheduler.js";
export type { Queue, QueueOptions } from "./queue/queue.js";
export type { Scheduler, SchedulerOptions, Verdict } from "./queue/scheduler.js";
export type { ModuleWindow, ModuleWindowOptions } from "./window/module-window.js";
export type { ModuleMemory, WasmMemory } from "./substrate/wasm-memory.js";
export type { AbortSignalLike } from "./host/abort.js";
export type { MessagePortLike } from "./host/lifeline.js";

export { copiedBytes } from "./buffer/copies.js";
export type { CopyMembers } from "./buffer/copies-feature.js";
export type { CopyRecord } from "./buffer/copy-ledger.js";
export type { CopyReason } from "./domain/copying.js";
