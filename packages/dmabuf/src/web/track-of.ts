import { DmaBufError } from "../errors.js";
import { checkSource, type FrameSource } from "../stream/frame-source.js";
import { toVideoFrame } from "./to-video-frame.js";

/** The standard's has a track, Chromium's is one. */
type Generator = new (init: { readonly kind: "video" }) => MediaStreamTrack & {
  readonly writable: WritableStream<VideoFrame>;
  readonly track?: MediaStreamTrack;
};

interface Globals {
  readonly VideoTrackGenerator: Generator;
  readonly MediaStreamTrackGenerator: Generator;
}

/**
 * A video track that shows the frames of a consumer: for a `<video>`, a peer or a recorder. Each becomes a {@link toVideoFrame}, and is
 * given back at once. The track ends when the stream does, and the consumer leaves when the track is stopped.
 *
 * @param consumer Most often with the policy `"newest"`: a track has no use for old pictures.
 * @throws {TypeError} If it is none.
 * @throws {DmaBufError} `EOPNOTSUPP` if this browser cannot make a track here: Chromium can in pages (`MediaStreamTrackGenerator`), Safari in
 *   workers (`VideoTrackGenerator`), Firefox not.
 *
 * @example
 * ```ts page
 * import type { FrameStream } from "dmabuf";
 * import { trackOf } from "dmabuf/web";
 *
 * function show(video: HTMLVideoElement, stream: FrameStream): void {
 *   video.srcObject = new MediaStream([trackOf(stream.frames({ policy: "newest" }))]);
 * }
 * console.log(show.length);
 * ```
 */
export function trackOf(consumer: FrameSource): MediaStreamTrack {
  checkSource("trackOf()", consumer);
  const { VideoTrackGenerator, MediaStreamTrackGenerator } = globalThis as unknown as Partial<Globals>;
  const Generator = VideoTrackGenerator ?? MediaStreamTrackGenerator;
  if (!Generator)
    throw new DmaBufError("EOPNOTSUPP", "Cannot make a track: this browser has no VideoTrackGenerator here");
  const generator = new Generator({ kind: "video" });
  const videoFrames = new ReadableStream<VideoFrame>(
    {
      async pull(controller) {
        const frame = await consumer.next();
        if (!frame) return controller.close();
        const videoFrame = toVideoFrame(frame);
        frame.close();
        try {
          controller.enqueue(videoFrame);
        } catch {
          // The track was stopped just now.
          videoFrame.close();
        }
      },
    },
    { highWaterMark: 0 },
  );
  videoFrames
    .pipeTo(generator.writable)
    .catch(() => {})
    .finally(() => consumer.close());
  return generator.track ?? generator;
}
