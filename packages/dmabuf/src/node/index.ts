/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/node`: domains between processes. Importing it works on every system; `capabilities()` says whether the rest
 * does.
 */
export { capabilities, type Capabilities, type MissingCapability } from "./capabilities.js";
export { ProcessDomain } from "./process-domain.js";
export type { BufferFile, OpenFileOptions } from "./memory/buffer-file.js";
export { pagesFrom } from "./memory/pages-from.js";
export type { ConnectOptions, InheritOptions, ListenOptions } from "./joining/join-options.js";
export type { ExportableMemory } from "./memory/file-carrier.js";
export type { DescriptorDirectory, DescriptorOffer } from "./messages/descriptor-directory.js";
export { StreamViewer, type ViewedFrame, type ConnectViewerOptions } from "./visitors/stream-viewer.js";
export {
  StreamContributor,
  type ConnectContributorOptions,
  type ContributedLoan,
  type ContributionOptions,
  type ContributorWaitOptions,
} from "./visitors/stream-contributor.js";
export type { BytesOfOptions } from "./observing/buffer-bytes.js";
export type { DomainObserver, ObserveOptions } from "./observing/domain-observer.js";
export type { ObservedAgent } from "./observing/observed-agents.js";
export type { DomainSnapshot, SnapshotAgent, SnapshotOptions } from "./observing/domain-snapshot.js";
export type { DomainList, HiddenProcess, ListedDomain } from "./observing/listed-domains.js";
export type { SnapshotBuffer, SnapshotEntry, SnapshotRingPlace } from "../buffer/buffer-snapshot.js";
export type { SnapshotCopy } from "../buffer/copy-snapshot.js";
export type { ActivityName } from "../domain/activity.js";
export type { SnapshotTable } from "../domain/table-snapshot.js";
export type { SegmentSnapshot } from "../explain/segment-snapshot.js";
export type { SnapshotFence, SnapshotFenceUse } from "../explain/fence-snapshot.js";
export type { SnapshotThing, SnapshotWait } from "../explain/wait-snapshot.js";
export type { SnapshotPoint, SnapshotSyncobj } from "../fence/syncobj-snapshot.js";
export type { SnapshotCompletion, SnapshotTimeline } from "../fence/timeline-snapshot.js";
export type { SnapshotUserFence } from "../fence/user-fence-snapshot.js";
export type { SnapshotConsumer, SnapshotGroup, SnapshotPlace, SnapshotStream } from "../stream/stream-snapshot.js";
export type { ObservedThing } from "./observing/named-things.js";
export { readTrace, type TracedAgent, type TraceFile } from "./tracing/read-trace.js";
export type { TraceEvent, TraceMessage, TracePoint } from "../domain/trace-points.js";
export type { Follower, FollowOptions } from "./messages/follower.js";
export type { InviteOptions } from "../invite-options.js";
export type { ProcessInvitation, WorkerInvitation } from "./joining/invitation.js";
export type { ViewerServer, ServeViewersOptions } from "./visitors/viewer-server.js";
export type { ContributorServer, ServeContributorsOptions } from "./visitors/contributor-server.js";
export { readableFrom, type ReadableFromOptions } from "./sinks/readable-from.js";
export { writableFrom, type WritableFromOptions } from "./sinks/writable-from.js";
export type { FrameSource } from "../stream/frame-source.js";
export { WorkerPool, type WorkerPoolOptions } from "./workers/worker-pool.js";
