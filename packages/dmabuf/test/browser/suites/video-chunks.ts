import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { imageFormat } from "../../../src/index.js";

/** What the suites of video share: chunks to decode, and a look at what decoders leave behind. */

/** Microseconds for which each frame is shown. */
export const SHOWN = 33_333;

/** Chunks of grey pictures, frame n from `first` on with luma 16 + 4n. */
export async function encoded(
  frames: number,
  { width = 64, height = 48, first = 0 } = {},
): Promise<EncodedVideoChunk[]> {
  const chunks: EncodedVideoChunk[] = [];
  let failure: unknown;
  const encoder = new VideoEncoder({ output: (chunk) => chunks.push(chunk), error: (error) => (failure = error) });
  const config = { codec: "vp8", width, height, bitrate: 1_000_000 };
  // WebKitGTK's page crashes when an encoder comes first.
  await VideoDecoder.isConfigSupported({ codec: "vp8" });
  encoder.configure(config);
  const { size, planes } = imageFormat("I420", width, height);
  for (let n = 0; n < frames; n++) {
    const bytes = new Uint8Array(size).fill(128).fill(16 + 4 * n, 0, planes[1]!.offset);
    const init = { format: "I420", codedWidth: width, codedHeight: height } as const;
    const frame = new VideoFrame(bytes, { ...init, timestamp: (first + n) * SHOWN, duration: SHOWN });
    encoder.encode(frame, { keyFrame: n === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  assert.equal(failure, undefined);
  return chunks;
}

/** Counts the frames that decoders give, and those of them that are not closed. */
export function watched(t: TestContext): { given: number; readonly open: Set<VideoFrame>; readonly twice: number } {
  const { VideoDecoder: Original } = globalThis;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with a video frame
  const { close } = VideoFrame.prototype;
  const counts = { given: 0, open: new Set<VideoFrame>(), twice: 0 };
  const known = new WeakSet<VideoFrame>();
  globalThis.VideoDecoder = class extends Original {
    constructor(init: VideoDecoderInit) {
      super({
        ...init,
        output(frame) {
          counts.given++;
          counts.open.add(frame);
          known.add(frame);
          init.output(frame);
        },
      });
    }
  };
  VideoFrame.prototype.close = function (this: VideoFrame) {
    if (known.has(this) && !counts.open.delete(this)) counts.twice++;
    close.call(this);
  };
  t.after(() => {
    globalThis.VideoDecoder = Original;
    VideoFrame.prototype.close = close;
  });
  return counts;
}
