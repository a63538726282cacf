/** What the main thread tells the workers of the stress run. */
import type { FenceHandle, BufferHandleData, StreamHandleData } from "../../../src/index.js";

export interface Details {
  readonly party: number;
  readonly seed: number;
  readonly orders: SharedArrayBuffer;
  readonly buffers: readonly BufferHandleData[];
  readonly stream: StreamHandleData;
  /** One word a buffer: who has its reservation locked. */
  readonly owners: SharedArrayBuffer;
  /** Counts what was done: one word each, in the order of DEEDS. */
  readonly deeds: SharedArrayBuffer;
  /** Never signals. */
  readonly never: FenceHandle;
}

export const DEEDS = ["reads", "writes", "torn", "locks", "frames", "imports", "stale", "published"] as const;

/** From the main thread: something from another worker, or the end. */
export type Message =
  { readonly buffer: BufferHandleData; readonly version: number } | { readonly stream: StreamHandleData } | "finish";

export const BUFFER_BYTES = 8192;
export const FRAME_BYTES = 4096;
