import type { Frame, FrameFormat } from "dmabuf";
import type { PostedFrame } from "../../shared/messages.js";

/** Draws pictures on a canvas, in one of the ways that engines have. */
export interface Painter {
  /** What it does with frames in shared memory, in words. */
  readonly how: string;
  /** What it does with copies. */
  readonly howPosted: string;
  /** What would be better, and is not there. */
  readonly missing?: string;
  /** Pictures of this format follow. */
  begin(format: FrameFormat): void;
  /** When it returns, the frame may be given back. */
  shared(frame: Frame): void;
  posted(frame: PostedFrame): void;
}
