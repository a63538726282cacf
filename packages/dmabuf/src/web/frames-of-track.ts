import { DmaBufError } from "../errors.js";

/** The frames of a video track, one after the other; the newest when one is asked for. */
export interface VideoFrames {
  /** The caller closes it. @returns Nothing once the track has ended. */
  next(): Promise<VideoFrame | undefined>;
  close(): void;
}

interface Globals {
  readonly MediaStreamTrackProcessor: new (init: { readonly track: MediaStreamTrack }) => {
    readonly readable: ReadableStream<VideoFrame>;
  };
  readonly document: Document;
}

/** @throws {DmaBufError} `EOPNOTSUPP` if the browser has no way to them. */
export function framesOfTrack(track: MediaStreamTrack): VideoFrames {
  const { MediaStreamTrackProcessor, document } = globalThis as unknown as Partial<Globals>;
  if (MediaStreamTrackProcessor) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    return { next: async () => (await reader.read()).value, close: () => void reader.cancel() };
  }
  // What a page shows of it: for Firefox, and for Safari, whose processor is in workers alone.
  const video = document?.createElement("video");
  if (!video || !("requestVideoFrameCallback" in video))
    throw new DmaBufError("EOPNOTSUPP", "Cannot read the track: this browser has no MediaStreamTrackProcessor here");
  video.muted = true;
  video.srcObject = new MediaStream([track]);
  return {
    next: () =>
      new Promise((resolve, reject) => {
        if (track.readyState === "ended") return resolve(undefined);
        const asked = video.requestVideoFrameCallback((now) =>
          resolve(new VideoFrame(video, { timestamp: Math.round(now * 1000) })),
        );
        video.onended = () => {
          video.cancelVideoFrameCallback(asked);
          resolve(undefined);
        };
        video.play().catch(reject);
      }),
    close: () => (video.srcObject = null),
  };
}
