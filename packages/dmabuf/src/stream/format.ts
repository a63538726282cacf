import { check, checkList, checkOptions, integer, oneOf, type Kind, type Kinds } from "../arguments.js";

/** How a frame's bytes are arranged. Plain data: it travels with a stream's handle. */
export interface FrameFormat {
  /** What a frame is: that of {@link imageFormat}, {@link tensorFormat}, {@link audioFormat} or {@link rawFormat}. */
  readonly kind: "image" | "tensor" | "audio" | "raw";
  /** Bytes of one frame. */
  readonly size: number;
  /** At least one. */
  readonly planes: readonly [PlaneFormat, ...PlaneFormat[]];
  /** Images: how the planes are to be read. */
  readonly pixelFormat?: PixelFormat;
  /** Images: pixels. */
  readonly width?: number;
  /** Images: rows of pixels. */
  readonly height?: number;
  /** Tensors: the length of each dimension, outermost first. */
  readonly shape?: readonly number[];
  /** Tensors: the type of an element. Audio: that of a sample. */
  readonly type?: ElementType;
  /** Audio: how many channels. */
  readonly channels?: number;
  /** Audio: samples a second, of each channel. */
  readonly rate?: number;
  /** Audio: how many samples a frame has of each channel. */
  readonly samples?: number;
  /** Audio: whether there is a sample of each channel after the other, or a plane for each channel. */
  readonly layout?: AudioLayout;
}

/** Whether there is a sample of each channel after the other, or a plane for each channel. */
export type AudioLayout = "interleaved" | "planar";

/** Of how many bytes the length of a frame is a multiple, where each frame has its own; 0 where all have the format's size. */
function lengthUnit({ kind, layout, planes }: FrameFormat): number {
  return kind === "raw" ? 1 : layout === "interleaved" ? planes[0].bytesPerSample : 0;
}

/** Whether frames of a format may have so many bytes. */
export function isLengthOf(format: FrameFormat, length: number): boolean {
  if (length === format.size) return true;
  const unit = lengthUnit(format);
  return unit > 0 && Number.isInteger(length) && length >= 0 && length <= format.size && length % unit === 0;
}

/** What the length of a frame must be. */
export function lengthOf(format: FrameFormat): Kind {
  const { size } = format;
  const unit = lengthUnit(format);
  const some = unit === 1 ? "an integer" : `a multiple of ${unit}`;
  return {
    wanted: unit === 0 ? `${size}, as all frames of this format have` : `${some} from 0 to ${size}`,
    isKind: (value) => typeof value === "number",
    isTaken: (value: number) => isLengthOf(format, value),
  };
}

/** How the bytes of one plane of a frame are arranged. */
export interface PlaneFormat {
  /** Bytes from the start of the frame. */
  readonly offset: number;
  /** Bytes from one row to the next. */
  readonly stride: number;
  /**
   * Samples in a row. A sample of NV12's second plane is a pair (U, V), one of YUYV's are two pixels, and one of interleaved
   * audio's is that of all channels.
   */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Bytes of one sample. */
  readonly bytesPerSample: number;
}

/**
 * - `RGBA`, `BGRA`: four bytes a pixel; displays have blue first.
 * - `RGBX`, `BGRX`: the same, and the fourth byte has no meaning.
 * - `RGB24`, `BGR24`: three bytes a pixel.
 * - `GREY`, `GRAY16`: one byte, or two, a pixel.
 * - `YUYV`, `UYVY`: four bytes for two pixels, which share U and V.
 * - `NV12`: a plane of luma, then one of (U, V) pairs at half the width and height.
 * - `P010`: as `NV12`, with two bytes for each value, of which the upper ten bits count.
 * - `I420`: a plane of luma, then one of U and one of V at half the width and height.
 * - `I444`: the same, all three planes at the full size.
 *
 * Values of two bytes are little-endian.
 */
export type PixelFormat =
  | "RGBA"
  | "BGRA"
  | "RGBX"
  | "BGRX"
  | "RGB24"
  | "BGR24"
  | "GREY"
  | "GRAY16"
  | "YUYV"
  | "UYVY"
  | "NV12"
  | "P010"
  | "I420"
  | "I444";

/** Bytes per sample of a plane, and of how many pixels a sample is, across and down. */
type PlaneShape = readonly [bytesPerSample: number, across: number, down: number];

const PLANES: Record<PixelFormat, readonly [PlaneShape, ...PlaneShape[]]> = {
  RGBA: [[4, 1, 1]],
  BGRA: [[4, 1, 1]],
  RGBX: [[4, 1, 1]],
  BGRX: [[4, 1, 1]],
  RGB24: [[3, 1, 1]],
  BGR24: [[3, 1, 1]],
  GREY: [[1, 1, 1]],
  GRAY16: [[2, 1, 1]],
  YUYV: [[4, 2, 1]],
  UYVY: [[4, 2, 1]],
  NV12: [
    [1, 1, 1],
    [2, 2, 2],
  ],
  P010: [
    [2, 1, 1],
    [4, 2, 2],
  ],
  I420: [
    [1, 1, 1],
    [1, 2, 2],
    [1, 2, 2],
  ],
  I444: [
    [1, 1, 1],
    [1, 1, 1],
    [1, 1, 1],
  ],
};

