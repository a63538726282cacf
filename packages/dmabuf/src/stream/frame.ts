import { check, checkOptions, integer, NUMBER, OBJECT, type Kinds } from "../arguments.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { countedCopy } from "../buffer/copies.js";
import { checkThere } from "../buffer/bytes-there.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import type { Held } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import { samplesIn, type Samples } from "./audio-format.js";
import type { FrameHold } from "./frame-hold.js";
import { lengthOf, tensorView, type FrameFormat, type PlaneFormat, type Tensor } from "./format.js";
import {
  dataIn,
  encodeData,
  isPlain,
  lengthIn,
  pictureIn,
  publishedAtIn,
  sequenceIn,
  timestampIn,
  type FrameMetadata,
  type JsonValue,
} from "./metadata.js";
import { encodePicture, type Picture } from "./picture.js";

/** One plane of a frame: its arrangement, and its bytes in place. */
export interface Plane extends PlaneFormat {
  /** The plane's bytes, in place until the frame is given back. */
  readonly bytes: Uint8Array;
}

type Planes = readonly [Plane, ...Plane[]];

/**
 * A frame's bytes, in place until they are given back.
 *
 * {@link Frame} and {@link Loan} have its members by their prototypes, and do not extend it: to be made by two constructors
 * costs as much as all else that they are made of.
 */
export abstract class FrameBytes implements Disposable {
  /** How the bytes are arranged. */
  abstract readonly format: FrameFormat;

  // The library alone makes frames.
  protected constructor() {}

  /**
   * All bytes of the frame, in place.
   *
   * **They are yours until the frame is given back, and no longer:** then the next frame is written there. For a sink that
   * works later (a stream, a socket, `ws.send()`) there are two right ways: `readableFrom(consumer)` of `dmabuf/node`, which
   * gives each frame back when the sink has taken it, and `frame.copy()`. See `examples/file.ts`. Never put their memory into
   * the transfer list of a message.
   *
   * @throws {DmaBufError} `EBADF` if the frame was given back, or its memory transferred.
   */
  abstract get bytes(): Uint8Array;

  /** How many bytes that are: the format's size, unless the producer has published less. @throws {DmaBufError} As `bytes`. */
  get length(): number {
    return this.bytes.length;
  }

  /** The planes, in place. @throws {DmaBufError} `EBADF` if the frame was given back. */
  abstract get planes(): readonly [Plane, ...Plane[]];

  /** A tensor's elements, in place. @throws {TypeError} If the format is no tensor's. */
  get tensor(): Tensor {
    return tensorView(this.format, this.bytes);
  }

  /**
   * The samples of audio, in place: a typed array for each channel, or one of all channels if they are interleaved.
   *
   * @throws {TypeError} If the format is no audio's.
   */
  get samples(): readonly [Samples, ...Samples[]] {
    const [first, ...others] = this.planes;
    return [samplesIn(this.format, first.bytes), ...others.map(({ bytes }) => samplesIn(this.format, bytes))];
  }

  /** Gives the frame back. Twice does nothing. */
  abstract close(): void;

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A published frame's bytes, and what travels with them: data of any type, if the code says none. */
export abstract class PublishedFrame<Data = unknown> extends FrameBytes implements FrameMetadata<Data> {
  abstract readonly sequence: number;
  abstract readonly timestamp: number;
  abstract readonly publishedAt: number;
  /** What the producer has sent along; `undefined` if nothing. */
  abstract readonly data: Data | undefined;
  /** How the image is to be shown; `undefined` if the producer has not said it. */
  abstract readonly picture: Picture | undefined;

  /** A copy in memory of its own, for interfaces that refuse shared memory. It is counted. */
  copy(): Uint8Array<ArrayBuffer> {
    return countedCopy(bufferUnderFrame(this)?.holds.agent, "frame.copy()", this.bytes);
  }
}

/** A frame of any type of data: whose it is says which. */
export type AnyFrame = Frame<never>;

/**
 * @param hold One that has been taken.
 * @param isUnmoved Whether the storage was never moved.
 * @throws {DmaBufError} `EPROTO` if the frame's metadata are damaged.
 */
export let makeFrame: (hold: FrameHold, format: FrameFormat, isUnmoved: boolean) => AnyFrame;
let bufferUnderFrame: (frame: FrameBytes) => StreamBuffer | undefined;

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
export class Frame<Data = JsonValue> implements PublishedFrame<Data> {
  declare readonly length: number;
  declare readonly tensor: Tensor;
  declare readonly samples: readonly [Samples, ...Samples[]];
  declare readonly [Symbol.dispose]: () => void;
  declare readonly copy: () => Uint8Array<ArrayBuffer>;
  readonly format: FrameFormat;
  readonly sequence: number;
  readonly timestamp: number;
  readonly publishedAt: number;
  readonly data: Data | undefined;
  readonly picture: Picture | undefined;
  readonly #hold: FrameHold;
  /** held.5. */
  readonly #ends: number;
  readonly #whole: Uint8Array;
  #planes: Planes | undefined;

