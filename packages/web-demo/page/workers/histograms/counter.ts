import type { Frame, FrameFormat } from "dmabuf";
import type { PostedFrame } from "../../shared/messages.js";

/** Counts how bright pixels are. */
export interface Counter {
  /** By what, in words. */
  readonly how: string;
  readonly missing?: string;
  begin(format: FrameFormat): void;
  /** Gives the frame back as soon as it has its bytes. @returns {@link BINS} numbers. */
  shared(frame: Frame): Promise<readonly number[]>;
  posted(frame: PostedFrame): Promise<readonly number[]>;
}

/** From dark to bright. */
export const BINS = 64;
