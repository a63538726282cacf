import { Readable } from "node:stream";
import { checkOptions, FLAG, type Kinds } from "../../arguments.js";
import { checkSource, type FrameSource } from "../../stream/frame-source.js";
import type { PublishedFrame } from "../../stream/frame.js";
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

/** A sink that is written to in place. */
interface InPlace {
  readonly sink: NodeJS.WritableStream;
  readonly options: PipeOptions;
  readonly stop: () => void;
}

class FrameReadable extends Readable {
  readonly #source: FrameSource;
  readonly #copy: boolean | undefined;
  /** The only sink, while it is written to in place. */
  #inPlace: InPlace | undefined;
  /** The frame that is awaited, until it is taken. */
  #next: Promise<PublishedFrame | undefined> | undefined;
  /** Ends when the sink has taken the frame that it was given in place. */
  #taken: Promise<unknown> = Promise.resolve();

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
    const stop = (): void => void this.unpipe(sink);
    this.#inPlace = { sink, options, stop };
    sink.once("close", stop).once("finish", stop);
    sink.emit("pipe", this);
    void this.#writeAll(this.#inPlace);
    return sink;
  }

  override unpipe(sink?: NodeJS.WritableStream): this {
    const inPlace = this.#inPlace;
    if (inPlace === undefined || (sink !== undefined && sink !== inPlace.sink)) return super.unpipe(sink);
    this.#leaveInPlace(inPlace);
    inPlace.sink.emit("unpipe", this, { hasUnpiped: false });
    return this;
  }

  #leaveInPlace({ sink, stop }: InPlace): void {
    this.#inPlace = undefined;
    sink.removeListener("close", stop).removeListener("finish", stop);
  }

  async #writeAll(inPlace: InPlace): Promise<void> {
    const { sink, options, stop } = inPlace;
    try {
      for (;;) {
        const frame = await (this.#next ??= this.#source.next());
        // The frame is for what reads next.
        if (this.#inPlace !== inPlace) return;
        this.#next = undefined;
        if (frame === undefined) break;
        const taken = write(sink, frame);
        this.#taken = taken;
        if (!(await taken)) stop();
        if (this.#inPlace !== inPlace) return;
      }
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.#leaveInPlace(inPlace);
    // Read to its end, which there is no other way to say.
    this.push(null);
    this.resume();
    if (options?.end !== false && !isStdio(sink)) sink.end();
  }

  /** Called by what reads in any other way than {@link #writeAll}: it gets copies. */
  override _read(): void {
    const inPlace = this.#inPlace;
    if (inPlace !== undefined) {
      this.#leaveInPlace(inPlace);
      super.pipe(inPlace.sink, inPlace.options);
    }
    void this.#pushCopy();
  }

  async #pushCopy(): Promise<void> {
    try {
      for (;;) {
        const frame = await (this.#next ??= this.#source.next());
        this.#next = undefined;
        if (frame === undefined) return void this.push(null);
        const copy = frame.copy();
        frame.close();
        // To push nothing would end the reading.
        if (copy.length > 0) return void this.push(copy);
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#inPlace !== undefined) this.#leaveInPlace(this.#inPlace);
    // To leave gives all frames back, and the sink may still have one.
    void this.#taken.finally(() => {
      this.#source.close();
      callback(error);
    });
  }
}

/**
 * Writes a frame in place, and gives it back when the sink has taken its bytes, or is closed.
 *
 * @returns Whether it has taken them.
 */
async function write(sink: NodeJS.WritableStream, frame: PublishedFrame): Promise<boolean> {
  try {
    return await new Promise((resolve) => {
      const closed = (): void => resolve(false);
      sink.once("close", closed);
      sink.write(frame.bytes, (error) => {
        sink.removeListener("close", closed);
        resolve(error === undefined || error === null);
      });
    });
  } finally {
    frame.close();
  }
}
