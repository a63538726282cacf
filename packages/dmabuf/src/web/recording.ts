/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/web/recording`: streams in files. The browser's own (OPFS) are read and written from the shared memory itself, in workers.
 *
 * @module
 */
export { recordTo, type Recorded, type RecordOptions } from "./record-to.js";
export type { RecordingFile } from "./recording-format.js";
export { replayFrom, type ReplayOptions } from "./replay-from.js";
