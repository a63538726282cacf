import { imageFormat } from "dmabuf";
import { playPainted, type Stage } from "./stage.js";

/** Pixels of the side that is longer, at most. */
const LONGEST = 960;
/** How much of the picture's sides is seen at a time. */
const SEEN = 0.86;

/** A still picture, over which the view wanders: each row is painted from it into the frame. */
export async function playStill(stage: Stage, file: Blob, name: string): Promise<void> {
  const still = await pixelsOf(file);
  const [width, height] = [Math.floor((still.width * SEEN) / 2) * 2, Math.floor((still.height * SEEN) / 2) * 2];
  const pixels = new Uint32Array(still.data.buffer);
  const about = `${name}, ${width} × ${height}, RGBA, a still picture over which the view wanders`;
  return playPainted(stage, imageFormat("RGBA", width, height), about, (target, picture) => {
    const left = Math.round(((1 + Math.sin(picture / 40)) / 2) * (still.width - width));
    const top = Math.round(((1 + Math.cos(picture / 53)) / 2) * (still.height - height));
    for (let y = 0; y < height; y++) {
      const from = (top + y) * still.width + left;
      target.set(pixels.subarray(from, from + width), y * width);
    }
  });
}

async function pixelsOf(file: Blob): Promise<ImageData> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(8, Math.round(side * scale)));
  const context = new OffscreenCanvas(width!, height!).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("This engine gives the worker no canvas to open a picture on.");
  context.fillRect(0, 0, width!, height!);
  context.drawImage(bitmap, 0, 0, width!, height!);
  bitmap.close();
  return context.getImageData(0, 0, width!, height!);
}
