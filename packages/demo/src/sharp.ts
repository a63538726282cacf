import type SharpModule from "sharp";
import { DmaBufError } from "dmabuf";
import type { RgbPicture } from "./picture.js";

/**
 * Loads the optional package that encodes images.
 *
 * @throws {DmaBufError} `ENOENT` when it is not installed, or not for this machine.
 */
export async function loadSharp(): Promise<typeof SharpModule> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new DmaBufError("ENOENT", "Cannot encode images: install the optional package sharp (npm install sharp)", {
      cause,
    });
  }
}

/** @param quality 1 to 100. */
export async function encodeJpeg(sharp: typeof SharpModule, picture: RgbPicture, quality: number): Promise<Buffer> {
  const { width, height, bytes } = picture;
  return sharp(bytes, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}
