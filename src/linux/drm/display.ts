import { DmaBufError } from "../../errors.js";
import { addressOf } from "../../node/system-calls.js";
import type { DmaBufDescriptor } from "../dma-buf.js";
import { fromCharacters } from "../pixel-format.js";
import { unpackAll } from "../struct.js";
import type { DrmBuffer, DrmDevice } from "./device.js";
import { CONNECTED, DISPLAY, MODE } from "./display-requests.js";

/** A size and rate that a display can show. */
export interface DisplayMode {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Images in a second. */
  readonly refresh: number;
}

/** How the bytes of an image are to be read. */
export interface ImageLayout {
  readonly width: number;
  readonly height: number;
  /** Bytes from one row to the next. */
  readonly pitch: number;
  /** Bytes from the start of the buffer. Default 0. */
  readonly offset?: number;
  /** Four characters as DRM names them. Default "XR24": blue, green, red and a byte that is not looked at. */
  readonly pixelFormat?: string;
}

interface FoundMode extends DisplayMode {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * A display of a graphics device. It shows whole images out of buffers of the device's, and so out of any dma-buf that
 * the device takes. One program at a time may show something, mostly the desktop.
 */
export class Display implements Disposable {
  readonly device: DrmDevice;
  readonly #connector: number;
  readonly #controller: number;
  readonly #modes: readonly FoundMode[];
  readonly #framebuffers = new Set<Framebuffer>();
  #shows = false;

  private constructor(device: DrmDevice, connector: number, controller: number, modes: readonly FoundMode[]) {
    this.device = device;
    this.#connector = connector;
    this.#controller = controller;
    this.#modes = modes;
  }

  /**
   * The first display that is connected to a card.
   *
   * @throws {DmaBufError} `ENODEV` if there is none; `EOPNOTSUPP` if the device has no displays at all; `EACCES` for a
   *   render node.
   */
  static find(device: DrmDevice): Display {
    const action = `Cannot look for displays of ${device.path}`;
    const counted = device.request(DISPLAY.GET_RESOURCES, {}, action);
    const connectors = new Uint32Array(new ArrayBuffer(4 * counted.connectorCount));
    const controllers = new Uint32Array(new ArrayBuffer(4 * counted.controllerCount));
    const { connectorCount, controllerCount } = counted;
    const given = {
      connectors: addressOf(connectors),
      controllers: addressOf(controllers),
      connectorCount,
      controllerCount,
    };
    device.request(DISPLAY.GET_RESOURCES, given, action);
    for (const connector of connectors) {
      const found = look(device, connector);
      if (found.modes.length === 0) continue;
      const { possibleControllers } = device.request(DISPLAY.GET_ENCODER, { encoder: found.encoder }, action);
      const controller = controllers.find((_, index) => (possibleControllers & (1 << index)) !== 0);
      if (controller !== undefined) return new Display(device, connector, controller, found.modes);
    }
    throw new DmaBufError("ENODEV", `Cannot show images on ${device.path}: no display is connected`);
  }

  /** What it can show, the display's favourite mostly first. */
  get modes(): readonly DisplayMode[] {
    return this.#modes.map(({ width, height, refresh }) => ({ width, height, refresh }));
  }

  /**
   * An image out of a buffer of the device's, or out of a dma-buf.
   *
   * @throws {DmaBufError} `EINVAL` if the buffer is too small, or the device does not know the pixel format.
   */
  createFramebuffer(source: DrmBuffer | DmaBufDescriptor, layout: ImageLayout): Framebuffer {
    const { width, height, pitch, offset = 0, pixelFormat = "XR24" } = layout;
    const imported = "handle" in source ? undefined : this.device.importBuffer(source);
    const { handle } = imported ?? (source as DrmBuffer);
    try {
      const given = { width, height, pixelFormat: fromCharacters(pixelFormat), handle, pitch, offset };
      const action = `Cannot make an image of ${width}×${height} for ${this.device.path}`;
      const { framebuffer } = this.device.request(DISPLAY.ADD_FRAMEBUFFER, given, action);
      const made = new Framebuffer(this.device, framebuffer, { width, height }, imported, () =>
        this.#framebuffers.delete(made),
      );
      this.#framebuffers.add(made);
      return made;
    } catch (error) {
      imported?.close();
      throw error;
    }
  }