  private constructor(hold: FrameHold, format: FrameFormat, whole: Uint8Array) {
    const { area } = hold;
    this.format = format;
    this.sequence = sequenceIn(area);
    this.timestamp = timestampIn(area);
    this.publishedAt = publishedAtIn(area);
    const isBare = isPlain(area);
    this.data = isBare ? undefined : (dataIn(area) as Data | undefined);
    this.picture = isBare ? undefined : pictureIn(area, format);
    this.#hold = hold;
    this.#ends = hold.ends;
    const length = isBare ? format.size : lengthIn(area, format);
    this.#whole = length === format.size ? whole : whole.subarray(0, length);
  }

  static {
    Object.setPrototypeOf(Frame.prototype, PublishedFrame.prototype);
    makeFrame = (hold, format, isUnmoved) => {
      const frame = new Frame<never>(hold, format, hold.use(isUnmoved));
      hold.ownedBy(frame, viewsOf);
      return frame;
    };
    bufferUnderFrame = (frame) => (#hold in frame ? frame.#hold.buffer : undefined);
    const viewsOf = (frame: AnyFrame): Uint8Array[] => viewsIn(frame.#whole, frame.#planes);
  }

  get bytes(): Uint8Array {
    if (this.#hold.ends !== this.#ends) throw givenBack();
    if (this.#whole.length === 0) checkThere(this.#whole);
    return this.#whole;
  }

  get planes(): readonly [Plane, ...Plane[]] {
    return (this.#planes ??= planesOf(this, this.bytes, this.#hold));
  }

  /**
   * The buffer that the bytes are in: for fences of work on it, and for handles to it. It is the stream's: do not close it.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` in a domain that has no buffers besides those of streams.
   */
  get buffer(): DmaBuf {
    return holderOf(this);
  }

  close(): void {
    if (this.#hold.ends === this.#ends) this.#hold.end();
  }
}

/** What travels with a frame. */
export interface PublishOptions {
  /** The producer's own time of the frame. Default: the time of publication in monotonic nanoseconds. */
  readonly timestamp?: number;
  /**
   * Anything small that JSON can carry, up to the stream's `dataBytes`. Declare its type with `type`: TypeScript does not take
   * what is declared with `interface` for JSON.
   */
  readonly data?: JsonValue;
  /**
   * How many bytes the frame has, from its first on; consumers see no others. Default: the size of the format. Frames of
   * `rawFormat()` may have less, those of images and tensors may not.
   */
  readonly length?: number;
  /** How an image is to be shown, as `pictureOf(videoFrame)` of `dmabuf/web` has it. Other formats have none. */
  readonly picture?: Picture;
  /**
   * The frame's number, as consumers see it: for frames that have numbers already, as those of a camera or of another host. It
   * must be greater than that of the last frame. Default: the one after that, from 0 on.
   */
  readonly sequence?: number;
  /**
   * How many frames were lost before this one, on their way to this producer, at most 16,777,215: each consumer that was there
   * has missed them, and `missed` says so. Default 0, also if `sequence` leaves numbers out.
   */
  readonly missed?: number;
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
  picture: OBJECT,
  sequence: integer(0),
  // Of the numbers in a full ring 31 bits count.
  missed: integer(0, 2 ** 24 - 1),
};

/** Publishes loans. */
export interface Publisher {
  readonly format: FrameFormat;
  /** How many bytes of JSON a frame may carry. */
  readonly dataBytes: number;
  /**
   * Nothing of a user's runs in it.
   *
   * @param data Bytes of JSON.
   * @param length If it is not the format's size.
   * @param sequence If it is not the number after the last one.
   * @returns The frame's number.
   */
  publish(
    hold: FrameHold,
    timestamp: number | undefined,
    data: Uint8Array | undefined,
    length?: number,
    picture?: Float64Array,
    sequence?: number,
    missed?: number,
  ): number;
}

/** As {@link makeFrame}. */
export let makeLoan: (hold: FrameHold, publisher: Publisher, isUnmoved: boolean) => Loan;
let bufferUnderLoan: (frame: FrameBytes) => StreamBuffer | undefined;

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
export class Loan implements FrameBytes {
  declare readonly length: number;
  declare readonly tensor: Tensor;
  declare readonly samples: readonly [Samples, ...Samples[]];
  declare readonly [Symbol.dispose]: () => void;
  readonly format: FrameFormat;
  readonly #hold: FrameHold;
  /** held.5. */
  readonly #ends: number;
  readonly #whole: Uint8Array;
  readonly #publisher: Publisher;
  #planes: Planes | undefined;

  private constructor(hold: FrameHold, publisher: Publisher, whole: Uint8Array) {
    this.format = publisher.format;
    this.#hold = hold;
    this.#ends = hold.ends;
    this.#whole = whole;
    this.#publisher = publisher;
  }

  static {
    Object.setPrototypeOf(Loan.prototype, FrameBytes.prototype);
    makeLoan = (hold, publisher, isUnmoved) => {
      const loan = new Loan(hold, publisher, hold.use(isUnmoved));
      hold.ownedBy(loan, viewsOf);
      return loan;
    };
    bufferUnderLoan = (frame) => (#hold in frame ? frame.#hold.buffer : undefined);
    const viewsOf = (loan: Loan): Uint8Array[] => viewsIn(loan.#whole, loan.#planes);
  }

  get bytes(): Uint8Array {
    if (this.#hold.ends !== this.#ends) throw givenBack();
    if (this.#whole.length === 0) checkThere(this.#whole);
    return this.#whole;
  }

  get planes(): readonly [Plane, ...Plane[]] {
    return (this.#planes ??= planesOf(this, this.bytes, this.#hold));
  }

  /** As {@link Frame.buffer}. */
  get buffer(): DmaBuf {
    return holderOf(this);
  }

  /**
   * Hands the frame to the consumers; its bytes must not be touched afterwards.
   *
   * @returns The frame's sequence number.
   * @throws {DmaBufError} `EOVERFLOW` if the data are too long, `EINVAL` if `sequence` is not greater than that of the last
   *   frame (the loan stays); `EPIPE` if the stream has ended; `EBADF` if it was published or given back.
   * @throws {TypeError | RangeError} If the timestamp is no finite number, JSON cannot carry the data, frames of the format
   *   cannot have that length or picture, or a count is none; the loan stays.
   */
  publish(options: PublishOptions = NOTHING): number {
    void this.bytes;
    if (options === NOTHING) return this.#publisher.publish(this.#hold, undefined, undefined);
    const { timestamp, length, encoded, shown } = encodeOptions(options, this.#publisher);
    const { sequence, missed } = options;
    // After the last of the user's code, which may have given this loan back.
    void this.bytes;
    return this.#publisher.publish(this.#hold, timestamp, encoded, length, shown, sequence, missed);
  }

  close(): void {
    if (this.#hold.ends === this.#ends) this.#hold.endUnpublished();
  }
}

/** What travels with a frame, as it is stored. */
export interface EncodedOptions {
  readonly timestamp: number | undefined;
  readonly length: number | undefined;
  readonly encoded: Uint8Array | undefined;
  readonly shown: Float64Array | undefined;
}

/**
 * Checks what is to travel with a frame. It runs the code of its author.
 *
 * @throws {DmaBufError} `EOVERFLOW` if the data are too long. @throws {TypeError | RangeError} As `Loan.publish()`.
 */
export function encodeOptions(
  options: PublishOptions,
  { format, dataBytes }: Pick<Publisher, "format" | "dataBytes">,
): EncodedOptions {
  checkOptions("Loan.publish()", options, PUBLISH);
  const { timestamp, data, length, picture } = options;
  if (length !== undefined) check("Loan.publish()", 'option "length"', length, lengthOf(format));
  const encoded = encodeData(data, dataBytes);
  const shown = picture && encodePicture(picture, format);
  return { timestamp, length, encoded, shown };
}

/** The buffer that the bytes of a frame or loan of this agent's are in. */
export function bufferUnder(frame: FrameBytes): StreamBuffer | undefined {
  return bufferUnderFrame(frame) ?? bufferUnderLoan(frame);
}

function holderOf(frame: FrameBytes): DmaBuf {
  const holder = bufferUnder(frame)!.holder;
  if (holder !== undefined) return holder;
  throw new DmaBufError(
    "EOPNOTSUPP",
    "Cannot use the frame's buffer: this domain has no buffers besides those of streams",
  );
}

export function givenBack(): DmaBufError {
  return new DmaBufError("EBADF", "Cannot use the frame: it was given back");
}

/** What a frame has handed out (held.4). */
export function viewsIn(whole: Uint8Array, planes: Planes | undefined): Uint8Array[] {
  return planes === undefined ? [whole] : [whole, ...planes.map(({ bytes }) => bytes)];
}

/** The planes of a frame, made for it. */
export function planesOf(frame: FrameBytes, bytes: Uint8Array, hold: Held): Planes {
  const [first, ...others] = frame.format.planes;
  const planeAt = (plane: PlaneFormat): Plane => {
    const made = planeOf(plane, bytes);
    hold.keepWith(made.bytes, frame);
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
