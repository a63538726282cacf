import { Readable } from "node:stream";
import { checkOptions, FLAG, type Kinds } from "../../arguments.js";
import { checkSource, nextWithBytes, type FrameSource } from "../../stream/frame-source.js";
import type { PublishedFrame } from "../../stream/frame.js";
import { InPlacePipe } from "./in-place-pipe.js";
import { isStdio, takesInPlace } from "./takes-in-place.js";

/** Options of {@link readableFrom}. */
export interface ReadableFromOptions {
  /**
   * Whether sinks get copies: `true` for all of them. `false` is for sinks of your own that have taken the bytes when they
   * call back: then `pipe()` and `pipeline()` write in place to any. Default: those of Node.js that do so get no copies.
   */
  readonly copy?: boolean;
}

const OPTIONS: Kinds<ReadableFromOptions> = { copy: FLAG };

/**
 * The bytes of all frames as a `Readable` of Node.js. No byte of it is ever overwritten by a later frame.
 *
 * `pipeline(readableFrom(consumer), sink)` and `pipe(sink)` write each frame **in place** where the sink's callback says
 * that the bytes were taken, and give it back then: files, sockets, pipes of child processes, HTTP requests and responses,
 * compressors, ciphers and hashes of Node.js. Every other use (another Transform or Writable, `for await`, `"data"`) gets
 * counted copies. The consumer leaves at the end, with an error, and when the `Readable` is destroyed.
 *
 * @param source A consumer, a follower or a viewer; it is the `Readable`'s from then on.
 * @throws {TypeError} Naming the argument that is wrong.
 *
 * @example
 * ```ts
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 * import { copiedBytes, Domain, rawFormat } from "dmabuf";
 * import { readableFrom } from "dmabuf/node";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4096) });
 * const written = pipeline(readableFrom(stream.frames()), createWriteStream("/dev/null"));
 * using loan = await stream.loan();
 * loan?.publish();
 * stream.end();
 * await written;
 * console.log(copiedBytes()); // 0
 * ```
 */
export function readableFrom(source: FrameSource, options: ReadableFromOptions = {}): Readable {
  checkSource("readableFrom()", source);
  checkOptions("readableFrom()", options, OPTIONS);
  return new FrameReadable(source, options.copy);
}

type PipeOptions = { readonly end?: boolean | undefined } | undefined;

class FrameReadable extends Readable {
  readonly #source: FrameSource;
  readonly #copy: boolean | undefined;
  /** The only pipe, while its sink is written to in place. */
  #inPlace: { readonly pipe: InPlacePipe; readonly options: PipeOptions } | undefined;
  /** The frame that is awaited, until it is taken. */
  #next: Promise<PublishedFrame | undefined> | undefined;
  /** Resolves when no sink that was written to in place has a frame any more. */
  #left: Promise<unknown> = Promise.resolve();

  constructor(source: FrameSource, copy: boolean | undefined) {
    // No frame is taken before it is asked for.
    super({ highWaterMark: 0 });
    this.#source = source;
    this.#copy = copy;
  }

  override pipe<Sink extends NodeJS.WritableStream>(sink: Sink, options?: PipeOptions): Sink {
    const isUnread = this.readableFlowing === null && this.#inPlace === undefined;
    const mayShare = this.#copy === undefined ? takesInPlace(sink) : !this.#copy;
    if (!isUnread || !mayShare) return super.pipe(sink, options);
    this.#inPlace = { pipe: new InPlacePipe(sink, () => this.unpipe(sink)), options };
    sink.emit("pipe", this);
    void this.#writeAll(this.#inPlace.pipe, options);
    return sink;
  }

  override unpipe(sink?: NodeJS.WritableStream): this {
    const pipe = this.#inPlace?.pipe;
    if (pipe === undefined || (sink !== undefined && sink !== pipe.sink)) return super.unpipe(sink);
    this.#leave();
    pipe.sink.emit("unpipe", this, { hasUnpiped: false });
    return this;
  }

  #leave(): void {
    if (this.#inPlace !== undefined) this.#left = Promise.all([this.#left, this.#inPlace.pipe.leave()]);
    this.#inPlace = undefined;
  }

  async #writeAll(pipe: InPlacePipe, options: PipeOptions): Promise<void> {
    const isLeft = (): boolean => this.#inPlace?.pipe !== pipe;
    try {
      for (;;) {
        const frame = await (this.#next ??= nextWithBytes(this.#source));
        // The frame is for what reads next.
        if (isLeft()) return;
        this.#next = undefined;
        if (frame === undefined) break;
        if (!pipe.write(frame)) await pipe.taken();
        if (isLeft()) return;
      }
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.#leave();
    // Read to its end, which there is no other way to say.
    this.push(null);
    this.resume();
    if (options?.end !== false && !isStdio(pipe.sink)) pipe.sink.end();
  }

  /** Called by what reads in any other way than {@link #writeAll}: it gets copies. */
  override _read(): void {
    if (this.#inPlace !== undefined) {
      const { pipe, options } = this.#inPlace;
      this.#leave();
      super.pipe(pipe.sink, options);
    }
    void this.#pushCopy();
  }

  async #pushCopy(): Promise<void> {
    try {
      const frame = await (this.#next ??= nextWithBytes(this.#source));
      this.#next = undefined;
      const copy = frame?.copy() ?? null;
      frame?.close();
      this.push(copy);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#leave();
    // To leave the source gives all frames back, and a sink may still have some.
    void this.#left.then(() => {
      this.#source.close();
      callback(error);
    });
  }
}
