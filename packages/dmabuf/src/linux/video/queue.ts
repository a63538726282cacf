import { ARRAY, check, checkList, checkOptions, oneOf, withCode, type Kinds } from "../../arguments.js";
import { take, takeSync, type Steps } from "../../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import { threadsHost } from "../../host/threads.js";
import { addressOf } from "../../node/system-calls/index.js";
import { DMA_BUF_DESCRIPTOR, ownDmaBuf, type DmaBufDescriptor } from "../dma-buf.js";
import { giveBack } from "../give-back.js";
import { COUNT, U32 } from "../kinds.js";
import { packAll, unpackAll } from "../struct.js";
import { untilReady } from "../wait.js";
import { requestOf, type Descriptor } from "../descriptor.js";
import type { VideoDirection, VideoFormat } from "./format.js";
import { BUFFER_FLAG, MEMORY, MOST_PLANES, PLANE, queueType, VIDEO } from "./requests.js";

/** How {@link VideoDevice.createQueue} makes a queue. */
export interface VideoQueueOptions {
  /** How many buffers. Default 4; the driver may make more, or fewer. */
  readonly buffers?: number;
  /**
   * Whose memory the images are in: the device's own, which it exports, or dma-bufs that are given to it with each
   * buffer. Default "device".
   */
  readonly memory?: "device" | "dma-buf";
}

export const QUEUE: Kinds<VideoQueueOptions> = { buffers: COUNT, memory: oneOf(["device", "dma-buf"]) };

const INDEX = withCode("EINVAL", U32);
const ENQUEUED: Kinds<Enqueued> = { planes: ARRAY, bytesUsed: ARRAY };

/** What is given to the device with a buffer. */
export interface Enqueued {
  /** A dma-buf for each plane, in a queue for these. They may be closed again: the device holds them. */
  readonly planes?: readonly DmaBufDescriptor[];
  /** Bytes of each plane that are filled, for output. Default: all. */
  readonly bytesUsed?: readonly number[];
}

/** A buffer that the device has done with. */
export interface Dequeued {
  /** The buffer's number in the queue, from 0. */
  readonly index: number;
  /** Counted by the device from 0; a gap is a frame that was lost. */
  readonly sequence: number;
  /** Nanoseconds, mostly monotonic. */
  readonly timestampNs: bigint;
  /** Bytes of each plane that are filled. */
  readonly bytesUsed: readonly number[];
  /** The device could not fill it well; it may still be given back. */
  readonly isDamaged: boolean;
}

/** What a queue needs of its device. */
interface QueueDevice extends Descriptor {
  readonly path: string;
  readonly capabilities: { readonly isMultiPlanar: boolean };
}

/** Made by `VideoDevice.createQueue()`. */
export let makeVideoQueue: (
  device: QueueDevice,
  direction: VideoDirection,
  format: VideoFormat,
  options: VideoQueueOptions,
) => VideoQueue;

/**
 * A device's buffers, which go to and fro between it and the program.
 *
 * @example
 * ```ts device
 * import { VideoDevice } from "dmabuf/linux";
 *
 * using camera = VideoDevice.open("/dev/video0");
 * using queue = camera.createQueue("capture", { buffers: 4 });
 * for (let index = 0; index < queue.size; index++) queue.enqueue(index);
 * queue.start();
 * const image = await queue.dequeue({ timeout: 1_000 });
 * using plane = queue.export(image.index);
 * console.log(plane.size, image.bytesUsed);
 * ```
 */
export class VideoQueue implements Disposable {
  /** Whether images come from the device, or go to it. */
  readonly direction: VideoDirection;
  /** How the images look. */
  readonly format: VideoFormat;
  /** How many buffers there are: indices count from 0. */
  readonly size: number;
  readonly #device: QueueDevice;
  readonly #type: number;
  readonly #memory: number;
  #running = false;
  #closed = false;

  static {
    makeVideoQueue = (device, direction, format, options) => new VideoQueue(device, direction, format, options);
  }

  private constructor(device: QueueDevice, direction: VideoDirection, format: VideoFormat, options: VideoQueueOptions) {
    const { buffers = 4, memory = "device" } = options;
    this.#device = device;
    this.direction = direction;
    this.format = format;
    this.#type = queueType(device.capabilities, direction);
    this.#memory = memory === "device" ? MEMORY.DEVICE : MEMORY.DMABUF;
    this.size = this.#requestBuffers(buffers);
    if (this.size === 0) throw new DmaBufError("ENOMEM", `Cannot get buffers of ${device.path}: it made none`);
  }

