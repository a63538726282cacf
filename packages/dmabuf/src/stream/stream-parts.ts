import type { StreamBuffer } from "../buffer/stream-buffer.js";
import type { Agent } from "../domain/agent.js";
import { DmaBufError, errorCode } from "../errors.js";
import type { FrameFormat } from "./format.js";
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

/** The reason a stream failed with, as an error. */
export function streamError(name: string, errno: number): DmaBufError {
  const code = errorCode(errno);
  const reason = code === "ESRCH" ? "its producer died" : "its producer gave it up";
  return new DmaBufError(code, `Stream "${name}" has failed: ${reason}`);
}
