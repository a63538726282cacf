import { integer, NAME, type Kinds } from "../arguments.js";
import { STREAM_BUFFERS } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import { PIXEL_FORMAT, type FrameFormat, type PixelFormat } from "../stream/format.js";
import type { FrameStream, StreamOptions } from "../stream/frame-stream.js";
import type { Picture } from "../stream/picture.js";
import { copyVideoFrame } from "./copy-video-frame.js";
import { pictureOf } from "./picture-of.js";

/** How the streams of a decoder or a track are made. */
export interface VideoStreamOptions extends Pick<StreamOptions, "name" | "buffers" | "heap"> {
  /** The pixel format of the frames. Default: that of the video, as for {@link formatOf}. */
  readonly pixelFormat?: PixelFormat;
}

export const VIDEO_STREAM: Kinds<VideoStreamOptions> = {
  name: NAME,
  buffers: /* @__PURE__ */ integer(1, STREAM_BUFFERS),
  heap: NAME,
  pixelFormat: PIXEL_FORMAT,
};

/**
 * Copies a video frame into the next loan of a stream, and publishes that.
 *
 * @param turn Where the browser does not say how a frame is turned.
 * @throws {DmaBufError} `EPIPE` if the stream has ended.
 */
export async function publishVideoFrame(
  stream: FrameStream,
  videoFrame: VideoFrame,
  turn: Pick<Picture, "rotation" | "flip"> = {},
): Promise<void> {
  const loan = await stream.loan();
  if (!loan) throw new DmaBufError("EPIPE", "Cannot go on: the stream has ended");
  try {
    await copyVideoFrame(videoFrame, loan);
    const { rotation = turn.rotation, flip = turn.flip, ...picture } = pictureOf(videoFrame);
    loan.publish({ timestamp: videoFrame.timestamp, picture: { ...picture, rotation, flip } as Picture });
  } finally {
    loan.close();
  }
}

/** Whether a stream's images have that size and pixel format. */
export function hasFormat({ format }: FrameStream, wanted: FrameFormat): boolean {
  return keyOf(format) === keyOf(wanted);
}

function keyOf({ pixelFormat, width, height }: FrameFormat): string {
  return [pixelFormat, width, height].join();
}
