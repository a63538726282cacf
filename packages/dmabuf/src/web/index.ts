/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/web`: frames in the streams of the web, for pages and every runtime that has them: `fetch`, `Response`,
 * `CompressionStream`.
 *
 * @module
 */
export type {} from "./dom.js";
export { capabilities, type WebCapabilities, type WebCapability } from "./capabilities.js";
export { copyVideoFrame } from "./copy-video-frame.js";
export { decodeTo, type DecodeOptions, type VideoSink } from "./decode-to.js";
export { eachAnimationFrame, type AnimationFrameOptions } from "./each-animation-frame.js";
export { connectWorker, type ConnectWorkerOptions, type WorkerLink } from "./connect-worker.js";
export type { Introduced, IntroductionOptions, InvitingDomain, JoinableDomain, ReadyDomain } from "./introduction.js";
export { connectWorklet, type ExpellingDomain, type WorkletLink } from "./connect-worklet.js";
export { joinFromPage } from "./join-from-page.js";
export { exportGPUBuffer, type GPUBufferOptions } from "./export-gpu-buffer.js";
export { gpuFence } from "./gpu-fence.js";
export { formatOf, type FormatOfOptions } from "./format-of.js";
export { pictureOf } from "./picture-of.js";
export { pipeFrames, type PipeFramesOptions } from "./pipe-frames.js";
export { readableStreamFrom } from "./readable-stream-from.js";
export type { StreamMaker } from "./stream-maker.js";
export { streamOfTrack } from "./stream-of-track.js";
export { toVideoFrame } from "./to-video-frame.js";
export { trackOf } from "./track-of.js";
export { uploadPlanes } from "./upload-planes.js";
export type { VideoStreamOptions } from "./publish-video-frame.js";
export { writableStreamFrom, type WritableStreamOptions } from "./writable-stream-from.js";
export { writeFrame } from "./write-frame.js";
export type { FrameSource } from "../stream/frame-source.js";
