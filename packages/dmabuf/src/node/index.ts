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
export { StreamViewer, type ViewedFrame, type ConnectViewerOptions } from "./viewers/stream-viewer.js";
export type { DomainObserver, ObservedAgent, ObserveOptions } from "./observing/domain-observer.js";
export type { ObservedThing } from "./observing/named-things.js";
export { readTrace, type TracedAgent, type TraceFile } from "./tracing/read-trace.js";
export type { TraceEvent, TracePoint } from "../domain/trace-points.js";
export type { Follower, FollowOptions } from "./messages/follower.js";
export type { ProcessInvitation, WorkerInvitation } from "./joining/invitation.js";
export type { ViewerServer, ServeViewersOptions } from "./viewers/viewer-server.js";
export { readableFrom, type ReadableFromOptions } from "./sinks/readable-from.js";
export { writableFrom, type WritableFromOptions } from "./sinks/writable-from.js";
export type { FrameSource } from "../stream/frame-source.js";
export { WorkerPool, type WorkerPoolOptions } from "./workers/worker-pool.js";