/** The names of the pixel formats. */
export const PIXEL_FORMATS: readonly string[] = Object.keys(PLANES);

export const PIXEL_FORMAT = /* @__PURE__ */ oneOf(PIXEL_FORMATS);
export const POSITIVE = /* @__PURE__ */ integer(1);
const IMAGE: Kinds<{ readonly strideAlignment?: number }> = { strideAlignment: POSITIVE };

/**
 * The format of an image, its planes one after the other.
 *
 * @param width Pixels.
 * @param height Rows of pixels.
 * @param options `strideAlignment`: bytes of which every stride is a multiple. Default 1, rows without padding.
 * @throws {RangeError} For a size or alignment that is no positive integer.
 *
 * @example
 * ```ts
 * import { imageFormat } from "dmabuf";
 *
 * const { size, planes } = imageFormat("NV12", 1280, 720);
 * console.log(size, planes[0].stride, planes[1]?.offset); // 1382400 1280 921600
 * ```
 */
export function imageFormat(
  pixelFormat: PixelFormat,
  width: number,
  height: number,
  options: { readonly strideAlignment?: number } = {},
): FrameFormat {
  check("imageFormat()", "pixelFormat", pixelFormat, PIXEL_FORMAT);
  check("imageFormat()", "width", width, POSITIVE);
  check("imageFormat()", "height", height, POSITIVE);
  checkOptions("imageFormat()", options, IMAGE);
  const { strideAlignment = 1 } = options;
  const [first, ...others] = PLANES[pixelFormat];
  let size = 0;
  const planeOf = ([bytesPerSample, across, down]: PlaneShape): PlaneFormat => {
    const plane = { width: Math.ceil(width / across), height: Math.ceil(height / down), bytesPerSample };
    const stride = Math.ceil((plane.width * bytesPerSample) / strideAlignment) * strideAlignment;
    const offset = size;
    size += stride * plane.height;
    return { offset, stride, ...plane };
  };
  const planes = [planeOf(first), ...others.map(planeOf)] as const;
  check("imageFormat()", "the size of a frame", size, POSITIVE);
  return { kind: "image", size, planes, pixelFormat, width, height };
}

/**
 * The format of up to `size` bytes without a meaning to this library: packets, compressed images, text. Each frame may have its
 * own length, see {@link Loan.publish}.
 *
 * @throws {RangeError} If `size` is no positive integer.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(1 << 20) });
 * ```
 */
export function rawFormat(size: number): FrameFormat {
  check("rawFormat()", "size", size, POSITIVE);
  return { kind: "raw", size, planes: [{ offset: 0, stride: size, width: size, height: 1, bytesPerSample: 1 }] };
}

/** The type of a tensor's elements. Those of `float16` and `bfloat16` are read as their 16 bits, a `bool` as 0 or 1. */
export type ElementType =
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "int64"
  | "uint64"
  | "bool";

/** The typed arrays that the types are read through. `Float16Array` is not in all engines. */
export const ELEMENTS = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const satisfies Record<ElementType, unknown>;

const ELEMENT_TYPE = /* @__PURE__ */ oneOf(/* @__PURE__ */ Object.keys(ELEMENTS));

/** A tensor's elements: a view of its bytes. */
export type Tensor =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/**
 * The format of a dense tensor, its last dimension contiguous.
 *
 * @param shape The length of each dimension, outermost first.
 * @param type The type of an element.
 * @throws {RangeError} If a dimension is no positive integer.
 *
 * @example
 * ```ts
 * import { Domain, tensorFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: tensorFormat([1, 3, 224, 224], "float32") });
 * using loan = await stream.loan();
 * console.log(loan?.tensor.length); // 150528
 * ```
 */
export function tensorFormat(shape: readonly number[], type: ElementType): FrameFormat {
  shape = checkList("tensorFormat()", "shape", shape, POSITIVE);
  check("tensorFormat()", "type", type, ELEMENT_TYPE);
  if (shape.length === 0)
    throw new RangeError("tensorFormat(): shape must be at least one dimension, not an empty list");
  const elements = ELEMENTS[type];
  const bytesPerSample = elements.BYTES_PER_ELEMENT;
  const width = shape.at(-1)!;
  const height = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  const stride = width * bytesPerSample;
  const plane = { offset: 0, stride, width, height, bytesPerSample };
  check("tensorFormat()", "the size of a frame", stride * height, POSITIVE);
  return { kind: "tensor", size: stride * height, planes: [plane], shape: [...shape], type };
}

/** A typed array over a tensor's bytes, without a copy. @throws {TypeError} If the format is no tensor's. */
export function tensorView(format: FrameFormat, bytes: Uint8Array): Tensor {
  if (format.kind !== "tensor") throw new TypeError(`A frame of kind "${format.kind}" is no tensor`);
  const elements = ELEMENTS[format.type!];
  return new elements(bytes.buffer as ArrayBuffer, bytes.byteOffset, format.size / elements.BYTES_PER_ELEMENT);
}
