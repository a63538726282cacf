import { constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { allOrNothing } from "../../all-or-nothing.js";
import { check, checkObject, checkOptions, instance, oneOf, type Kinds } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import { Descriptor, requestOf } from "../descriptor.js";
import { openDevice } from "../open-device.js";
import { PATH, PIXEL_FORMAT, U32 } from "../kinds.js";
import { fourCharacters, fromCharacters } from "../pixel-format.js";
import { unpackAll } from "../struct.js";
import type { VideoDirection, VideoFormat } from "./format.js";
import { makeVideoQueue, QUEUE, type VideoQueue, type VideoQueueOptions } from "./queue.js";
import { CAPABILITY, MULTI_FORMAT, PLANE_FORMAT, queueType, SINGLE_FORMAT, VIDEO } from "./requests.js";

/** What a video device can do. */
export interface VideoCapabilities {
  /** The driver's name, as "vivid". */
  readonly driver: string;
  /** The device's name, for people. */
  readonly card: string;
  /** Whether frames come from it: a camera. */
  readonly captures: boolean;
  /** Whether frames go to it. */
  readonly outputs: boolean;
  /** Whether it makes frames of frames: both of them, as one device. */
  readonly converts: boolean;
  /** Whether it has queues of buffers at all. */
  readonly streams: boolean;
  /** Whether images may have several planes, each in a dma-buf of its own. */
  readonly isMultiPlanar: boolean;
}

const DIRECTION = oneOf(["capture", "output"]);
const WANTED: Kinds<Partial<Omit<VideoFormat, "planes">>> = { pixelFormat: PIXEL_FORMAT, width: U32, height: U32 };

/**
 * A camera, or another device for moving images.
 *
 * @example
 * ```ts device
 * import { VideoDevice } from "dmabuf/linux";
 *
 * console.log(VideoDevice.list());
 * using camera = VideoDevice.open("/dev/video0");
 * console.log(camera.capabilities.card, camera.pixelFormats("capture"));
 * camera.setFormat("capture", { pixelFormat: "NV12", width: 640, height: 480 });
 * ```
 */
export class VideoDevice extends Descriptor {
  /** The path of its device file. */
  readonly path: string;
  /** What the device can do. */
  readonly capabilities: VideoCapabilities;

  private constructor(fd: number, path: string) {
    super(fd, `the video device ${path}`);
    this.path = path;
    this.capabilities = allOrNothing((orUndo) => {
      orUndo(() => this.close());
      return this.#capabilities();
    });
  }

  /** The paths of this machine's video devices. */
  static list(): string[] {
    try {
      return readdirSync("/dev")
        .filter((name) => /^video\d+$/.test(name))
        .sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)))
        .map((name) => join("/dev", name));
    } catch {
      return [];
    }
  }

  /**
   * Opens a device by its path.
   *
   * @throws {DmaBufError} `ENOENT` if there is none; `EACCES` without the right to it; `ENOTTY` if it is something else.
   */
  static open(path: string): VideoDevice {
    check("VideoDevice.open()", "path", path, PATH);
    return new VideoDevice(openDevice(path, "the video device", "read-write", constants.O_NONBLOCK), path);
  }

  /** The pixel formats of a direction, each four characters. */
  pixelFormats(direction: VideoDirection): string[] {
    check("VideoDevice.pixelFormats()", "direction", direction, DIRECTION);
    const formats: string[] = [];
    for (let index = 0; ; index++) {
      try {
        const { pixelFormat } = requestOf(this, VIDEO.ENUM_FMT, {
          index,
          type: queueType(this.capabilities, direction),
        });
        formats.push(fourCharacters(pixelFormat));
      } catch (error) {
        if (error instanceof DmaBufError && error.code === "EINVAL") return formats;
        throw error;
      }
    }
  }

  /** How the images of a direction look now. @throws {DmaBufError} `EINVAL` if the device has no such direction. */
  format(direction: VideoDirection): VideoFormat {
    check("VideoDevice.format()", "direction", direction, DIRECTION);
    const action = `Cannot ask ${this.path} for its format`;
    return this.#unpack(requestOf(this, VIDEO.G_FMT, { type: queueType(this.capabilities, direction) }, action).format);
  }

  /**
   * Asks for another format. The device takes the nearest that it can.
   *
   * @returns What it has taken.
   * @throws {DmaBufError} `EBUSY` while there are buffers; `EINVAL` if the device has no such direction.
   */
  setFormat(direction: VideoDirection, wanted: Partial<Omit<VideoFormat, "planes">>): VideoFormat {
    check("VideoDevice.setFormat()", "direction", direction, DIRECTION);
    checkObject("VideoDevice.setFormat()", "wanted", wanted, WANTED);
    const type = queueType(this.capabilities, direction);
    const { width, height, pixelFormat } = { ...this.format(direction), ...wanted };
    const struct = this.capabilities.isMultiPlanar ? MULTI_FORMAT : SINGLE_FORMAT;
    const format = new Uint8Array(200);
    // A driver takes what it prefers for sizes and strides that are 0.
    (struct as typeof SINGLE_FORMAT).write(format, { width, height, pixelFormat: fromCharacters(pixelFormat) });
    const action = `Cannot set the format of ${this.path} to ${pixelFormat} ${width}×${height}`;
    const reasons = { EBUSY: "it has buffers, or another program uses it" };
    const taken = requestOf(this, VIDEO.S_FMT, { type, format }, action, reasons);
    return this.#unpack(taken.format);
  }

  /**
   * The queue of a direction, with buffers of its own.
   *
   * @throws {DmaBufError} `EINVAL` if the device or its driver cannot do it so; `EBUSY` if another program uses it.
   */
  createQueue(direction: VideoDirection, options: VideoQueueOptions = {}): VideoQueue {
    check("VideoDevice.createQueue()", "direction", direction, DIRECTION);
    checkOptions("VideoDevice.createQueue()", options, QUEUE);
    return makeVideoQueue(this, direction, this.format(direction), options);
  }

  #capabilities(): VideoCapabilities {
    const action = `Cannot use ${this.path} as a video device`;
    const { driver, card, deviceCapabilities } = requestOf(this, VIDEO.QUERYCAP, {}, action);
    const has = (bits: number): boolean => (deviceCapabilities & bits) !== 0;
    const { CAPTURE, CAPTURE_MULTI, OUTPUT, OUTPUT_MULTI, CONVERT, CONVERT_MULTI, STREAMING } = CAPABILITY;
    const converts = has(CONVERT | CONVERT_MULTI);
    return {
      driver,
      card,
      captures: converts || has(CAPTURE | CAPTURE_MULTI),
      outputs: converts || has(OUTPUT | OUTPUT_MULTI),
      converts,
      streams: has(STREAMING),
      isMultiPlanar: has(CAPTURE_MULTI | OUTPUT_MULTI | CONVERT_MULTI),
    };
  }

  #unpack(bytes: Uint8Array): VideoFormat {
    if (!this.capabilities.isMultiPlanar) {
      const { pixelFormat, width, height, stride, size } = SINGLE_FORMAT.unpack(bytes);
      return { pixelFormat: fourCharacters(pixelFormat), width, height, planes: [{ stride, size }] };
    }
    const { pixelFormat, width, height, planeCount, planes } = MULTI_FORMAT.unpack(bytes);
    const each = unpackAll(PLANE_FORMAT, planes, planeCount).map(({ stride, size }) => ({ stride, size }));
    return { pixelFormat: fourCharacters(pixelFormat), width, height, planes: each };
  }
}

/** What an argument `device` must be, of functions for moving images. */
export const VIDEO_DEVICE = instance(VideoDevice);
