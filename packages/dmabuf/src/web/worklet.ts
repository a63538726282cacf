/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/web/worklet`: streams of audio in an AudioWorklet, 128 samples at a time.
 *
 * @module
 */
export { AudioReader, type AudioSource } from "./audio-reader.js";
export { AudioWriter } from "./audio-writer.js";
export type { Introduced, JoinableDomain, ReadyDomain } from "./introduction.js";
export { joinInWorklet, type WorkletPort } from "./join-in-worklet.js";
