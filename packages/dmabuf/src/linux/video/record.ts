import { ARRAY, check, checkObject, checkOptions, FUNCTION, required, type Kind, type Kinds } from "../../arguments.js";
import { WAIT, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import type { Loan } from "../../stream/frame.js";
import { imageFormat, isLengthOf, rawFormat, type FrameFormat } from "../../stream/format.js";
import { FRAME_STREAM, type FrameStream } from "../../stream/frame-stream.js";
import { giveBack } from "../give-back.js";
import { ExportedBuffer } from "../export-buffer.js";
import { COUNT, PIXEL_FORMAT, U32 } from "../kinds.js";
import { pixelFormatNamed } from "../pixel-format.js";
import { VIDEO_DEVICE, type VideoDevice } from "./device.js";
import type { VideoFormat } from "./format.js";
import type { Dequeued } from "./queue.js";

const FORMAT: Kinds<VideoFormat> = {
  pixelFormat: required(PIXEL_FORMAT),
  width: required(COUNT),
  height: required(COUNT),
  planes: required(ARRAY),
};
const PLANE: Kinds<VideoFormat["planes"][number]> = { stride: required(U32), size: required(COUNT) };

/**
 * The format of a stream that takes a camera's images as they are: an image, or raw bytes where the library has no name
 * for them.
 *
 * @throws {DmaBufError} `EOPNOTSUPP` for images whose planes are in several dma-bufs.
 *
 * @example
 * ```ts device
 * import { streamFormat, VideoDevice } from "dmabuf/linux";
 *
 * using camera = VideoDevice.open("/dev/video0");
 * console.log(streamFormat(camera.format("capture")).kind); // "image", or "raw"
 * ```
 */
export function streamFormat(format: VideoFormat): FrameFormat {
  checkObject("streamFormat()", "format", format, FORMAT);
  const { pixelFormat, width, height, planes } = format;
  planes.forEach((each, i) => checkObject("streamFormat()", `format.planes[${i}]`, each, PLANE));
  const [plane] = planes;
  if (plane === undefined || planes.length > 1) {
    throw new DmaBufError("EOPNOTSUPP", `Cannot stream images of ${planes.length} separate planes: set another format`);
  }
  const name = pixelFormatNamed(pixelFormat);
  if (name !== undefined) {
    const image = imageFormat(name, width, height);
    if (image.size === plane.size && image.planes[0].stride === plane.stride) return image;
  }
  return rawFormat(plane.size);
}

const FRAMES: Kind = {
  wanted: "an integer of at least 1, or Infinity",
  isKind: (value) => typeof value === "number",
  isTaken: (frames: number) => frames === Infinity || (Number.isSafeInteger(frames) && frames >= 1),
};

/** What a recorded frame says of itself, in at most 48 bytes of data. */
export type RecordedData = {
  /** Counted by the camera from 0; a gap is an image that was lost. */
  readonly sequence: number;
  /** The image's bytes: of a compressed image, as MJPEG, the frame has no others. */
  readonly bytesUsed: number;
};

/** How {@link record} takes images, and publishes them. */
export interface RecordOptions extends WaitOptions {
  /** Ends after so many images. Default: when the stream has ended. */
  readonly frames?: number;
  /**
   * Publishes an image that the camera has written into the loan. Default: with the camera's time, and with
   * {@link RecordedData} as the frame's data.
   */
  readonly publish?: (loan: Loan, image: Dequeued) => void;
}

const OPTIONS: Kinds<RecordOptions> = { ...WAIT, frames: FRAMES, publish: FUNCTION };

/**
 * Publishes a camera's images in a stream, without a copy: the camera writes into the stream's own buffers. Resolves when
 * the stream has ended.
 *
 * @param stream Made by this agent in a domain between processes, with {@link streamFormat} and at least 3 buffers. Its
 *   buffers are the camera's as long as they are loans.
 * @param options `signal` ends the recording, and `timeout` is the longest wait for an image, in milliseconds.
 * @returns How many images were published.
 * @throws {DmaBufError} `EOPNOTSUPP` in a domain of threads; `EBUSY` if another program uses the camera; `ETIMEDOUT`;
 *   `ENODEV` if the camera is gone.
 *
 * @example
 * ```ts device
 * import { record, streamFormat, VideoDevice } from "dmabuf/linux";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.listen("@camera");
 * using camera = VideoDevice.open("/dev/video0");
 * using stream = domain.createStream({ name: "camera", format: streamFormat(camera.format("capture")), buffers: 6 });
 * console.log(await record(camera, stream, { frames: 100, timeout: 5000 })); // 100
 * ```
 */
export async function record(device: VideoDevice, stream: FrameStream, options: RecordOptions = {}): Promise<number> {
  check("record()", "device", device, VIDEO_DEVICE);
  check("record()", "stream", stream, FRAME_STREAM);
  checkOptions("record()", options, OPTIONS);
  const { frames = Infinity, publish = publishAsTaken, ...waiting } = options;
  const queue = device.createQueue("capture", { memory: "dma-buf", buffers: AT_THE_CAMERA });
  const exported = new Map<number, ExportedBuffer>();
  const filling = new Map<number, Loan>();
  let count = 0;
  try {
    for (let free = Array.from({ length: queue.size }, (_, i) => i); ;) {
      for (const index of free) {
        const loan = await stream.loan(waiting);
        if (loan === undefined) return count;
        filling.set(index, loan);
        let known = exported.get(loan.buffer.inode);
        if (known === undefined) exported.set(loan.buffer.inode, (known = await ExportedBuffer.create(loan.buffer)));
        queue.enqueue(index, { planes: [known.descriptor] });
      }
      if (filling.size === queue.size && !queue.isRunning) queue.start();
      const image = await queue.dequeue(waiting);
      const loan = filling.get(image.index)!;
      filling.delete(image.index);
      if (image.isDamaged) loan[Symbol.dispose]();
      else if (!published(() => publish(loan, image), loan) || ++count === frames) return count;
      free = [image.index];
    }
  } finally {
    giveBack(
      // The device writes no more before the loans are given back.
      () => queue.close(),
      ...[...filling.values()].map((loan) => () => loan[Symbol.dispose]()),
      ...[...exported.values()].map((buffer) => () => buffer.close()),
    );
  }
}

function publishAsTaken(loan: Loan, { timestampNs, sequence, bytesUsed }: Dequeued): void {
  const [used] = bytesUsed;
  const data: RecordedData = { sequence, bytesUsed: used! };
  const length = isLengthOf(loan.format, used!) ? used! : loan.format.size;
  loan.publish({ timestamp: Number(timestampNs), data, length });
}

/** False if the stream has ended. */
function published(publish: () => void, loan: Loan): boolean {
  try {
    publish();
    return true;
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "EPIPE") return false;
    throw error;
  } finally {
    // It was given back if it was published.
    loan[Symbol.dispose]();
  }
}

/** One is being filled, one is next. */
const AT_THE_CAMERA = 2;
