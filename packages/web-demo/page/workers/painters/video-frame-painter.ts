import type { Frame, FrameFormat } from "dmabuf";
import { toVideoFrame } from "dmabuf/web";
import type { PostedFrame } from "../../shared/messages.js";
import { videoFrameOf } from "../pixels.js";
import type { Painter } from "./painter.js";

/** By a VideoFrame, into which the browser copies the picture. */
export class VideoFramePainter implements Painter {
  readonly how = "VideoFrame and drawImage(): the browser copies each picture once";
  readonly howPosted = "VideoFrame and drawImage(), from a copy that was posted";
  readonly missing = "WebGL2 is missing in workers here: with it nothing would be copied.";
  readonly #context: OffscreenCanvasRenderingContext2D;
  #format!: FrameFormat;

  constructor(context: OffscreenCanvasRenderingContext2D) {
    this.#context = context;
  }

  begin(format: FrameFormat): void {
    this.#format = format;
  }

  shared(frame: Frame): void {
    this.#draw(toVideoFrame(frame));
  }

  posted(frame: PostedFrame): void {
    this.#draw(videoFrameOf(frame, this.#format));
  }

  #draw(picture: VideoFrame): void {
    const { width = 1, height = 1 } = this.#format;
    this.#context.drawImage(picture, 0, 0, width, height);
    picture.close();
  }
}
