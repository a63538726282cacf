import { check, checkOptions, FUNCTION, OBJECT, required, type Kinds } from "../arguments.js";
import { codeOf, DmaBufError } from "../errors.js";
import { endOf, type FrameStream } from "../stream/frame-stream.js";
import type { Picture } from "../stream/picture.js";
import { formatOf } from "./format-of.js";
import { having } from "./method-kind.js";
import { hasFormat, publishVideoFrame, VIDEO_STREAM, type VideoStreamOptions } from "./publish-video-frame.js";
import { STREAM_MAKER, type StreamMaker } from "./stream-maker.js";

/**
 * A decoder that fills streams.
 *
 * decode-to.1. Each video frame of the decoder is closed once: as soon as it is copied, or when the sink fails or is closed.
 * decode-to.2. Chunks are decoded, and frames published, in the order of the calls, also where no call is awaited.
 * decode-to.3. A call waits while too much is on its way: so chunks are taken as fast as loans become free, and none is lost.
 * decode-to.4. What fails, fails the stream, and all calls from then on, with one error.
 * decode-to.5. A loan is given back when the browser writes no more to it, also where the sink was closed before.
 * decode-to.6. Consumers of this thread take what was published before the end: the stream's memory goes when they have left.
 */

/** Options of {@link decodeTo}. */
export interface DecodeOptions extends VideoStreamOptions {
  /**
   * Gets each stream before its first frame is published; what it returns is awaited, so that it may wait for consumers. There is one
   * stream for each size and pixel format: when the video's changes, the stream ends and the next one begins.
   */
  readonly onStream: (stream: FrameStream) => unknown;
}

const OPTIONS: Kinds<DecodeOptions> = { ...VIDEO_STREAM, onStream: required(FUNCTION) };
const CHUNK = /* @__PURE__ */ having("copyTo", "an EncodedVideoChunk");

/** Chunks and frames that are on their way before a call waits. */
const ON_THE_WAY = 4;

/** What {@link decodeTo} gives: takes the chunks of a video. */
export interface VideoSink extends Disposable {
  /**
   * Decodes one chunk. The promise is fulfilled when the decoder has taken it, which is later when the consumers are slow.
   *
   * @throws {DmaBufError} What the sink has failed with: `EIO` if the decoder cannot decode, `EINVAL` for a chunk that cannot be the next, `EPIPE` if the program has ended the stream,
   *   `EOPNOTSUPP` for a pixel format that frames do not have; `EBADF` if it was closed. Of an
   *   error that has no errno, as one of `onStream`, it is `EIO`, with that as its `cause`.
   */
  decode(chunk: EncodedVideoChunk): Promise<void>;
  /** Waits until all chunks before are decoded and published. The next chunk must be a key frame. @throws As {@link decode}. */
  flush(): Promise<void>;
  /** Ends: what is not published is dropped, and the stream ends; it closes itself when its consumers have left. Twice does nothing. */
  close(): void;
}

/**
 * A video decoder that fills streams: each frame is copied once, into a loan in place, and counted; the decoder's own is closed at once.
 *
 * @param domain The domain whose streams they are.
 * @param config As for `VideoDecoder.configure()`. Its rotation and flip are in the frames' `picture`.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EOPNOTSUPP` if this browser cannot decode that: nothing is made then.
 *
 * @example
 * ```ts page
 * import { Domain } from "dmabuf";
 * import { decodeTo } from "dmabuf/web";
 *
 * const domain = Domain.create();
 * const sink = await decodeTo(domain, { codec: "vp8" }, {
 *   onStream: async (stream) => {
 *     postMessage(stream.handle());
 *     await stream.waitForConsumers(1);
 *   },
 * });
 * async function play(chunks: Iterable<EncodedVideoChunk>): Promise<void> {
 *   for (const chunk of chunks) await sink.decode(chunk);
 *   await sink.flush();
 *   sink.close();
 * }
 * await play([]);
 * ```
 */
export async function decodeTo(
  domain: StreamMaker,
  config: VideoDecoderConfig,
  options: DecodeOptions,
): Promise<VideoSink> {
  const call = "decodeTo()";
  check(call, "domain", domain, STREAM_MAKER);
  check(call, "config", config, OBJECT);
  checkOptions(call, options, OPTIONS);
  const { VideoDecoder } = globalThis as Partial<typeof globalThis>;
  const { supported } = (await VideoDecoder?.isConfigSupported(config)) ?? {};
  if (supported) return decoding(domain, config, options);
  throw new DmaBufError("EOPNOTSUPP", `Cannot decode ${config.codec} in this browser`);
}

function decoding(domain: StreamMaker, config: VideoDecoderConfig, options: DecodeOptions): VideoSink {
  const decoded: VideoFrame[] = [];
  let error: DmaBufError | undefined;
  let isClosed = false;
  let isPublishing = false;
  let lastCall = Promise.resolve();
  let stream: FrameStream | undefined;
  let wake = (): void => {};

  /** decode-to.6. */
  const leave = (): void => {
    if (stream?.isClosed !== false) return;
    stream.end();
    endOf(stream).closeWhenLeft();
  };
  /** decode-to.4. */
  const fail = (cause: unknown): void => {
    if (error) return;
    error =
      cause instanceof DmaBufError
        ? cause
        : new DmaBufError(codeOf(cause), `Cannot decode: ${String(cause)}`, { cause });
    if (stream?.isClosed === false) stream.fail(error.code);
    // It may have closed itself.
    if (decoder.state !== "closed") decoder.close();
    for (const videoFrame of decoded.splice(0)) videoFrame.close();
    wake();
  };
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!error && !isSo()) await new Promise<void>((resolve) => (wake = resolve));
  };
  /** decode-to.2. */
  const inTurn = (run: () => Promise<void>): Promise<void> => {
    const call = lastCall.then(async () => {
      if (!error) await run().catch(fail);
      if (error) throw error;
    });
    lastCall = call.catch(() => {});
    return call;
  };
  const publish = async (videoFrame: VideoFrame): Promise<void> => {
    const format = formatOf(videoFrame, options);
    if (!stream || !hasFormat(stream, format)) {
      leave();
      stream = domain.createStream({ ...options, format });
      await options.onStream(stream);
    }
    await publishVideoFrame(stream, videoFrame, config as Picture);
  };
  const publishAll = async (): Promise<void> => {
    isPublishing = true;
    for (let videoFrame; (videoFrame = decoded.shift());) {
      await publish(videoFrame).catch(fail);
      videoFrame.close();
      wake();
    }
    isPublishing = false;
    if (isClosed) leave();
    wake();
  };
  const decoder = new VideoDecoder({
    output(videoFrame) {
      if (error) return videoFrame.close();
      decoded.push(videoFrame);
      if (!isPublishing) void publishAll();
    },
    error: fail,
  });
  decoder.ondequeue = () => wake();
  decoder.configure(config);
  const close = (): void => {
    isClosed = true;
    if (stream?.isClosed === false) stream.end();
    fail(new DmaBufError("EBADF", "Cannot decode: the sink was closed"));
    if (!isPublishing) leave();
  };

  return {
    async decode(chunk) {
      check("VideoSink.decode()", "chunk", chunk, CHUNK);
      return inTurn(async () => {
        await until(() => decoder.decodeQueueSize + decoded.length < ON_THE_WAY);
        decoder.decode(chunk);
      });
    },
    flush: () =>
      inTurn(async () => {
        await decoder.flush();
        await until(() => !isPublishing);
      }),
    close,
    [Symbol.dispose]: close,
  };
}
