import type { FrameFormat } from "dmabuf";
import type { PostedFrame } from "../shared/messages.js";

/** Pictures that were copied, which the library's adapters know nothing of. */

/** WebCodecs' name of a pixel format. It has the same ones for those that this page meets. */
function videoPixelFormat({ pixelFormat }: FrameFormat): VideoPixelFormat | undefined {
  return VIDEO_FORMATS.find((name) => name === pixelFormat);
}

const VIDEO_FORMATS = ["I420", "I444", "NV12", "RGBA", "RGBX", "BGRA", "BGRX"] as const;

/** Where blue and red are in a pixel of four bytes; `undefined` for planes. */
export function packedOrder({ pixelFormat }: FrameFormat): "RGB" | "BGR" | undefined {
  const [, order] = /^(RGB|BGR)[AX]$/.exec(pixelFormat ?? "") ?? [];
  return order as "RGB" | "BGR" | undefined;
}

/** The bytes of each plane of a posted picture. */
export function planesOf({ bytes }: PostedFrame, { planes }: FrameFormat): Uint8Array<ArrayBuffer>[] {
  return planes.map(({ offset, stride, height }) => bytes.subarray(offset, offset + stride * height));
}

/** A picture of WebCodecs, which is a copy. */
export function videoFrameOf(picture: PostedFrame, format: FrameFormat): VideoFrame {
  const { width = 1, height = 1, planes } = format;
  return new VideoFrame(picture.bytes, {
    format: videoPixelFormat(format) ?? "RGBA",
    codedWidth: width,
    codedHeight: height,
    layout: planes.map(({ offset, stride }) => ({ offset, stride })),
    timestamp: Math.round(picture.timestamp / 1000),
  });
}
