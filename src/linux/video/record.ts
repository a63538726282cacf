import type { WaitOptions } from "../../domain/pend.js";
import { DmaBufError } from "../../errors.js";
import type { Blank } from "../../stream/frame.js";
import { imageFormat, rawFormat, type FrameFormat, type PixelFormat } from "../../stream/format.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import { ExportedBuffer } from "../export-buffer.js";
import type { VideoDevice, VideoFormat } from "./device.js";

/** Formats that both name, and lay out alike. */
const COMMON: Readonly<Record<string, PixelFormat>> = { NV12: "NV12", YU12: "I420", GREY: "GREY", AB24: "RGBA" };

/**
 * The format of a stream that takes a camera's images as they are: an image, or raw bytes where the library has no name
 * for them.
 *
 * @throws {DmaBufError} `EOPNOTSUPP` for images whose planes are in several dma-bufs.
 */
export function streamFormat({ pixelFormat, width, height, planes }: VideoFormat): FrameFormat {
  const [plane] = planes;
  if (plane === undefined || planes.length > 1) {
    throw new DmaBufError("EOPNOTSUPP", `Cannot stream images of ${planes.length} separate planes: set another format`);
  }
  const name = COMMON[pixelFormat];
  if (name !== undefined) {
    const image = imageFormat(name, width, height);
    if (image.size === plane.size && image.planes[0]!.stride === plane.stride) return image;
  }
  return rawFormat(plane.size);
}

/**
 * Publishes a camera's images in a stream, without a copy: the camera writes into the stream's own buffers. Resolves when
 * the stream has ended.
 *
 * @param stream Made by this agent in a domain between processes, with {@link streamFormat} and at least 3 buffers. Its
 *   buffers are the camera's as long as they are blanks.
 * @param options `signal` ends the recording, and `timeout` is the longest wait for an image, in milliseconds.
 * @throws {DmaBufError} `EOPNOTSUPP` in a domain of threads; `EBUSY` if another program uses the camera; `ETIMEDOUT`.
 */
export async function record(device: VideoDevice, stream: FrameStream, options: WaitOptions = {}): Promise<void> {
  using queue = device.createQueue("capture", { memory: "dma-buf", buffers: AT_THE_CAMERA });
  const exported = new Map<number, ExportedBuffer>();
  const filling = new Map<number, Blank>();
  try {
    for (let free = Array.from({ length: queue.size }, (_, i) => i); ;) {
      for (const index of free) {
        const blank = await stream.blank(options);
        if (blank === undefined) return;
        filling.set(index, blank);
        let known = exported.get(blank.buffer.inode);
        if (known === undefined) exported.set(blank.buffer.inode, (known = await ExportedBuffer.create(blank.buffer)));
        queue.enqueue(index, { planes: [known.descriptor] });
      }
      if (filling.size === queue.size && !queue.isRunning) queue.start();
      const { index, timestampNs, sequence, isDamaged } = await queue.dequeue(options);
      const blank = filling.get(index)!;
      filling.delete(index);
      if (isDamaged) blank[Symbol.dispose]();
      else if (!published(blank, Number(timestampNs), sequence)) return;
      free = [index];
    }
  } finally {
    // The device writes no more before the blanks are given back.
    queue.close();
    for (const blank of filling.values()) blank[Symbol.dispose]();
    for (const buffer of exported.values()) buffer.close();
  }
}

/** False if the stream has ended. */
function published(blank: Blank, timestamp: number, sequence: number): boolean {
  try {
    blank.publish({ timestamp, data: { sequence } });
    return true;
  } catch (error) {
    blank[Symbol.dispose]();
    if (error instanceof DmaBufError && error.code === "EPIPE") return false;
    throw error;
  }
}

/** One is being filled, one is next. */
const AT_THE_CAMERA = 2;
