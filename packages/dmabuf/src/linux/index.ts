/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/linux`: the kernel's own dma-bufs, fences and devices. Importing it works on every system; what a machine
 * lacks throws when it is used.
 */
export { Descriptor, descriptorFrom } from "./descriptor.js";
export { dmaBufFrom, DmaBufDescriptor, type DmaBufStatistics } from "./dma-buf.js";
export { DmaHeap } from "./heap.js";
export { createMemoryView, MemoryView } from "./memory-view.js";
export { SoftwareSyncTimeline } from "./software-sync.js";
export { syncFileFrom, SyncFileDescriptor } from "./sync-file.js";
export { createSealedMemory, UdmabufDevice, type MemoryRange } from "./udmabuf.js";
export { DrmBuffer, DrmDevice, type DrmCapability, type DrmVersion, type DumbBufferLayout } from "./drm/device.js";
export { Display, type DisplayConnector, type DisplayMode, type DisplayOptions } from "./drm/display.js";
export { Framebuffer, type FramebufferLayout } from "./drm/framebuffer.js";
export { present, type Presented, type PresentOptions } from "./drm/present.js";
export { DrmSyncobj, SyncobjEvent, type DrmSyncobjPoint, type DrmSyncobjWaitOptions } from "./drm/syncobj.js";
export { VgemFence } from "./drm/vgem.js";
export { handOver, handOverSync, type HandOver } from "./hand-over.js";
export { importDescriptor, type KernelBuffer, type KernelBufferOptions } from "./kernel-buffer.js";
export { kernelFence, kernelSyncFile } from "./kernel-fence.js";
export { capture, type CapturedFrame, type CaptureOptions } from "./video/capture.js";
export { VideoDevice, type VideoCapabilities } from "./video/device.js";
export type { VideoDirection, VideoFormat, VideoPlaneFormat } from "./video/format.js";
export { VideoQueue, type Dequeued, type Enqueued, type VideoQueueOptions } from "./video/queue.js";
export { record, streamFormat, type RecordedData, type RecordOptions } from "./video/record.js";
export { ExportedBuffer } from "./export-buffer.js";
export type { Finding, FindingState } from "./survey/finding.js";
export { survey, type Survey } from "./survey/survey.js";
