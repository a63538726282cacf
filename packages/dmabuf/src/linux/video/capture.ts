import { allOrNothing } from "../../all-or-nothing.js";
import { check, checkOptions, type Kinds } from "../../arguments.js";
import { WAIT, type WaitOptions } from "../../domain/wait.js";
import type { DmaBufDescriptor } from "../dma-buf.js";
import { giveBack } from "../give-back.js";
import { COUNT } from "../kinds.js";
import type { MemoryView } from "../memory-view.js";
import { VIDEO_DEVICE, type VideoDevice } from "./device.js";
import type { VideoFormat } from "./format.js";
import type { Dequeued, VideoQueue } from "./queue.js";

/** One image of a camera, in the camera's own memory. Dispose it to give the memory back to the camera. */
export interface CapturedFrame extends Disposable, Dequeued {
  /** How the image is arranged. */
  readonly format: VideoFormat;
  /** The bytes of each plane that are filled, in place; not to be used after the end. */
  readonly bytes: readonly Uint8Array[];
  /** Each plane as a dma-buf, for other devices. They are the capture's. */
  readonly planes: readonly DmaBufDescriptor[];
}

/** How {@link capture} takes images. `timeout` and `signal` are of the wait for each one. */
export interface CaptureOptions extends WaitOptions {
  /** Images in the camera's memory. Default 4. */
  readonly buffers?: number;
}

const OPTIONS: Kinds<CaptureOptions> = { ...WAIT, buffers: COUNT };

/**
 * The images of a camera, without a copy, until the loop is left. A frame that is not disposed is missing to the camera:
 * when it has none left, it drops images.
 *
 * @param options `timeout`: how long to wait for each image, in milliseconds; `signal` ends the wait.
 * @throws {DmaBufError} `ETIMEDOUT`; `EBUSY` if another program uses the camera; `EIO` if it failed; `ENODEV`
 *   if it is gone.
 *
 * @example
 * ```ts device
 * import { capture, VideoDevice } from "dmabuf/linux";
 *
 * using camera = VideoDevice.open("/dev/video0");
 * for await (using frame of capture(camera, { timeout: 5000 })) {
 *   console.log(frame.sequence, frame.bytes[0]?.length);
 *   if (frame.sequence >= 30) break;
 * }
 * ```
 */
export function capture(device: VideoDevice, options: CaptureOptions = {}): AsyncGenerator<CapturedFrame> {
  check("capture()", "device", device, VIDEO_DEVICE);
  checkOptions("capture()", options, OPTIONS);
  return images(device, options);
}

async function* images(device: VideoDevice, options: CaptureOptions): AsyncGenerator<CapturedFrame> {
  const { buffers, ...waiting } = options;
  using queue = device.createQueue("capture", buffers === undefined ? {} : { buffers });
  const mapped: MappedBuffer[] = [];
  try {
    for (let index = 0; index < queue.size; index++) {
      mapped.push(new MappedBuffer(queue, index));
      queue.enqueue(index);
    }
    queue.start();
    for (;;) {
      const done = await queue.dequeue(waiting);
      yield mapped[done.index]!.begin(done);
    }
  } finally {
    giveBack(...mapped.map((buffer) => () => buffer.close()));
  }
}

/** A buffer of the device's, mapped for as long as it captures. */
class MappedBuffer {
  readonly index: number;
  readonly #queue: VideoQueue;
  readonly #planes: DmaBufDescriptor[] = [];
  readonly #views: MemoryView[] = [];
  #end: (() => void) | undefined;

  constructor(queue: VideoQueue, index: number) {
    this.#queue = queue;
    this.index = index;
    allOrNothing((orUndo) => {
      orUndo(() => this.close());
      for (const plane of queue.format.planes.keys()) this.#planes.push(queue.export(index, plane));
      for (const plane of this.#planes) this.#views.push(plane.map());
    });
  }

  begin(done: Dequeued): CapturedFrame {
    for (const plane of this.#planes) plane.beginCpuAccessSync("read");
    const end = (): void => {
      if (this.#end !== end) return;
      this.#end = undefined;
      // If the camera cannot take it, the next wait for an image says so.
      giveBack(...this.#planes.map((plane) => () => plane.endCpuAccess("read")), () => this.#queue.enqueue(this.index));
    };
    this.#end = end;
    return {
      ...done,
      format: this.#queue.format,
      bytes: this.#views.map(({ bytes }, i) => bytes.subarray(0, done.bytesUsed[i])),
      planes: this.#planes,
      [Symbol.dispose]: end,
    };
  }

  close(): void {
    this.#end = undefined;
    giveBack(...[...this.#views, ...this.#planes].map((each) => () => each.close()));
  }
}
