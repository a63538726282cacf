import { ABORT_SIGNAL, check, checkOptions, type Kinds } from "../arguments.js";
import type { AbortSignalLike } from "../host/abort.js";
import { checkSource, nextWithBytes, type FrameSource } from "../stream/frame-source.js";
import { having } from "./method-kind.js";
import { turns } from "./turns.js";

/** Options of {@link pipeFrames}. */
export interface PipeFramesOptions {
  /** Ends the work: the sink is aborted, the consumer leaves, and the call rejects with the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
}

const OPTIONS: Kinds<PipeFramesOptions> = { signal: ABORT_SIGNAL };
const SINK = /* @__PURE__ */ having("getWriter", "a WritableStream");

/**
 * Writes each frame to a stream of the web **in place**, without a copy: the frame goes back when the write has settled.
 * At the end the sink is closed and the consumer leaves.
 *
 * It is for sinks that have taken the bytes by then: those whose own `write()` promises it. Many have not: a
 * `TransformStream`, a `CompressionStream`, and what `Writable.toWeb()` of Node.js makes settle before. For these use
 * `readableStreamFrom(source).pipeTo(sink)`, which copies. Between threads the bytes are shared memory, which some sinks
 * refuse with a `TypeError`.
 *
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws What the source or the sink failed with: then the other one is told.
 *
 * @example
 * ```ts
 * import { copiedBytes, Domain, rawFormat } from "dmabuf";
 * import { pipeFrames } from "dmabuf/web";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * const sums: number[] = [];
 * const sink = new WritableStream<Uint8Array>({
 *   write: (bytes) => void sums.push(bytes.reduce((sum, byte) => sum + byte)),
 * });
 * const piped = pipeFrames(stream.frames(), sink);
 * using loan = await stream.loan();
 * loan?.bytes.fill(7);
 * loan?.publish();
 * stream.end();
 * await piped;
 * console.log(sums, copiedBytes()); // [28] 0
 * ```
 */
export async function pipeFrames(
  source: FrameSource,
  sink: WritableStream<Uint8Array>,
  options: PipeFramesOptions = {},
): Promise<void> {
  const call = "pipeFrames()";
  checkSource(call, source);
  check(call, "sink", sink, SINK);
  checkOptions(call, options, OPTIONS);
  const { signal } = options;
  const writer = sink.getWriter();
  let failure: { readonly reason: unknown } | undefined;
  let isWriting = false;
  const turn = turns();
  const fail = (reason: unknown): void => {
    failure ??= { reason };
    // To leave gives all frames back, and a write that is under way still has one.
    if (!isWriting) source.close();
    writer.abort(reason).catch(() => {});
  };
  const aborted = (): void => fail(signal?.reason);
  signal?.addEventListener("abort", aborted);
  if (signal?.aborted) aborted();
  writer.closed.catch(fail);
  try {
    while (!failure) {
      await writer.ready;
      const frame = await nextWithBytes(source);
      if (!frame) break;
      isWriting = true;
      try {
        await writer.write(frame.bytes);
      } finally {
        isWriting = false;
        frame.close();
      }
      await turn();
    }
    if (!failure) await writer.close();
  } catch (error) {
    fail(error);
  }
  signal?.removeEventListener("abort", aborted);
  source.close();
  writer.releaseLock();
  if (failure) throw failure.reason;
}
