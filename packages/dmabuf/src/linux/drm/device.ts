import { constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import { check, instance, NAME, oneOf } from "../../arguments.js";
import { HANDLE_MODE } from "../../buffer/handle.js";
import { addressOf } from "../../node/system-calls/index.js";
import { Descriptor, requestOf } from "../descriptor.js";
import { openDevice } from "../open-device.js";
import { DMA_BUF_DESCRIPTOR, ownDmaBuf, type DmaBufDescriptor } from "../dma-buf.js";
import { giveBack } from "../give-back.js";
import { request } from "../ioctl.js";
import { COUNT, PATH } from "../kinds.js";
import { createMemoryView, type MemoryView } from "../memory-view.js";

const O_CLOEXEC = 0o2000000;

const PRIME = { handle: "u32", flags: "u32", fd: "s32" } as const;

/** @see linux/include/uapi/drm/drm.h */
export const DRM = {
  VERSION: request("DRM_IOCTL_VERSION", "read-write", "d", 0x00, {
    major: "s32",
    minor: "s32",
    patch: "s32",
    nameLength: "u64",
    name: "u64",
    dateLength: "u64",
    date: "u64",
    descriptionLength: "u64",
    description: "u64",
  }),
  GET_CAP: request("DRM_IOCTL_GET_CAP", "read-write", "d", 0x0c, { capability: "u64", value: "u64" }),
  GEM_CLOSE: request("DRM_IOCTL_GEM_CLOSE", "write", "d", 0x09, { handle: "u32", pad: "u32" }),
  PRIME_HANDLE_TO_FD: request("DRM_IOCTL_PRIME_HANDLE_TO_FD", "read-write", "d", 0x2d, PRIME),
  PRIME_FD_TO_HANDLE: request("DRM_IOCTL_PRIME_FD_TO_HANDLE", "read-write", "d", 0x2e, PRIME),
  CREATE_DUMB: request("DRM_IOCTL_MODE_CREATE_DUMB", "read-write", "d", 0xb2, {
    height: "u32",
    width: "u32",
    bitsPerPixel: "u32",
    flags: "u32",
    handle: "u32",
    pitch: "u32",
    size: "u64",
  }),
  MAP_DUMB: request("DRM_IOCTL_MODE_MAP_DUMB", "read-write", "d", 0xb3, { handle: "u32", pad: "u32", offset: "u64" }),
  DESTROY_DUMB: request("DRM_IOCTL_MODE_DESTROY_DUMB", "read-write", "d", 0xb4, { handle: "u32" }),
} as const;

/** What a graphics device may be able to do, as the kernel names it. */
export type DrmCapability = "DUMB_BUFFER" | "PRIME" | "SYNCOBJ" | "SYNCOBJ_TIMELINE";

const DRM_CAPABILITY: Readonly<Record<DrmCapability, number>> = {
  DUMB_BUFFER: 0x1,
  PRIME: 0x5,
  SYNCOBJ: 0x13,
  SYNCOBJ_TIMELINE: 0x14,
};

const CAPABILITY = oneOf(Object.keys(DRM_CAPABILITY));
const KIND = oneOf(["card", "renderD", ""]);

export const DRM_FOLDER = "/dev/dri";

/** What a graphics device says of its driver. */
export interface DrmVersion {
  /** The driver's name, as "i915" or "vgem". */
  readonly name: string;
  /** The driver's own version, as "1.6.0". */
  readonly version: string;
  /** The driver's own words about itself. */
  readonly description: string;
}

/** An image in a device's memory that the processor can fill. Its sizes are the driver's answer. */
export interface DumbBufferLayout {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Bits of one pixel. */
  readonly bitsPerPixel: number;
  /** Bytes from one row to the next. */
  readonly pitch: number;
  /** Bytes of all. */
  readonly size: number;
}

let endUse: (device: DrmDevice, handle: number) => void;
let makeBuffer: (device: DrmDevice, handle: number, layout: DumbBufferLayout | undefined) => DrmBuffer;

/**
 * A graphics device: a card, or the render node of one.
 *
 * @example
 * ```ts device
 * import { DrmDevice } from "dmabuf/linux";
 *
 * console.log(DrmDevice.list());
 * using card = DrmDevice.find("vgem", "card");
 * using image = card?.createDumbBuffer(640, 480);
 * using buffer = image?.export();
 * ```
 */
export class DrmDevice extends Descriptor {
  /** The path of its device file. */
  readonly path: string;
  /** How many objects here have a handle: the kernel gives the same one for a buffer that it knows already. */
  readonly #uses = new Map<number, number>();

  static {
    endUse = (device, handle) => device.#endUse(handle);
  }

  private constructor(fd: number, path: string) {
    super(fd, `the graphics device ${path}`);
    this.path = path;
  }

  /** The paths of this machine's cards and render nodes. */
  static list(): string[] {
    try {
      return readdirSync(DRM_FOLDER)
        .filter((name) => /^(card|renderD)\d+$/.test(name))
        .sort()
        .map((name) => join(DRM_FOLDER, name));
    } catch {
      return [];
    }
  }

  /** Opens a device by its path. @throws {DmaBufError} `ENOENT` if there is none; `EACCES` without the right to it. */
  static open(path: string): DrmDevice {
    check("DrmDevice.open()", "path", path, PATH);
    return new DrmDevice(openDevice(path, "the graphics device"), path);
  }

  /**
   * The first device of a driver, as "vgem".
   *
   * @param kind Only a card, which can show images, or only a render node, which any program may use. Default: any.
   * @returns `undefined` if there is none that this user may open.
   */
  static find(driver: string, kind: "card" | "renderD" | "" = ""): DrmDevice | undefined {
    check("DrmDevice.find()", "driver", driver, NAME);
    check("DrmDevice.find()", "kind", kind, KIND);
    for (const path of DrmDevice.list().filter((each) => each.startsWith(join(DRM_FOLDER, kind)))) {
      let device: DrmDevice | undefined;
      try {
        device = DrmDevice.open(path);
        if (device.version.name === driver) return device;
      } catch {
        // No right to it, or it has just gone: it is not the one.
      }
      device?.close();
    }
    return undefined;
  }

  /** Which driver the device has. @throws {DmaBufError} `EBADF` after the close. */
  get version(): DrmVersion {
    const [name, description] = [Buffer.alloc(256), Buffer.alloc(256)];
    const given = {
      nameLength: name.length,
      name: addressOf(name),
      descriptionLength: description.length,
      description: addressOf(description),
    };
    const version = requestOf(this, DRM.VERSION, given, `Cannot ask ${this.path} for its driver`);
    return {
      name: name.toString("utf8", 0, Number(version.nameLength)),
      version: `${version.major}.${version.minor}.${version.patch}`,
      description: description.toString("utf8", 0, Number(version.descriptionLength)),
    };
  }

  /** The value of a capability, 0 for one that is missing or that the kernel does not know. */
  capability(name: DrmCapability): number {
    check("DrmDevice.capability()", "name", name, CAPABILITY);
    try {
      return Number(requestOf(this, DRM.GET_CAP, { capability: DRM_CAPABILITY[name] }).value);
    } catch {
      return 0;
    }
  }

  /** An image that the processor can fill. @throws {DmaBufError} `ENOSYS` or `EOPNOTSUPP` if the driver has none. */
  createDumbBuffer(width: number, height: number, bitsPerPixel = 32): DrmBuffer {
    check("DrmDevice.createDumbBuffer()", "width", width, COUNT);
    check("DrmDevice.createDumbBuffer()", "height", height, COUNT);
    check("DrmDevice.createDumbBuffer()", "bitsPerPixel", bitsPerPixel, COUNT);
    const action = `Cannot make an image of ${width}×${height}`;
    const { handle, pitch, size } = requestOf(this, DRM.CREATE_DUMB, { width, height, bitsPerPixel }, action, {
      EACCES: "a render node makes no such images: use the card",
      EINVAL: "the sizes must not be 0, nor the image too large",
    });
    this.#use(handle);
    return makeBuffer(this, handle, { width, height, bitsPerPixel, pitch, size: Number(size) });
  }

  /**
   * A dma-buf as a buffer of this device.
   *
   * @throws {DmaBufError} `EBADF` if it is closed; `EINVAL` if the driver cannot use its memory.
   */
  importBuffer(buffer: DmaBufDescriptor): DrmBuffer {
    check("DrmDevice.importBuffer()", "buffer", buffer, DMA_BUF_DESCRIPTOR);
    const action = `Cannot import the dma-buf into ${this.path}`;
    const { handle } = requestOf(this, DRM.PRIME_FD_TO_HANDLE, { fd: buffer.fd }, action);
    this.#use(handle);
    return makeBuffer(this, handle, undefined);
  }

  /** One more object has a handle. */
  #use(handle: number): void {
    this.#uses.set(handle, (this.#uses.get(handle) ?? 0) + 1);
  }

  /** The last use closes the handle. */
  #endUse(handle: number): void {
    const left = this.#uses.get(handle)! - 1;
    if (left > 0) return void this.#uses.set(handle, left);
    this.#uses.delete(handle);
    giveBack(() => requestOf(this, DRM.GEM_CLOSE, { handle }, `Cannot close buffer ${handle}`));
  }
}

