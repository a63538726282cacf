import { DmaBufError } from "../errors.js";
import type { FrameFormat, PixelFormat } from "../stream/format.js";
import { having } from "./method-kind.js";

/** What the adapters for a `VideoFrame` share. */

/** What an argument `videoFrame` must be. */
export const VIDEO_FRAME = /* @__PURE__ */ having("allocationSize", "a VideoFrame");

const FORMATS: readonly unknown[] = ["I420", "NV12", "I444", "RGBA", "RGBX", "BGRA", "BGRX"] satisfies PixelFormat[];

/** Whether a `VideoFrame` and a frame of a stream can both have it. */
export function isVideoFormat(format: unknown): format is VideoPixelFormat {
  return FORMATS.includes(format);
}

/** The part that is seen, which is all that goes into frames. @throws {DmaBufError} `EBADF` if the video frame was closed. */
export function visibleSize({ visibleRect }: VideoFrame): DOMRectReadOnly {
  if (visibleRect !== null) return visibleRect;
  throw new DmaBufError("EBADF", "Cannot read the VideoFrame: it was closed");
}

/** Where the browser finds the planes of a frame, or puts them. */
export function layoutOf({ planes }: FrameFormat): PlaneLayout[] {
  return planes.map(({ offset, stride }) => ({ offset, stride }));
}

/**
 * How `copyTo()` is asked for a format: it converts to RGBA and its like alone, and only in some browsers.
 *
 * @throws {DmaBufError} `EOPNOTSUPP` if the browser cannot.
 */
export function copyOptions(videoFrame: VideoFrame, wanted: unknown): VideoFrameCopyToOptions {
  const { format } = videoFrame;
  if (isVideoFormat(wanted)) {
    // Chromium takes the X for an alpha when it converts.
    const isOwn = opaque(format) === opaque(wanted);
    let isRead = isOwn;
    const asked = {
      // WebKit converts nothing, and says nothing: it does not read the option.
      get format() {
        isRead = true;
        return wanted;
      },
    };
    try {
      videoFrame.allocationSize(isOwn ? {} : asked);
      if (isRead) return isOwn ? {} : { format: wanted };
    } catch {
      // The browser has no such frames, or converts but not to that.
    }
  }
  throw new DmaBufError(
    "EOPNOTSUPP",
    `Cannot get ${String(wanted)} of a VideoFrame of format ${format}: ask for "RGBA"`,
  );
}

function opaque(format: string | null): string | undefined {
  return format?.replace("A", "X");
}
