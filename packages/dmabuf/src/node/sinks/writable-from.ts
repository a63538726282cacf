import { Writable } from "node:stream";
import { check, checkOptions, TIMEOUT, type Kinds } from "../../arguments.js";
import { frameFiller } from "../../stream/frame-filler.js";
import { FRAME_STREAM, type FrameStream } from "../../stream/frame-stream.js";

/** Options of {@link writableFrom}. */
export interface WritableFromOptions {
  /** Milliseconds for which a write waits for a free buffer; then it fails with `ETIMEDOUT`. Default: no limit. */
  readonly timeout?: number;
}

const OPTIONS: Kinds<WritableFromOptions> = { timeout: TIMEOUT };

/**
 * A `Writable` of Node.js whose chunks fill the frames of `stream`: `pipeline(child.stdout, writableFrom(stream))`. Chunks
 * may have any size; a frame is published when it is full. A write waits while no buffer is free.
 *
 * At its end the stream ends, too. The last frame may be shorter if the format is raw; else it fails with `ENODATA`. If it is destroyed, the
 * stream fails with the error's code if that is an errno, else with `EIO`; with `ECANCELED` without an error or after an
 * abort.
 *
 * @param stream One that this thread produces.
 * @throws {TypeError | DmaBufError} Naming the argument that is wrong; `EINVAL` for a negative timeout.
 *
 * @example
 * ```ts
 * import { Readable } from "node:stream";
 * import { pipeline } from "node:stream/promises";
 * import { Domain, rawFormat } from "dmabuf";
 * import { writableFrom } from "dmabuf/node";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * await pipeline(Readable.from([Buffer.from("one"), Buffer.from("three")]), writableFrom(stream));
 * for await (using frame of consumer) console.log(frame.sequence, frame.bytes); // two frames of 4 bytes
 * ```
 */
export function writableFrom(stream: FrameStream, options: WritableFromOptions = {}): Writable {
  check("writableFrom()", "stream", stream, FRAME_STREAM);
  checkOptions("writableFrom()", options, OPTIONS);
  const filler = frameFiller(stream, "writableFrom()", options);
  const run = (done: Promise<void>, callback: (error?: Error | null) => void): void =>
    void done.then(() => callback(), callback);
  return new Writable({
    write: (chunk: Buffer, _encoding, callback) => run(filler.write(chunk), callback),
    final: (callback) => run(filler.finish(), callback),
    destroy(error, callback) {
      if (!this.writableFinished) filler.fail(error);
      callback(error);
    },
  });
}