/**
 * A buffer of a graphics device, by its handle there. {@link DrmDevice.createDumbBuffer} and {@link
 * DrmDevice.importBuffer} make it.
 *
 * @example
 * ```ts device
 * import { DrmDevice } from "dmabuf/linux";
 *
 * using card = DrmDevice.open("/dev/dri/card0");
 * using image = card.createDumbBuffer(640, 480);
 * using view = image.map();
 * view.bytes.fill(255);
 * using descriptor = image.export("read"); // for another device
 * console.log(image.layout?.pitch, descriptor.size);
 * ```
 */
export class DrmBuffer implements Disposable {
  /** The device that the handle is of. */
  readonly device: DrmDevice;
  /** A number that means something to this device alone. */
  readonly handle: number;
  /** The image that the buffer was made as; `undefined` of one that was imported. */
  readonly layout: DumbBufferLayout | undefined;
  #closed = false;

  static {
    makeBuffer = (device, handle, layout) => new DrmBuffer(device, handle, layout);
  }

  private constructor(device: DrmDevice, handle: number, layout: DumbBufferLayout | undefined) {
    this.device = device;
    this.handle = handle;
    this.layout = layout;
  }

  /**
   * The buffer as a dma-buf, which the caller closes.
   *
   * @param mode What may be mapped of it. The mode of the first export stays.
   * @throws {DmaBufError} `EBADF` if the device is closed; `ENOENT` if this buffer is; `EMFILE` without a free descriptor.
   */
  export(mode: "read" | "read-write" = "read-write"): DmaBufDescriptor {
    check("DrmBuffer.export()", "mode", mode, HANDLE_MODE);
    const flags = O_CLOEXEC | (mode === "read" ? constants.O_RDONLY : constants.O_RDWR);
    const action = `Cannot export buffer ${this.handle} of ${this.device.path}`;
    const { fd } = requestOf(this.device, DRM.PRIME_HANDLE_TO_FD, { handle: this.handle, flags, fd: -1 }, action);
    return ownDmaBuf(fd);
  }

  /**
   * The bytes of an image, mapped into this process. The caller closes the view.
   *
   * @throws {DmaBufError} `EBADF` if the device is closed; `ENOENT` if this buffer is; `EINVAL` or `ENOSYS` if the driver
   *   cannot map it.
   */
  map(): MemoryView {
    const action = `Cannot map buffer ${this.handle} of ${this.device.path}`;
    const { offset } = requestOf(this.device, DRM.MAP_DUMB, { handle: this.handle }, action);
    return createMemoryView(this.device.fd, "read-write", { offset: Number(offset), length: this.layout?.size ?? 0 });
  }

  /** Lets the handle go; dma-bufs made of it live on. Twice does nothing. */
  close(): void {
    if (this.#closed || this.device.isClosed) return;
    this.#closed = true;
    endUse(this.device, this.handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What arguments must be that are graphics devices, and buffers of one. */
export const DRM_DEVICE = instance(DrmDevice);
export const DRM_BUFFER = instance(DrmBuffer);