  /**
   * The memory of a plane of one of the device's buffers as a dma-buf, the same at each call.
   *
   * @throws {DmaBufError} `EINVAL` for a buffer or plane that is not there, or a queue for dma-bufs of others.
   */
  export(index: number, plane = 0): DmaBufDescriptor {
    check("VideoQueue.export()", "index", index, INDEX);
    check("VideoQueue.export()", "plane", plane, INDEX);
    const given = { type: this.#type, index, plane, flags: O_RDWR_CLOEXEC, fd: -1 };
    const action = `Cannot export buffer ${index} of ${this.#device.path}`;
    return ownDmaBuf(requestOf(this.#device, VIDEO.EXPBUF, given, action).fd);
  }

  /**
   * Gives a buffer to the device: to be filled, or with an image.
   *
   * @throws {DmaBufError} `EINVAL` if the device has it already, or a dma-buf is missing, too small or of no use to it.
   */
  enqueue(index: number, options: Enqueued = {}): void {
    check("VideoQueue.enqueue()", "index", index, INDEX);
    checkOptions("VideoQueue.enqueue()", options, ENQUEUED);
    const { planes = [], bytesUsed = [] } = options;
    checkList("VideoQueue.enqueue()", "planes", planes, DMA_BUF_DESCRIPTOR);
    checkList("VideoQueue.enqueue()", "bytesUsed", bytesUsed, U32);
    const lengths = this.format.planes.map(({ size }, i) => bytesUsed[i] ?? (this.direction === "output" ? size : 0));
    const fds = this.format.planes.map((_, i) => planes[i]?.fd ?? -1);
    const isOurs = this.#memory === MEMORY.DMABUF;
    const packed = packAll(
      PLANE,
      lengths.map((used, i) => ({
        bytesUsed: used,
        ...(isOurs && { memory: BigInt.asUintN(32, BigInt(fds[i]!)), length: planes[i]?.size ?? 0 }),
      })),
    );
    const single = {
      bytesUsed: lengths[0]!,
      ...(isOurs && { memory: BigInt.asUintN(32, BigInt(fds[0]!)), length: planes[0]?.size ?? 0 }),
    };
    const multi = { memory: addressOf(packed), length: lengths.length };
    const given = { ...this.#head(index), ...(this.#isMultiPlanar ? multi : single) };
    requestOf(this.#device, VIDEO.QBUF, given, `Cannot give buffer ${index} to ${this.#device.path}`);
  }

  /**
   * A buffer that the device has done with, in the order in which it was given.
   *
   * @returns `undefined` if there is none now.
   * @throws {DmaBufError} `EIO` if the device failed; `ENODEV` if it is gone; `EINVAL` if it does not run; `EPIPE` after the
   *   last frame.
   */
  tryDequeue(): Dequeued | undefined {
    const planes = new Uint8Array(new ArrayBuffer(PLANE.size * MOST_PLANES));
    const multi = { memory: addressOf(planes), length: MOST_PLANES };
    const given = { ...this.#head(0), ...(this.#isMultiPlanar && multi) };
    try {
      const done = requestOf(this.#device, VIDEO.DQBUF, given, `Cannot take a buffer of ${this.#device.path}`);
      const bytesUsed = this.#isMultiPlanar
        ? unpackAll(PLANE, planes, this.format.planes.length).map((plane) => plane.bytesUsed)
        : [done.bytesUsed];
      return {
        index: done.index,
        sequence: done.sequence,
        timestampNs: done.seconds * 1_000_000_000n + done.microseconds * 1000n,
        bytesUsed,
        isDamaged: (done.flags & BUFFER_FLAG.ERROR) !== 0,
      };
    } catch (error) {
      if (error instanceof DmaBufError && error.code === "EAGAIN") return undefined;
      throw error;
    }
  }

  /**
   * As {@link tryDequeue}, waiting for it.
   *
   * @param options `timeout` in milliseconds, by default no limit, and `signal`, which ends the wait.
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; the signal's reason if it aborts.
   */
  async dequeue(options: WaitOptions = {}): Promise<Dequeued> {
    checkWait("VideoQueue.dequeue()", options);
    return take({ host: threadsHost() }, this.#dequeue(options.timeout), options);
  }

  /** As {@link dequeue}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  dequeueSync(options: { readonly timeout?: number } = {}): Dequeued {
    checkWaitSync("VideoQueue.dequeueSync()", options);
    return takeSync({ host: threadsHost() }, this.#dequeue(options.timeout), options.timeout);
  }

  *#dequeue(timeout: number | undefined): Steps<Dequeued> {
    for (;;) {
      const done = this.tryDequeue();
      if (done !== undefined) return done;
      if (yield untilReady(this.#device, this.direction === "capture" ? "input" : "output")) continue;
      throw new DmaBufError("ETIMEDOUT", `Cannot take a buffer of ${this.#device.path} in ${timeout} ms`);
    }
  }

  /** Whether the device works on the buffers. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** The device begins. @throws {DmaBufError} `EINVAL` without enough buffers in the queue; `EBUSY`; `EPIPE`. */
  start(): void {
    requestOf(this.#device, VIDEO.STREAMON, { type: this.#type }, `Cannot start ${this.#device.path}`);
    this.#running = true;
  }

  /** The device ends; all buffers are the program's again. */
  stop(): void {
    requestOf(this.#device, VIDEO.STREAMOFF, { type: this.#type }, `Cannot stop ${this.#device.path}`);
    this.#running = false;
  }

  /** Ends the device's work, and gives its buffers back; dma-bufs of them live on. Twice does nothing, and nothing fails. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#device.isClosed) return;
    const running = this.#running;
    this.#running = false;
    giveBack(
      () => running && this.stop(),
      () => this.#requestBuffers(0),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #isMultiPlanar(): boolean {
    return this.#device.capabilities.isMultiPlanar;
  }

  #head(index: number): { index: number; type: number; memoryKind: number } {
    return { index, type: this.#type, memoryKind: this.#memory };
  }

  #requestBuffers(count: number): number {
    const given = { count, type: this.#type, memory: this.#memory };
    return requestOf(this.#device, VIDEO.REQBUFS, given, `Cannot get ${count} buffers of ${this.#device.path}`, {
      EBUSY: "another program uses it, or images of it are still mapped",
      EINVAL: "it has no such queue, or cannot use such memory",
    }).count;
  }
}

const O_RDWR_CLOEXEC = 0o2000002;
