import { checkOptions, isObject, type Kinds } from "../arguments.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { Held, Viewed } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import { countedCopy } from "../buffer/copies.js";
import { forgetViews } from "./stream-parts.js";
import { tensorView, type FrameFormat, type PlaneFormat, type Tensor } from "./format.js";
import { encodeData, type FrameMetadata, type JsonValue } from "./metadata.js";

/** One plane of a frame: its arrangement, and its bytes in place. */
export interface Plane extends PlaneFormat {
  readonly bytes: Uint8Array;
}

/** A frame's bytes, in place until they are given back. */
export abstract class FrameBytes implements Disposable, Viewed {
  readonly format: FrameFormat;
  readonly #whole: Uint8Array;
  #planes: readonly Plane[] | undefined;
  readonly #held: Held;

  constructor(format: FrameFormat, bytes: Uint8Array, held: Held) {
    this.format = format;
    this.#whole = bytes;
    this.#held = held;
  }

  /**
   * All bytes of the frame, in place.
   *
   * **They are yours until the frame is given back, and no longer:** then the next frame is written there. A sink that works
   * later (a Node.js or web stream, a socket, `ws.send()`) needs the frame until it has called back:
   * `await new Promise((taken) => sink.write(frame.bytes, taken))`, and then the end of the frame. Where nobody tells when
   * the bytes were taken, as in a pipeline, give it a copy: `yield frame.copy()`. See `examples/file.ts`.
   *
   * @throws {DmaBufError} `EBADF` if the frame was given back.
   */
  get bytes(): Uint8Array {
    if (this.#held.isOver) throw new DmaBufError("EBADF", "Cannot use the frame: it was given back");
    return this.#whole;
  }

  /** The planes, in place. @throws {DmaBufError} `EBADF` if the frame was given back. */
  get planes(): readonly Plane[] {
    const bytes = this.bytes;
    return (this.#planes ??= this.format.planes.map((plane) => {
      const made = planeOf(plane, bytes);
      this.#held.keepWith(made.bytes, this);
      return made;
    }));
  }

  /** @internal */
  views(): Iterable<object> {
    return [this.#whole, ...(this.#planes ?? []).map(({ bytes }) => bytes)];
  }

  /** A tensor's elements, in place. @throws {TypeError} If the format is no tensor's. */
  get tensor(): Tensor {
    return tensorView(this.format, this.bytes);
  }

  /** Gives the frame back. Twice does nothing. */
  [Symbol.dispose](): void {
    this.#held.end();
  }
}

/** A published frame's bytes, and what travels with them. */
export abstract class PublishedFrame extends FrameBytes implements FrameMetadata {
  readonly sequence: number;
  readonly timestamp: number;
  readonly publishedAt: number;
  readonly data: JsonValue | undefined;

  constructor(format: FrameFormat, bytes: Uint8Array, metadata: FrameMetadata, held: Held) {
    super(format, bytes, held);
    this.sequence = metadata.sequence;
    this.timestamp = metadata.timestamp;
    this.publishedAt = metadata.publishedAt;
    this.data = metadata.data;
  }

  /** A copy in memory of its own, for interfaces that refuse shared memory. It is counted. */
  copy(): Uint8Array<ArrayBuffer> {
    return countedCopy(this.bytes);
  }
}

/** A published frame, held by a consumer until it is disposed. */
export class Frame extends PublishedFrame {
  /** The buffer that the bytes are in: for fences of work on it, and for handles to it. */
  readonly buffer: DmaBuf;

  /** @internal Made by a consumer. */
  constructor(format: FrameFormat, buffer: DmaBuf, bytes: Uint8Array, metadata: FrameMetadata, held: Held) {
    super(format, bytes, metadata, held);
    this.buffer = buffer;
  }

  /** @internal */
  override views(): Iterable<object> {
    forgetViews(this.buffer);
    return super.views();
  }
}

export interface PublishOptions {
  /** The producer's own time of the frame. Default: the time of publication in monotonic nanoseconds. */
  readonly timestamp?: number;
  /** Anything small that JSON can carry, up to the stream's `dataBytes`. */
  readonly data?: JsonValue;
}

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
};

/** Publishes a frame; nothing of a user's runs in it. @param data Bytes of JSON. */
export type Publish = (timestamp: number | undefined, data: Uint8Array | undefined) => number;

/** A frame to be filled, held by the producer until it is published or disposed. */
export class Loan extends FrameBytes {
  /** The buffer that the bytes are in: for fences of work on it, and for handles to it. */
  readonly buffer: DmaBuf;
  readonly #dataBytes: number;
  readonly #publish: Publish;

  /** @internal Made by a producer. @param dataBytes How many bytes of JSON it may carry. */
  constructor(format: FrameFormat, buffer: DmaBuf, bytes: Uint8Array, dataBytes: number, publish: Publish, held: Held) {
    super(format, bytes, held);
    this.buffer = buffer;
    this.#dataBytes = dataBytes;
    this.#publish = publish;
  }

  /** @internal */
  override views(): Iterable<object> {
    forgetViews(this.buffer);
    return super.views();
  }

  /**
   * Hands the frame to the consumers; its bytes must not be touched afterwards.
   *
   * @returns The frame's sequence number.
   * @throws {DmaBufError} `EOVERFLOW` if the data are too long (the loan stays); `EPIPE` if the stream has ended;
   *   `EBADF` if it was published or given back.
   * @throws {TypeError | RangeError} If the timestamp is no finite number, or JSON cannot carry the data; the loan stays.
   */
  publish(options: PublishOptions = {}): number {
    void this.bytes;
    const isPlain = isObject(options) && options.timestamp === undefined && options.data === undefined;
    if (!isPlain) checkOptions("Loan.publish()", options, PUBLISH);
    const { timestamp, data } = options;
    const encoded = encodeData(data, this.#dataBytes);
    // After the last of the user's code, which may have given this loan back.
    void this.bytes;
    const sequence = this.#publish(timestamp, encoded);
    this[Symbol.dispose]();
    return sequence;
  }
}

/** The fields stand one by one: code that reads `bytes` in a loop is ten times slower on a spread object. */
function planeOf({ offset, stride, width, height, bytesPerSample }: PlaneFormat, frame: Uint8Array): Plane {
  return { offset, stride, width, height, bytesPerSample, bytes: frame.subarray(offset, offset + stride * height) };
}
