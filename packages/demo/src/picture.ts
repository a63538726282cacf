import type { Colour } from "./video.js";

/** Where a frame's bytes are to be found: all that a consumer's job knows of it. */
export interface Picture {
  readonly sequence: number;
  /** In pixels, both even. */
  readonly width: number;
  readonly height: number;
  /** NV12: one byte of luma for each pixel. */
  readonly luma: Plane;
  /** NV12: a byte of blue difference and one of red difference for each two by two pixels. */
  readonly chroma: Plane;
}

export interface Plane {
  readonly bytes: Uint8Array;
  /** Where the bytes are in the memory of the job's module, if they are there. */
  readonly pointer?: number;
  /** Bytes from one row to the next. */
  readonly stride: number;
}

/** A small picture in ordinary memory, three bytes for each pixel. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8ClampedArray;
}

/** A picture over the bytes of a frame whose planes follow each other without gaps. */
export function packedPicture(bytes: Uint8Array, sequence: number, width: number, height: number): Picture {
  const pixels = width * height;
  return {
    sequence,
    width,
    height,
    luma: { bytes: bytes.subarray(0, pixels), stride: width },
    chroma: { bytes: bytes.subarray(pixels, pixels + pixels / 2), stride: width },
  };
}

/** Scales a picture down so that its longer side has at most `longestSide` pixels, and makes colours of it. */
export function shrink(picture: Picture, longestSide: number, colour: Colour): RgbPicture {
  const factor = Math.ceil(Math.max(picture.width, picture.height) / longestSide);
  const width = Math.max(1, Math.floor(picture.width / factor));
  const height = Math.max(1, Math.floor(picture.height / factor));
  const bytes = new Uint8ClampedArray(width * height * 3);
  const convert = conversion(colour);
  const { bytes: chroma, stride: chromaStride } = picture.chroma;
  let out = 0;
  for (let y = 0; y < height; y++) {
    const chromaRow = ((y * factor + (factor >> 1)) >> 1) * chromaStride;
    for (let x = 0; x < width; x++) {
      const luma = (meanLuma(picture.luma, x * factor, y * factor, factor) - convert.black) * convert.luma;
      const at = chromaRow + ((x * factor + (factor >> 1)) >> 1) * 2;
      const blue = (chroma[at] as number) - 128;
      const red = (chroma[at + 1] as number) - 128;
      bytes[out++] = luma + convert.redOfRed * red;
      bytes[out++] = luma - convert.greenOfBlue * blue - convert.greenOfRed * red;
      bytes[out++] = luma + convert.blueOfBlue * blue;
    }
  }
  return { width, height, bytes };
}

function meanLuma({ bytes, stride }: Plane, left: number, top: number, side: number): number {
  let sum = 0;
  for (let y = top; y < top + side; y++) {
    const row = y * stride;
    for (let x = left; x < left + side; x++) sum += bytes[row + x] as number;
  }
  return sum / (side * side);
}

/** The factors of ITU-R BT.601 and BT.709, from the shares that red and blue have in luma. */
function conversion({ matrix, fullRange }: Colour) {
  const [red, blue] = matrix === "bt709" ? [0.2126, 0.0722] : [0.299, 0.114];
  const green = 1 - red - blue;
  const chroma = fullRange ? 1 : 255 / 224;
  return {
    black: fullRange ? 0 : 16,
    luma: fullRange ? 1 : 255 / 219,
    redOfRed: 2 * (1 - red) * chroma,
    greenOfBlue: ((2 * blue * (1 - blue)) / green) * chroma,
    greenOfRed: ((2 * red * (1 - red)) / green) * chroma,
    blueOfBlue: 2 * (1 - blue) * chroma,
  };
}
