import { check, checkOptions, type Kinds } from "../arguments.js";
import { imageFormat, PIXEL_FORMAT, POSITIVE, type FrameFormat, type PixelFormat } from "../stream/format.js";
import { copyOptions, VIDEO_FRAME, visibleSize } from "./video-frame-parts.js";

/** Options of {@link formatOf}. */
export interface FormatOfOptions {
  /**
   * The pixel format of the frames. Default: the video frame's own. Browsers convert to `RGBA`, `BGRA`, `RGBX` and `BGRX`
   * alone, WebKit to none.
   */
  readonly pixelFormat?: PixelFormat;
  /** Bytes of which every stride is a multiple. Default 1. */
  readonly strideAlignment?: number;
}

const OPTIONS: Kinds<FormatOfOptions> = {
  pixelFormat: PIXEL_FORMAT,
  strideAlignment: POSITIVE,
};

/**
 * The format of frames that hold what is seen of a `VideoFrame`: its visible rectangle.
 *
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EOPNOTSUPP` for a format that frames of streams do not have (`I422`, `I420A`, 10 bits, none), or that this
 *   browser does not convert to: ask for `RGBA`; `EBADF` if the video frame was closed.
 *
 * @example
 * ```ts page
 * import { Domain } from "dmabuf";
 * import { copyVideoFrame, formatOf } from "dmabuf/web";
 *
 * const domain = Domain.create();
 * const videoFrame = new VideoFrame(new OffscreenCanvas(64, 48), { timestamp: 0 });
 * const stream = domain.createStream({ format: formatOf(videoFrame) });
 * const loan = await stream.loan();
 * if (loan) {
 *   await copyVideoFrame(videoFrame, loan);
 *   loan.publish({ timestamp: videoFrame.timestamp });
 * }
 * videoFrame.close();
 * ```
 */
export function formatOf(videoFrame: VideoFrame, options: FormatOfOptions = {}): FrameFormat {
  check("formatOf()", "videoFrame", videoFrame, VIDEO_FRAME);
  checkOptions("formatOf()", options, OPTIONS);
  const { width, height } = visibleSize(videoFrame);
  const pixelFormat = options.pixelFormat ?? videoFrame.format;
  copyOptions(videoFrame, pixelFormat);
  return imageFormat(pixelFormat as PixelFormat, width, height, options);
}
