import { check, checkOptions, TIMEOUT, type Kind, type Kinds } from "../arguments.js";
import { frameFiller } from "../stream/frame-filler.js";
import { FRAME_STREAM, type FrameStream } from "../stream/frame-stream.js";

/** Options of {@link writableStreamFrom}. */
export interface WritableStreamOptions {
  /** Milliseconds for which a write waits for a free buffer; then it fails with `ETIMEDOUT`. Default: no limit. */
  readonly timeout?: number;
}

const OPTIONS: Kinds<WritableStreamOptions> = { timeout: TIMEOUT };
const CHUNK: Kind = {
  wanted: "an ArrayBuffer, a SharedArrayBuffer or a view of one",
  isKind: (value) => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer,
};

/**
 * A stream of the web whose chunks fill the frames of `stream`, for `response.body.pipeTo()`. Chunks may have any size; a
 * frame is published when it is full. A write waits while no buffer is free.
 *
 * At its end the stream ends, too. The last frame may be shorter if the format is raw; else the close rejects with `ENODATA`. An abort fails the
 * stream as a fence of the reason fails, see `fenceFrom()`: with its code if that is an errno, `ECANCELED` for an `AbortError`.
 *
 * @param stream One that this thread produces.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 * import { writableStreamFrom } from "dmabuf/web";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * await new Response("8 bytes.").body?.pipeTo(writableStreamFrom(stream));
 * for await (using frame of consumer) console.log(frame.sequence, frame.bytes); // two frames of 4 bytes
 * ```
 */
export function writableStreamFrom(
  stream: FrameStream,
  options: WritableStreamOptions = {},
): WritableStream<ArrayBufferLike | ArrayBufferView> {
  const call = "writableStreamFrom()";
  check(call, "stream", stream, FRAME_STREAM);
  checkOptions(call, options, OPTIONS);
  const filler = frameFiller(stream, call, options);
  return new WritableStream({
    // It is aborted at once, while a write is still under way.
    start: ({ signal }) => signal.addEventListener("abort", () => filler.fail(signal.reason)),
    write: (chunk) => filler.write(bytesOf(chunk)),
    close: () =>
      filler.finish().catch((error: unknown) => {
        filler.fail(error);
        throw error;
      }),
    abort: (reason) => filler.fail(reason),
  });
}

/** @throws {TypeError} For what is no bytes. */
function bytesOf(chunk: ArrayBufferLike | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  check("WritableStream.write()", "chunk", chunk, CHUNK);
  return new Uint8Array(chunk);
}
