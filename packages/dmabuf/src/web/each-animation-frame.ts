import { ABORT_SIGNAL, check, checkOptions, FUNCTION, instance, type Kinds } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { AbortSignalLike } from "../host/abort.js";
import { Consumer } from "../stream/consumer.js";
import type { Frame } from "../stream/frame.js";

/** Options of {@link eachAnimationFrame}. */
export interface AnimationFrameOptions {
  /** Ends the drawing. */
  readonly signal?: AbortSignalLike | undefined;
  /**
   * Called once, when no further frame will be drawn: with what `draw` has thrown or the stream has failed with, else with
   * `undefined`. Default: an error is reported as an uncaught one is.
   */
  readonly onEnd?: (error: unknown) => void;
}

const OPTIONS: Kinds<AnimationFrameOptions> = { signal: ABORT_SIGNAL, onEnd: FUNCTION };
const CONSUMER = /* @__PURE__ */ instance(Consumer);

/**
 * Draws the newest frame of a stream at each animation frame, in a page or a worker. It never waits: where no new frame has
 * come, nothing is drawn. Each frame is given back when `draw` returns; none is held in between.
 *
 * The consumer leaves at the end: of the stream, by the signal, by the function that comes back, and when `draw` throws. A
 * hidden page has no animation frames. So take a consumer of policy `"newest"`: for one of policy `"block"` the producer
 * would wait until the page is shown again.
 *
 * @param consumer Frames older than the newest that it has are given back without being drawn.
 * @param draw Must not keep the frame: what needs it longer takes `frame.copy()`.
 * @returns A function that ends it; called again it does nothing.
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EOPNOTSUPP` where there is no `requestAnimationFrame()`.
 *
 * @example
 * ```ts page
 * import type { FrameStream } from "dmabuf";
 * import { eachAnimationFrame } from "dmabuf/web";
 *
 * declare const stream: FrameStream;
 * const stop = eachAnimationFrame(stream.frames({ policy: "newest" }), (frame) => {
 *   console.log(frame.sequence);
 * });
 * setTimeout(stop, 5000);
 * ```
 */
export function eachAnimationFrame<Data>(
  consumer: Consumer<Data>,
  draw: (frame: Frame<Data>) => void,
  options: AnimationFrameOptions = {},
): () => void {
  const call = "eachAnimationFrame()";
  check(call, "consumer", consumer, CONSUMER);
  check(call, "draw", draw, FUNCTION);
  checkOptions(call, options, OPTIONS);
  const { signal, onEnd } = options;
  if (!("requestAnimationFrame" in globalThis)) {
    throw new DmaBufError("EOPNOTSUPP", "There is no requestAnimationFrame() here");
  }
  let next = 0;
  let ended = false;
  const end = (error?: unknown): void => {
    if (ended) return;
    ended = true;
    cancelAnimationFrame(next);
    signal?.removeEventListener("abort", stop);
    consumer.close();
    if (onEnd) onEnd(error);
    else if (error !== undefined) reportError(error);
  };
  const stop = (): void => end();
  const look = (): void => {
    next = requestAnimationFrame(look);
    const frame = newestOf(consumer);
    try {
      if (frame) draw(frame);
      else if (consumer.hasEnded) end(consumer.error);
    } catch (error) {
      end(error);
    } finally {
      frame?.close();
    }
  };
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  else next = requestAnimationFrame(look);
  return stop;
}

/** The ring has at most 32 frames: a producer that is faster than this does not keep it. */
const MOST = 32;

function newestOf<Data>(consumer: Consumer<Data>): Frame<Data> | undefined {
  let newest: Frame<Data> | undefined;
  for (let n = 0, newer; n < MOST && (newer = consumer.tryNext()); n++) {
    newest?.close();
    newest = newer;
  }
  return newest;
}
