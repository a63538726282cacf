import { check, checkOptions, isObject, NUMBER, type Kinds } from "../arguments.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { countedCopy } from "../buffer/copies.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import { owned } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import type { FrameBytesHold, FrameHold } from "./frame-hold.js";
import { elementsIn, lengthOf, tensorView, type FrameFormat, type PlaneFormat, type Tensor } from "./format.js";
import {
  dataIn,
  encodeData,
  lengthIn,
  publishedAtIn,
  sequenceIn,
  timestampIn,
  type FrameMetadata,
  type JsonValue,
} from "./metadata.js";

/** One plane of a frame: its arrangement, and its bytes in place. */
export interface Plane extends PlaneFormat {
  /** The plane's bytes, in place until the frame is given back. */
  readonly bytes: Uint8Array;
}

/** Ties a frame that has just been made to what ends it. */
export let giveFrame: <F extends FrameBytes>(frame: F) => F;
/** The buffer that the bytes of a frame are in. */
export let bufferUnder: (frame: FrameBytes) => StreamBuffer | undefined;

type Planes = readonly [Plane, ...Plane[]];

/** A frame's bytes, in place until they are given back. */
export abstract class FrameBytes implements Disposable {
  // No private methods: each frame would be marked for them when it is made, which costs a third of all that is made here.

  /** How the bytes are arranged. */
  readonly format: FrameFormat;
  readonly #whole: Uint8Array;
  readonly #hold: FrameBytesHold;
  /** held.5. */
  readonly #ends: number;
  #planes: Planes | undefined;

  // The library alone makes frames. What they are made of is not in the published types.
  protected constructor(...parts: unknown[]);
  protected constructor(hold: FrameBytesHold, format: FrameFormat, bytes: Uint8Array) {
    this.format = format;
    this.#whole = bytes;
    this.#hold = hold;
    this.#ends = hold.held.ends;
  }

