import type { DmaBuf } from "../buffer/buffer.js";
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
  readonly buffers: readonly DmaBuf[];
}

/** The bytes of a frame, in place. A stream's buffer has one segment. */
export function frameBytes(buffer: DmaBuf, { format }: StreamParts): Uint8Array {
  const { memory, offset } = buffer.storage.segments[0]!;
  return new Uint8Array(memory, offset, format.size);
}

/** Where a frame's metadata stand, behind its bytes. */
export function metadataArea(buffer: DmaBuf, { format, dataBytes }: StreamParts): DataView {
  const { memory, offset } = buffer.storage.segments[0]!;
  return new DataView(memory, offset + metadataOffset(format.size), metadataSize(dataBytes));
}

/** The reason a stream failed with, as an error. */
export function streamError(name: string, errno: number): DmaBufError {
  const code = errorCode(errno);
  const reason = code === "ESRCH" ? "its producer died" : "its producer gave it up";
  return new DmaBufError(code, `Stream "${name}" has failed: ${reason}`);
}