  /**
   * Shows an image, from the next refresh on. The device reads its memory as long as it is shown. It does not wait for
   * fences: call `handOver` before, or wait for the dma-buf.
   *
   * @throws {DmaBufError} `EINVAL` if the display has no mode of the image's size; `EACCES` while another program shows
   *   something.
   */
  show(image: Framebuffer): void {
    const mode = this.#modes.find(({ width, height }) => width === image.width && height === image.height);
    if (mode === undefined) {
      throw new DmaBufError("EINVAL", `Cannot show ${image.width}×${image.height}: the display has no such mode`);
    }
    this.#set(image.id, mode.bytes, `Cannot show an image on ${this.device.path}`);
    this.#shows = true;
  }

  /** Shows nothing any more. */
  clear(): void {
    if (this.#shows) this.#set(0, undefined, `Cannot end the showing on ${this.device.path}`);
    this.#shows = false;
  }

  /** Shows nothing any more, and lets go of all images. Twice does nothing. */
  close(): void {
    if (this.device.isClosed) return;
    this.clear();
    for (const framebuffer of [...this.#framebuffers]) framebuffer.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #set(framebuffer: number, mode: Uint8Array | undefined, action: string): void {
    const connectors = new Uint32Array(new ArrayBuffer(4)).fill(this.#connector);
    const shown = { connectors: addressOf(connectors), connectorCount: 1, isModeValid: 1 };
    const given = { controller: this.#controller, framebuffer, ...(mode !== undefined && { ...shown, mode }) };
    this.device.request(DISPLAY.SET_CONTROLLER, given, action, { EACCES: "another program shows something there" });
  }
}

/** An image that a display can show. */
export class Framebuffer implements Disposable {
  /** A number that means something to the device alone. */
  readonly id: number;
  readonly width: number;
  readonly height: number;
  readonly #device: DrmDevice;
  readonly #imported: DrmBuffer | undefined;
  readonly #closed: () => void;
  #open = true;

  /** @internal Made by {@link Display}. */
  constructor(
    device: DrmDevice,
    id: number,
    { width, height }: { readonly width: number; readonly height: number },
    imported: DrmBuffer | undefined,
    closed: () => void,
  ) {
    this.#device = device;
    this.id = id;
    this.width = width;
    this.height = height;
    this.#imported = imported;
    this.#closed = closed;
  }

  /** Lets the image go; a display that shows it shows nothing then. Twice does nothing. */
  close(): void {
    if (!this.#open || this.#device.isClosed) return;
    this.#open = false;
    this.#closed();
    this.#device.request(DISPLAY.REMOVE_FRAMEBUFFER, { framebuffer: this.id }, "Cannot let the image go");
    this.#imported?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A connector with its modes, none if nothing is connected. */
function look(device: DrmDevice, connector: number): { modes: FoundMode[]; encoder: number } {
  const action = `Cannot look at connector ${connector} of ${device.path}`;
  const counted = device.request(DISPLAY.GET_CONNECTOR, { connector }, action);
  const { modeCount, encoderCount, connection } = counted;
  if (connection !== CONNECTED || encoderCount === 0) return { modes: [], encoder: 0 };
  const bytes = new Uint8Array(new ArrayBuffer(MODE.size * modeCount));
  const encoders = new Uint32Array(new ArrayBuffer(4 * encoderCount));
  const given = { connector, modes: addressOf(bytes), modeCount, encoders: addressOf(encoders), encoderCount };
  const { encoder } = device.request(DISPLAY.GET_CONNECTOR, given, action);
  const modes = unpackAll(MODE, bytes, modeCount).map(({ width, height, refresh }, index) => ({
    width,
    height,
    refresh,
    bytes: bytes.slice(index * MODE.size, (index + 1) * MODE.size),
  }));
  return { modes, encoder: encoder === 0 ? encoders[0]! : encoder };
}