  static {
    giveFrame = (frame) => owned(frame.#hold.held, frame, viewsOf);
    bufferUnder = (frame) => frame.#hold.buffer;
    const viewsOf = (frame: FrameBytes): Uint8Array[] => {
      frame.#hold.forgetViews?.();
      return [frame.#whole, ...(frame.#planes ?? []).map(({ bytes }) => bytes)];
    };
  }

  /**
   * All bytes of the frame, in place.
   *
   * **They are yours until the frame is given back, and no longer:** then the next frame is written there. A sink that works
   * later (a Node.js or web stream, a socket, `ws.send()`) needs the frame until it has called back:
   * `await new Promise((taken) => sink.write(frame.bytes, taken))`, and then the end of the frame. Where no callback says that
   * the bytes were taken, as in a pipeline, give it a copy: `yield frame.copy()`. See `examples/file.ts`.
   *
   * @throws {DmaBufError} `EBADF` if the frame was given back.
   */
  get bytes(): Uint8Array {
    if (this.#hold.held.ends !== this.#ends) throw new DmaBufError("EBADF", "Cannot use the frame: it was given back");
    return this.#whole;
  }

  /** How many bytes that are: the format's size, unless the producer has published less. @throws {DmaBufError} As `bytes`. */
  get length(): number {
    return this.bytes.length;
  }

  /** The planes, in place. @throws {DmaBufError} `EBADF` if the frame was given back. */
  get planes(): readonly [Plane, ...Plane[]] {
    const bytes = this.bytes;
    return (this.#planes ??= planesOf(this.format, bytes, (view) => this.#hold.held.keepWith(view, this)));
  }

  /** A tensor's elements, in place. @throws {TypeError} If the format is no tensor's. */
  get tensor(): Tensor {
    return tensorView(this.format, this.bytes);
  }

  /**
   * The samples of audio, in place: a typed array for each channel, or one of all channels if they are interleaved.
   *
   * @throws {TypeError} If the format is no audio's.
   */
  get samples(): readonly [Tensor, ...Tensor[]] {
    const { format, planes } = this;
    if (format.kind !== "audio") throw new TypeError(`A frame of kind "${format.kind}" is no audio`);
    const [first, ...others] = planes;
    return [elementsIn(format, first.bytes), ...others.map(({ bytes }) => elementsIn(format, bytes))];
  }

  /** Gives the frame back. Twice does nothing. */
  close(): void {
    if (this.#hold.held.ends === this.#ends) this.#hold.held.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A published frame's bytes, and what travels with them. */
export abstract class PublishedFrame extends FrameBytes implements FrameMetadata {
  readonly sequence: number;
  readonly timestamp: number;
  readonly publishedAt: number;
  /** What the producer has sent along; `undefined` if nothing. */
  readonly data: JsonValue | undefined;

  protected constructor(...parts: unknown[]);
  protected constructor(hold: FrameBytesHold, format: FrameFormat, bytes: Uint8Array, area: DataView) {
    const length = lengthIn(area, format);
    super(hold, format, length === format.size ? bytes : bytes.subarray(0, length));
    this.sequence = sequenceIn(area);
    this.timestamp = timestampIn(area);
    this.publishedAt = publishedAtIn(area);
    this.data = dataIn(area);
  }

  /** A copy in memory of its own, for interfaces that refuse shared memory. It is counted. */
  copy(): Uint8Array<ArrayBuffer> {
    return countedCopy(this.bytes);
  }
}

/** @throws {DmaBufError} `EPROTO` if the frame's metadata are damaged. */
export let makeFrame: (hold: FrameHold, format: FrameFormat) => Frame;

/**
 * A published frame, held by a consumer until it is closed.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * using loan = await stream.loan();
 * loan?.bytes.fill(7);
 * loan?.publish();
 * using frame = await consumer.next();
 * console.log(frame?.sequence, frame?.bytes); // 0 Uint8Array [7, 7, 7, 7]
 * ```
 */
export class Frame extends PublishedFrame {
  private constructor(hold: FrameHold, format: FrameFormat, bytes: Uint8Array, area: DataView) {
    super(hold, format, bytes, area);
  }

  static {
    makeFrame = (hold, format) => {
      const bytes = hold.use();
      return giveFrame(new Frame(hold, format, bytes, hold.area));
    };
  }

  /**
   * The buffer that the bytes are in: for fences of work on it, and for handles to it. It is the stream's: do not close it.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` in a domain that has no buffers besides those of streams.
   */
  get buffer(): DmaBuf {
    return holderOf(this);
  }
}

/** What travels with a frame. */
export interface PublishOptions {
  /** The producer's own time of the frame. Default: the time of publication in monotonic nanoseconds. */
  readonly timestamp?: number;
  /** Anything small that JSON can carry, up to the stream's `dataBytes`. */
  readonly data?: JsonValue;
  /**
   * How many bytes the frame has, from its first on; consumers see no others. Default: the size of the format. Frames of
   * `rawFormat()` may have less, those of images and tensors may not.
   */
  readonly length?: number;
}

const NOTHING: PublishOptions = {};

const PUBLISH: Kinds<PublishOptions> = {
  timestamp: {
    wanted: "a finite number",
    isKind: (value) => typeof value === "number",
    isTaken: (value: number) => Number.isFinite(value),
  },
  data: {
    wanted: "what JSON can carry",
    isKind: (value) => typeof value !== "function" && typeof value !== "symbol" && typeof value !== "bigint",
  },
  // What its value must be, the format says.
  length: NUMBER,
};

/** Publishes loans. */
export interface Publisher {
  readonly format: FrameFormat;
  /** How many bytes of JSON a frame may carry. */
  readonly dataBytes: number;
  /** Nothing of a user's runs in it. @param data Bytes of JSON. @param length If it is not the format's size. @returns The frame's number. */
  publish(hold: FrameHold, timestamp: number | undefined, data: Uint8Array | undefined, length?: number): number;
}

export let makeLoan: (hold: FrameHold, publisher: Publisher) => Loan;

/**
 * A frame to be filled, held by the producer until it is published or closed.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * using loan = await stream.loan({ timeout: 1000 }); // undefined once the stream has ended
 * loan?.bytes.fill(7);
 * console.log(loan?.publish({ timestamp: 0.04, data: { exposure: 8 } })); // 0
 * ```
 */
export class Loan extends FrameBytes {
  readonly #hold: FrameHold;
  readonly #publisher: Publisher;

  private constructor(hold: FrameHold, bytes: Uint8Array, publisher: Publisher) {
    super(hold, publisher.format, bytes);
    this.#hold = hold;
    this.#publisher = publisher;
  }

  static {
    makeLoan = (hold, publisher) => giveFrame(new Loan(hold, hold.use(), publisher));
  }

  /** As {@link Frame.buffer}. */
  get buffer(): DmaBuf {
    return holderOf(this);
  }

  /**
   * Hands the frame to the consumers; its bytes must not be touched afterwards.
   *
   * @returns The frame's sequence number.
   * @throws {DmaBufError} `EOVERFLOW` if the data are too long (the loan stays); `EPIPE` if the stream has ended;
   *   `EBADF` if it was published or given back.
   * @throws {TypeError | RangeError} If the timestamp is no finite number, JSON cannot carry the data, or frames of the format
   *   cannot have that length; the loan stays.
   */
  publish(options: PublishOptions = NOTHING): number {
    void this.bytes;
    const isPlain =
      isObject(options) &&
      options.timestamp === undefined &&
      options.data === undefined &&
      options.length === undefined;
    if (!isPlain) checkOptions("Loan.publish()", options, PUBLISH);
    const { format, dataBytes } = this.#publisher;
    const { timestamp, data, length } = options;
    if (length !== undefined) check("Loan.publish()", 'option "length"', length, lengthOf(format));
    const encoded = encodeData(data, dataBytes);
    // After the last of the user's code, which may have given this loan back.
    void this.bytes;
    return this.#publisher.publish(this.#hold, timestamp, encoded, length);
  }
}

function holderOf(frame: FrameBytes): DmaBuf {
  const holder = bufferUnder(frame)!.holder;
  if (holder !== undefined) return holder;
  throw new DmaBufError(
    "EOPNOTSUPP",
    "Cannot use the frame's buffer: this domain has no buffers besides those of streams",
  );
}

/** @param keep Called with each view. */
function planesOf(
  { planes: [first, ...others] }: FrameFormat,
  frame: Uint8Array,
  keep: (view: object) => void,
): Planes {
  const planeAt = (plane: PlaneFormat): Plane => {
    const made = planeOf(plane, frame);
    keep(made.bytes);
    return made;
  };
  return [planeAt(first), ...others.map(planeAt)];
}

/**
 * Of a frame that is shorter than its format, a plane is one row of what there is.
 *
 * The fields are listed one by one: code that reads `bytes` in a loop is ten times slower on a spread object.
 */
function planeOf({ offset, stride, width, height, bytesPerSample }: PlaneFormat, frame: Uint8Array): Plane {
  const bytes = frame.subarray(offset, offset + stride * height);
  const { length } = bytes;
  if (length === stride * height) return { offset, stride, width, height, bytesPerSample, bytes };
  const samples = Math.floor(length / bytesPerSample);
  return { offset, stride: length, width: samples, height: 1, bytesPerSample, bytes };
}
