import { packedPicture, type Picture } from "../src/picture.js";

/** Pixels. */
export const [WIDTH, HEIGHT] = [320, 160];

/** A grey picture with a white square of 20 by 20 pixels. */
export function picture(sequence: number, left: number, top: number): Picture {
  const bytes = new Uint8Array((WIDTH * HEIGHT * 3) / 2).fill(100);
  for (let y = top; y < top + 20; y++) bytes.fill(235, y * WIDTH + left, y * WIDTH + left + 20);
  return packedPicture(bytes, sequence, WIDTH, HEIGHT);
}
