import { check, checkOptions, isObject, type Kind } from "../arguments.js";
import { codeOf, DmaBufError } from "../errors.js";
import type { FrameStream } from "../stream/frame-stream.js";
import { formatOf } from "./format-of.js";
import { framesOfTrack } from "./frames-of-track.js";
import { hasFormat, publishVideoFrame, VIDEO_STREAM, type VideoStreamOptions } from "./publish-video-frame.js";
import { STREAM_MAKER, type StreamMaker } from "./stream-maker.js";

const TRACK: Kind = {
  wanted: "a video track",
  isKind: (value) => isObject(value) && (value as { kind?: unknown }).kind === "video",
};

/**
 * A stream of what a camera, a canvas, a tab or a peer shows: of a video track. Each frame is copied once, into a loan in place, and
 * counted. The newest frames are taken: while no loan is free, they pass by.
 *
 * The stream ends with the track, and when the picture's size changes: then call it again. When the program has ended the stream, the track
 * is left at its next frame; it is not stopped.
 *
 * @returns Once the first frame is there, which says the format.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EOPNOTSUPP` if this browser has no way to a track's frames here: Chromium's pages and Safari's workers have
 *   `MediaStreamTrackProcessor`, and other pages show the track to themselves, while they are visible; or for a pixel format that frames do not
 *   have. `ENODATA` if the track has ended without a frame.
 *
 * @example
 * ```ts page
 * import { Domain } from "dmabuf";
 * import { streamOfTrack } from "dmabuf/web";
 *
 * const domain = Domain.create();
 * const camera = await navigator.mediaDevices.getUserMedia({ video: true });
 * for (const track of camera.getVideoTracks()) {
 *   const stream = await streamOfTrack(domain, track, { name: "camera" });
 *   console.log(stream.format.width, stream.format.height);
 * }
 * ```
 */
export async function streamOfTrack(
  domain: StreamMaker,
  track: MediaStreamTrack,
  options: VideoStreamOptions = {},
): Promise<FrameStream> {
  const call = "streamOfTrack()";
  check(call, "domain", domain, STREAM_MAKER);
  check(call, "track", track, TRACK);
  checkOptions(call, options, VIDEO_STREAM);
  const frames = track.readyState === "ended" ? undefined : framesOfTrack(track);
  return new Promise((resolve, reject) => {
    /** Until one of them ends. */
    const fill = async (): Promise<void> => {
      let stream: FrameStream | undefined;
      let videoFrame: VideoFrame | undefined;
      try {
        while ((videoFrame = await frames?.next())) {
          const format = formatOf(videoFrame, options);
          if (!stream) resolve((stream = domain.createStream({ ...options, format })));
          if (!hasFormat(stream, format)) break;
          await publishVideoFrame(stream, videoFrame);
          videoFrame.close();
        }
        if (!stream) throw new DmaBufError("ENODATA", "Cannot read the track: it has ended");
        stream.end();
      } catch (error) {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's code throws may be any value
        reject(error);
        if (stream?.isClosed === false) stream.fail(codeOf(error));
      }
      videoFrame?.close();
      frames?.close();
    };
    void fill();
  });
}
