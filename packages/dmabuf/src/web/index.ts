/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/web`: frames in the streams of the web, for pages and every runtime that has them: `fetch`, `Response`,
 * `CompressionStream`.
 *
 * @module
 */
export { pipeFrames, type PipeFramesOptions } from "./pipe-frames.js";
export { readableStreamFrom } from "./readable-stream-from.js";
export { writableStreamFrom, type WritableStreamOptions } from "./writable-stream-from.js";
export type { FrameSource } from "../stream/frame-source.js";
