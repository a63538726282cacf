import { check } from "../arguments.js";
import { countCopy } from "../buffer/copies.js";
import { DmaBufError } from "../errors.js";
import { bufferUnder, type Loan } from "../stream/frame.js";
import { FRAME } from "./frame-kind.js";
import { copyOptions, layoutOf, VIDEO_FRAME, visibleSize } from "./video-frame-parts.js";

/**
 * Copies what is seen of a `VideoFrame` into a loan, in place: by the browser, once, and counted. The video frame stays open, and
 * the loan unpublished.
 *
 * A loan of the same pixel format gets the same bytes; one of `RGBA`, `BGRA`, `RGBX` or `BGRX` has them converted, where the browser
 * can. The fourth byte of a pixel that has no alpha, on either side, is made 255, as browsers may draw it as one. (Of I420 and NV12 of odd sizes, Firefox leaves out the last column and row of colours.)
 *
 * @param loan Of a stream whose format is {@link formatOf} the video frame. Do not publish or close it before the promise is settled.
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EINVAL` if the loan is no image of that size; `EOPNOTSUPP` if this browser does not convert to its pixel format, or cannot copy;
 *   `EBADF` if the video frame was closed, or the loan given back.
 *
 * @example
 * ```ts page
 * import { Domain, imageFormat } from "dmabuf";
 * import { copyVideoFrame, pictureOf } from "dmabuf/web";
 *
 * const domain = Domain.create();
 * const stream = domain.createStream({ format: imageFormat("RGBA", 64, 48) });
 * const videoFrame = new VideoFrame(new OffscreenCanvas(64, 48), { timestamp: 0 });
 * const loan = await stream.loan();
 * if (loan) {
 *   await copyVideoFrame(videoFrame, loan);
 *   loan.publish({ timestamp: videoFrame.timestamp, picture: pictureOf(videoFrame) });
 * }
 * videoFrame.close();
 * ```
 */
export async function copyVideoFrame(videoFrame: VideoFrame, loan: Loan): Promise<void> {
  check("copyVideoFrame()", "videoFrame", videoFrame, VIDEO_FRAME);
  check("copyVideoFrame()", "loan", loan, FRAME);
  const { bytes, format } = loan;
  const { width, height } = visibleSize(videoFrame);
  if (format.kind !== "image" || format.width !== width || format.height !== height) {
    const fit = `${format.kind} of ${format.width} × ${format.height}`;
    throw new DmaBufError("EINVAL", `Cannot copy a VideoFrame of ${width} × ${height} into a loan: it is ${fit}`);
  }
  const options = copyOptions(videoFrame, format.pixelFormat);
  const hasAlpha = !/X/.test(`${videoFrame.format}${format.pixelFormat}`);
  try {
    await videoFrame.copyTo(bytes, { ...options, layout: layoutOf(format) });
  } catch (cause) {
    throw new DmaBufError("EOPNOTSUPP", `Cannot copy the VideoFrame: ${String(cause)}`, { cause });
  }
  if (!hasAlpha) fillFourth(loan.planes[0]);
  countCopy(bufferUnder(loan)?.holds.agent, "copyVideoFrame()", format.size);
}

/** Most often there is nothing to be done. */
function fillFourth({ bytes, stride, width, height }: Loan["planes"][0]): void {
  for (let row = 0; row < height * stride; row += stride) {
    for (let at = row + 3; at < row + width * 4; at += 4) if (bytes[at] !== 255) bytes[at] = 255;
  }
}
