import { check, checkGiven, OBJECT } from "../arguments.js";
import { countCopy, countedCopyTo, type Copier } from "../buffer/copies.js";
import { DmaBufError } from "../errors.js";
import { imageFormat } from "../stream/format.js";
import { bufferUnder, type PublishedFrame } from "../stream/frame.js";
import { FRAME } from "./frame-kind.js";
import { isVideoFormat, layoutOf } from "./video-frame-parts.js";

/**
 * A `VideoFrame` of a frame's bytes, to be drawn, encoded or put into a track; close it yourself. The browser copies the bytes, which is
 * counted: the frame may be given back at once. Where rows have padding they are packed before, by a copy more: two of the three engines
 * cannot be told.
 *
 * It has the frame's timestamp, which is in microseconds there, and its `picture`; of a frame that was published without a timestamp, the
 * time of its publication.
 *
 * @param init What it is to have instead: `timestamp`, `duration`, `visibleRect`, `displayWidth` and the others.
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EOPNOTSUPP` if this browser has no `VideoFrame` of the frame's format: `I420`, `NV12`, `RGBA`, `RGBX`, `BGRA` and
 *   `BGRX` are taken everywhere (I420 and NV12 in Firefox only of even sizes), `I444` in Chromium; `EBADF` if the frame was given back.
 *
 * @example
 * ```ts page
 * import type { Frame } from "dmabuf";
 * import { toVideoFrame } from "dmabuf/web";
 *
 * function draw(context: CanvasRenderingContext2D, frame: Frame): void {
 *   const videoFrame = toVideoFrame(frame);
 *   frame.close();
 *   context.drawImage(videoFrame, 0, 0);
 *   videoFrame.close();
 * }
 * console.log(draw.length);
 * ```
 */
export function toVideoFrame(frame: PublishedFrame, init?: VideoFrameInit): VideoFrame {
  check("toVideoFrame()", "frame", frame, FRAME);
  checkGiven("toVideoFrame()", "init", init, OBJECT);
  const { format, picture, timestamp, publishedAt } = frame;
  const { pixelFormat, width, height } = format;
  let cause: unknown;
  try {
    if (isVideoFormat(pixelFormat)) {
      const agent = bufferUnder(frame)?.holds.agent;
      const bytes = packed(frame, agent);
      const made = new VideoFrame(bytes, {
        format: pixelFormat,
        codedWidth: width!,
        codedHeight: height!,
        timestamp: Math.round(timestamp === publishedAt ? timestamp / 1000 : timestamp),
        ...picture,
        ...init,
      } as VideoFrameBufferInit);
      countCopy(agent, WHY, bytes.length);
      return made;
    }
  } catch (error) {
    // That of what the program says.
    if (init !== undefined && error instanceof TypeError) throw error;
    cause = error;
  }
  throw new DmaBufError("EOPNOTSUPP", `Cannot make a VideoFrame of a frame of format ${pixelFormat ?? format.kind}`, {
    cause,
  });
}

const WHY = "toVideoFrame()";

/** The bytes without padding: Firefox and WebKit ignore the layout that they are told. */
function packed({ bytes, format, planes }: PublishedFrame, agent: Copier | undefined): Uint8Array {
  const tight = imageFormat(format.pixelFormat!, format.width!, format.height!);
  if (JSON.stringify(layoutOf(tight)) === JSON.stringify(layoutOf(format))) return bytes;
  const made = new Uint8Array(tight.size);
  for (const [i, { offset, stride, height }] of tight.planes.entries()) {
    for (let y = 0; y < height; y++) {
      const from = y * planes[i]!.stride;
      countedCopyTo(agent, WHY, planes[i]!.bytes.subarray(from, from + stride), made.subarray(offset + y * stride));
    }
  }
  return made;
}
