import type { StreamBuffer } from "../buffer/stream-buffer.js";
import type { Agent } from "../domain/agent.js";
import { DmaBufError, errorCode } from "../errors.js";
import type { FrameFormat } from "./format.js";
import { metadataOffset, metadataSize } from "./metadata.js";
import type { StreamKey } from "./stream-slot.js";

/** What all ends of a stream know. */
export interface StreamParts {
  readonly agent: Agent;
  readonly key: StreamKey;
  readonly name: string;
  readonly format: FrameFormat;
  readonly dataBytes: number;
  readonly buffers: readonly StreamBuffer[];
}

/** A frame's memory, in place. */
export interface FrameViews {
  readonly memory: ArrayBufferLike;
  readonly bytes: Uint8Array;
  /** Its metadata, behind its bytes. */
  readonly metadata: DataView;
}

/** Views cost as much as all the words of a hand-off: those of the last frame are used again where nothing has moved. */
const lastViews = new WeakMap<StreamBuffer, FrameViews>();

/** The views of a frame, in place. A stream's buffer has one segment. */
export function frameViews(buffer: StreamBuffer, { format, dataBytes }: StreamParts): FrameViews {
  const { memory, offset } = buffer.storage.segments[0]!;
  const last = lastViews.get(buffer);
  if (last?.memory === memory && last.bytes.byteOffset === offset) return last;
  const views = {
    memory,
    bytes: new Uint8Array(memory, offset, format.size),
    metadata: new DataView(memory, offset + metadataOffset(format.size), metadataSize(dataBytes)),
  };
  lastViews.set(buffer, views);
  return views;
}

/** The views of a frame that is held for long are its own: they then go with it. */
export function forgetViews(buffer: StreamBuffer): void {
  lastViews.delete(buffer);
}

/** The reason a stream failed with, as an error. */
export function streamError(name: string, errno: number): DmaBufError {
  const code = errorCode(errno);
  const reason = code === "ESRCH" ? "its producer died" : "its producer gave it up";
  return new DmaBufError(code, `Stream "${name}" has failed: ${reason}`);
}
