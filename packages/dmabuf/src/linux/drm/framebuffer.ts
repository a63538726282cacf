import { check, checkObject, instance, required, type Kinds } from "../../arguments.js";
import { giveBack } from "../give-back.js";
import { COUNT, PIXEL_FORMAT, U32 } from "../kinds.js";
import { fromCharacters } from "../pixel-format.js";
import { DRM_BUFFER, type DrmBuffer, type DrmDevice } from "./device.js";
import { MODE } from "./mode-requests.js";
import { requestOf } from "../descriptor.js";

/** How an image lies in a buffer, for a display. */
export interface FramebufferLayout {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /**
   * Four characters, as "XR24": in memory blue, green, red and a byte without meaning.
   *
   * @see linux/include/uapi/drm/drm_fourcc.h
   */
  readonly pixelFormat: string;
  /** One, or as many as the format has: up to 4, all in the same buffer. */
  readonly planes: readonly {
    /** Bytes from the start of the buffer. */
    readonly offset: number;
    /** Bytes from one row to the next. */
    readonly stride: number;
  }[];
}

const LAYOUT: Kinds<FramebufferLayout> = {
  width: required(COUNT),
  height: required(COUNT),
  pixelFormat: required(PIXEL_FORMAT),
  planes: required({
    wanted: "an array of 1 to 4 planes",
    isKind: (value) => Array.isArray(value),
    isTaken: (planes: readonly unknown[]) => planes.length >= 1 && planes.length <= 4,
  }),
};
const PLANE: Kinds<FramebufferLayout["planes"][number]> = { offset: required(U32), stride: required(U32) };

/**
 * An image that a display can show, in the memory of a buffer.
 *
 * @example
 * ```ts device
 * import { Display, DrmDevice, Framebuffer } from "dmabuf/linux";
 *
 * using card = DrmDevice.open("/dev/dri/card0");
 * using display = Display.open(card);
 * using buffer = card.createDumbBuffer(display.mode.width, display.mode.height);
 * using image = Framebuffer.create(buffer);
 * await display.show(image);
 * ```
 */
export class Framebuffer implements Disposable {
  /** The device that can show the image. */
  readonly device: DrmDevice;
  /** How the image lies in the buffer. */
  readonly layout: FramebufferLayout;
  /** A number that means something to this device alone. */
  readonly id: number;
  #closed = false;

  /**
   * Makes an image of a buffer of a device.
   *
   * @param buffer Stays the caller's; the image holds the memory by itself.
   * @param layout Default: that of a buffer that was made as an image of 32 bits a pixel, as "XR24".
   * @throws {DmaBufError} `EINVAL` if no plane of the device can show such an image, or it does not fit into the buffer.
   */
  static create(buffer: DrmBuffer, layout?: FramebufferLayout): Framebuffer {
    check("Framebuffer.create()", "buffer", buffer, DRM_BUFFER);
    layout ??= dumbLayout(buffer);
    checkObject("Framebuffer.create()", "layout", layout, LAYOUT);
    layout.planes.forEach((plane, i) => checkObject("Framebuffer.create()", `layout.planes[${i}]`, plane, PLANE));
    return new Framebuffer(buffer, layout);
  }

  private constructor(buffer: DrmBuffer, layout: FramebufferLayout) {
    const { device, handle } = buffer;
    const { width, height, pixelFormat, planes } = layout;
    this.device = device;
    this.layout = layout;
    this.id = requestOf(
      device,
      MODE.ADDFB2,
      {
        width,
        height,
        pixelFormat: fromCharacters(pixelFormat),
        handles: fourWords(planes.map(() => handle)),
        pitches: fourWords(planes.map(({ stride }) => stride)),
        offsets: fourWords(planes.map(({ offset }) => offset)),
      },
      `Cannot show images of ${width}×${height} in ${pixelFormat} on ${device.path}`,
      {
        EINVAL: "the driver has no such pixel format, or the size, the strides or the buffer do not fit",
        EOPNOTSUPP: "the device can have no display",
        EACCES: "a render node shows nothing: use the card",
      },
    ).framebuffer;
  }

  /** Lets the image go; a display that shows it goes dark. Twice does nothing. */
  close(): void {
    if (this.#closed || this.device.isClosed) return;
    this.#closed = true;
    giveBack(() => requestOf(this.device, MODE.RMFB, { framebuffer: this.id }, `Cannot remove the image ${this.id}`));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What an argument `image` must be. */
export const FRAMEBUFFER = instance(Framebuffer);

function dumbLayout({ layout, handle }: DrmBuffer): FramebufferLayout {
  if (layout?.bitsPerPixel !== 32) throw new TypeError(`The layout of buffer ${handle} must be given`);
  const { width, height, pitch } = layout;
  return { width, height, pixelFormat: "XR24", planes: [{ offset: 0, stride: pitch }] };
}

function fourWords(values: readonly number[]): Uint8Array {
  const words = new Uint32Array(new ArrayBuffer(16));
  words.set(values);
  return new Uint8Array(words.buffer);
}
