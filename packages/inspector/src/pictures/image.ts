import type { FrameFormat, PixelFormat, PlaneFormat } from "dmabuf";
import { pictureSize, type Picture } from "./picture.js";

/**
 * image.1. Alpha is not drawn: many programs leave it 0 where nothing is to be seen through.
 * image.2. Luma and chroma are of limited range, by BT.709 from 720 rows on, and by BT.601 below: formats do not say it, and most
 *     cameras and decoders do so.
 * image.3. A picture that is larger than wanted is of the pixels nearest to the middle of each of its own.
 */

/** Reads the pixel at a place into `into`, at `at`: red, green and blue. */
type Reader = (x: number, y: number, into: Uint8ClampedArray, at: number) => void;

/** The first rows of which BT.709 is usual. */
const HIGH_DEFINITION = 720;

/** How an image looks, at most so wide and high. */
export function imagePicture(format: FrameFormat, bytes: Uint8Array, most: number): Picture {
  const { width: across = 0, height: down = 0 } = format;
  const { width, height } = pictureSize(across, down, most);
  const pixels = new Uint8ClampedArray(width * height * 4);
  const read = readerOf(format, bytes);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * down) / height);
    for (let x = 0; x < width; x++, at += 4) {
      read(Math.floor(((x + 0.5) * across) / width), row, pixels, at);
      pixels[at + 3] = 255;
    }
  }
  return { width, height, pixels };
}

function readerOf({ pixelFormat, planes, height = 0 }: FrameFormat, bytes: Uint8Array): Reader {
  const [first, second, third] = planes;
  const place = ({ offset, stride }: PlaneFormat, y: number): number => offset + y * stride;
  const inOrder =
    (size: number, red: number, green: number, blue: number): Reader =>
    (x, y, into, at) => {
      const from = place(first, y) + x * size;
      into[at] = bytes[from + red]!;
      into[at + 1] = bytes[from + green]!;
      into[at + 2] = bytes[from + blue]!;
    };
  const grey =
    (size: number): Reader =>
    (x, y, into, at) => {
      // The upper byte of two.
      into.fill(bytes[place(first, y) + x * size + size - 1]!, at, at + 3);
    };
  const toColour = height >= HIGH_DEFINITION ? BT709 : BT601;
  const packed =
    (luma: number, u: number, v: number): Reader =>
    (x, y, into, at) => {
      const from = place(first, y) + (x >> 1) * 4;
      toColour(bytes[from + luma + (x & 1) * 2]!, bytes[from + u]!, bytes[from + v]!, into, at);
    };
  const paired =
    (size: number): Reader =>
    (x, y, into, at) => {
      const from = place(second!, y >> 1) + (x >> 1) * 2 * size;
      const value = (index: number): number =>
        size === 1 ? bytes[index]! : (bytes[index]! | (bytes[index + 1]! << 8)) / 256;
      toColour(value(place(first, y) + x * size), value(from), value(from + size), into, at);
    };
  const planar =
    (shift: number): Reader =>
    (x, y, into, at) => {
      const u = bytes[place(second!, y >> shift) + (x >> shift)]!;
      const v = bytes[place(third!, y >> shift) + (x >> shift)]!;
      toColour(bytes[place(first, y) + x]!, u, v, into, at);
    };
  const readers: Readonly<Record<PixelFormat, () => Reader>> = {
    RGBA: () => inOrder(4, 0, 1, 2),
    BGRA: () => inOrder(4, 2, 1, 0),
    RGBX: () => inOrder(4, 0, 1, 2),
    BGRX: () => inOrder(4, 2, 1, 0),
    RGB24: () => inOrder(3, 0, 1, 2),
    BGR24: () => inOrder(3, 2, 1, 0),
    GREY: () => grey(1),
    GRAY16: () => grey(2),
    YUYV: () => packed(0, 1, 3),
    UYVY: () => packed(1, 0, 2),
    NV12: () => paired(1),
    P010: () => paired(2),
    I420: () => planar(1),
    I444: () => planar(0),
  };
  return readers[pixelFormat ?? "GREY"]();
}

type ToColour = (y: number, u: number, v: number, into: Uint8ClampedArray, at: number) => void;

/** From the weights of red and of blue in luma. */
function fromLuma(red: number, blue: number): ToColour {
  const green = 1 - red - blue;
  return (y, u, v, into, at) => {
    const luma = ((y - 16) * 255) / 219;
    const cb = ((u - 128) * 255) / 112;
    const cr = ((v - 128) * 255) / 112;
    into[at] = luma + (1 - red) * cr;
    into[at + 1] = luma - (blue * (1 - blue) * cb + red * (1 - red) * cr) / green;
    into[at + 2] = luma + (1 - blue) * cb;
  };
}

const BT601 = fromLuma(0.299, 0.114);
const BT709 = fromLuma(0.2126, 0.0722);
