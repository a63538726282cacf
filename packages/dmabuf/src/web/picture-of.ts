import { check } from "../arguments.js";
import type { Picture } from "../stream/picture.js";
import { VIDEO_FRAME, visibleSize } from "./video-frame-parts.js";

/** What lib.dom.d.ts does not know yet. */
type Turned = VideoFrame & Pick<Picture, "rotation" | "flip">;

/**
 * What is to be known of a `VideoFrame` to show it, for `loan.publish({ timestamp: videoFrame.timestamp, picture })`: its
 * duration in microseconds, colour space, rotation and flip, and the size to show it at before it is turned. There is no visible
 * rectangle: frames hold that alone, see {@link formatOf}.
 *
 * @throws {TypeError} If it is none.
 * @throws {DmaBufError} `EBADF` if the video frame was closed.
 *
 * @example
 * ```ts page
 * import { pictureOf } from "dmabuf/web";
 *
 * const videoFrame = new VideoFrame(new OffscreenCanvas(64, 48), { timestamp: 0, duration: 33_333 });
 * console.log(pictureOf(videoFrame).duration); // 33333
 * videoFrame.close();
 * ```
 */
export function pictureOf(videoFrame: VideoFrame): Picture {
  check("pictureOf()", "videoFrame", videoFrame, VIDEO_FRAME);
  visibleSize(videoFrame);
  const { duration, displayWidth, displayHeight, rotation, flip, colorSpace } = videoFrame as Turned;
  // A video frame's own are as it is shown, those of its constructor as before it is turned.
  const isOnItsSide = rotation! % 180;
  return {
    duration: duration ?? undefined,
    displayWidth: isOnItsSide ? displayHeight : displayWidth,
    displayHeight: isOnItsSide ? displayWidth : displayHeight,
    // Not all browsers know them.
    rotation,
    flip,
    colorSpace: colorSpace.toJSON(),
  } as Picture;
}
