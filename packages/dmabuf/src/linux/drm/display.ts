import { check, checkOptions, instance, NAME, TIMEOUT, type Kinds } from "../../arguments.js";
import { allOrNothing } from "../../all-or-nothing.js";
import { addressOf } from "../../node/system-calls/index.js";
import { WAIT, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import { take, takeSync, type Steps } from "../../domain/steps.js";
import { threadsHost } from "../../host/threads.js";
import { giveBack } from "../give-back.js";
import { rawCall } from "../ioctl.js";
import { COUNT } from "../kinds.js";
import { fourCharacters } from "../pixel-format.js";
import { SYNC_FILE_DESCRIPTOR, syncFileFrom, type SyncFileDescriptor } from "../sync-file.js";
import { untilReady } from "../wait.js";
import { commit, ModeObject, type Change } from "./atomic.js";
import { DRM_DEVICE, type DrmDevice } from "./device.js";
import { FRAMEBUFFER, type Framebuffer } from "./framebuffer.js";
import { connectorObject, modeObjects, planeObjects, type ConnectorObject, type ModeInfo } from "./mode-objects.js";
import { ATOMIC_FLAG, CLIENT_CAP, MODE, MODE_INFO, MODE_TYPE, OBJECT, PLANE_TYPE } from "./mode-requests.js";
import { requestOf } from "../descriptor.js";

/**
 * A screen on a connector of a graphics device.
 *
 * display.1. Each change is one atomic commit: it happens whole, or not at all.
 * display.2. An image that is queued is shown from a refresh of the screen on; the fence that `queue` gives signals
 *      then, and the image before may be written again. One image at most is on its way.
 * display.3. The display waits for the kernel's fences: those in the image's dma-buf, and the one that is given with
 *      it.
 * display.4. One program at a time shows images on a device, its master; it stays that until the device is closed.
 */

/** A size and a rate of a screen. */
export interface DisplayMode {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Images in a second. */
  readonly refresh: number;
  /** Whether the screen likes it best. */
  readonly isPreferred: boolean;
}

/** Where a screen can be connected. */
export interface DisplayConnector {
  /** As the kernel calls it, "HDMI-A-1". */
  readonly name: string;
  /** Whether a screen is connected. */
  readonly isConnected: boolean;
  /** Of the screen that is connected. */
  readonly modes: readonly DisplayMode[];
}

/** Options of a {@link Display}. */
export interface DisplayOptions {
  /** The name of the connector. Default: the first that has a screen. */
  readonly connector?: string;
  /** The size of the screen's mode in pixels. Default: the mode that the screen likes best. */
  readonly width?: number;
  /** As `width`. */
  readonly height?: number;
}

const OPTIONS: Kinds<DisplayOptions> = { connector: NAME, width: COUNT, height: COUNT };
const QUEUE: Kinds<{ readonly after?: SyncFileDescriptor }> = { after: SYNC_FILE_DESCRIPTOR };
interface ShowOptions {
  readonly timeout?: number | undefined;
  readonly after?: SyncFileDescriptor;
}

const SHOW_SYNC: Kinds<ShowOptions> = { ...QUEUE, timeout: TIMEOUT };
const SHOW: Kinds<WaitOptions & { readonly after?: SyncFileDescriptor }> = { ...WAIT, ...QUEUE };

/**
 * A screen on a connector of a graphics device, which shows images.
 *
 * @example
 * ```ts device
 * import { Display, DrmDevice, Framebuffer } from "dmabuf/linux";
 *
 * using card = DrmDevice.open("/dev/dri/card0");
 * using display = Display.open(card);
 * using buffer = card.createDumbBuffer(display.mode.width, display.mode.height);
 * using image = Framebuffer.create(buffer);
 * await display.show(image, { timeout: 1_000 });
 * ```
 */
export class Display implements Disposable {
  /** The device that it belongs to. */
  readonly device: DrmDevice;
  /** The connector's name. */
  readonly name: string;
  /** The mode in which it shows images. */
  readonly mode: DisplayMode;
  /** What it can show, each four characters, as "XR24". */
  readonly pixelFormats: readonly string[];
  readonly #connector: ModeObject;
  readonly #crtc: ModeObject;
  readonly #plane: ModeObject;
  /** The mode as a kernel object. */
  readonly #blob: number;
  /** Signals when the image is shown that was queued last. */
  #shown: SyncFileDescriptor | undefined;
  #isOn = false;
  #closed = false;

  /** The connectors of a device. @throws {DmaBufError} `EOPNOTSUPP` if it can have none; `EACCES` for a render node. */
  static connectors(device: DrmDevice): DisplayConnector[] {
    check("Display.connectors()", "device", device, DRM_DEVICE);
    return modeObjects(device)
      .connectors.map((id) => connectorObject(device, id))
      .map(({ name, isConnected, modes }) => ({ name, isConnected, modes: modes.map(describeMode) }));
  }

  /**
   * Gets a screen ready; it changes with the first image.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` if the device can have no displays, or its driver no atomic changes; `EACCES` or
   *   `EBUSY` if another program shows its images on the device; `ENODEV` if no screen is connected there; `EINVAL` if
   *   it has no mode of that size; `ENOSPC` if others use all controllers.
   */
  static open(device: DrmDevice, options: DisplayOptions = {}): Display {
    check("Display.open()", "device", device, DRM_DEVICE);
    checkOptions("Display.open()", options, OPTIONS);
    return new Display(device, options);
  }

  private constructor(device: DrmDevice, options: DisplayOptions) {
    const objects = modeObjects(device);
    becomeMaster(device);
    const connectors = objects.connectors.map((id) => connectorObject(device, id));
    const connector = findConnector(device, connectors, options.connector);
    const mode = findMode(device, connector, options);
    const place = findController(device, objects.crtcs, connectors, connector);
    const bit = 1 << place;
    const crtc = objects.crtcs[place]!;
    const { plane, formats } = findPlane(device, crtc, bit);
    this.device = device;
    this.name = connector.name;
    this.mode = describeMode(mode);
    this.pixelFormats = formats.map(fourCharacters);
    this.#connector = new ModeObject(device, connector.id, OBJECT.CONNECTOR);
    this.#crtc = new ModeObject(device, crtc, OBJECT.CRTC);
    this.#plane = plane;
    const info = MODE_INFO.pack(mode);
    const given = { data: addressOf(info), length: info.length };
    this.#blob = requestOf(device, MODE.CREATEPROPBLOB, given, `Cannot set the mode of ${this.name}`).blob;
  }

  /**
   * Shows an image from the next refresh of the screen on, in its middle; what does not fit is cut off.
   *
   * @param options `after`: fences that the display waits for, besides those in the image's dma-buf.
   * @returns What signals when the image is shown. It is the caller's to close.
   * @throws {DmaBufError} `EBUSY` if the image before is still on its way; `EACCES` if another program has become the
   *   master; `EINVAL` if the driver cannot show such an image; `EBADF` after the close.
   */
  queue(image: Framebuffer, options: { readonly after?: SyncFileDescriptor } = {}): SyncFileDescriptor {
    check("Display.queue()", "image", image, FRAMEBUFFER);
    checkOptions("Display.queue()", options, QUEUE);
    const { after } = options;
    const fence = fencePlace();
    const changes: Change[] = [
      ...this.#screen({ OUT_FENCE_PTR: addressOf(fence) }),
      [this.#plane, { ...this.#place(image), ...(after !== undefined && { IN_FENCE_FD: after.fd }) }],
    ];
    // Only the first may take the time, and the flicker, of another mode.
    const flags = ATOMIC_FLAG.NONBLOCK | (this.#isOn ? 0 : ATOMIC_FLAG.ALLOW_MODESET);
    commit(this.#device, changes, flags, `Cannot show the image on ${this.name}`);
    this.#isOn = true;
    const shown = syncFileFrom(fence[0]!);
    const own = allOrNothing((orUndo) => {
      orUndo(() => shown.close());
      return shown.duplicate();
    });
    this.#shown?.close();
    this.#shown = own;
    return shown;
  }

  /**
   * Shows an image, after the one before: resolves when it is on the screen.
   *
   * @param options As of {@link queue}; `timeout` in milliseconds, by default no limit, and `signal`.
   * @throws {DmaBufError} As {@link queue}; `ETIMEDOUT` if the time passed first: the image may then still come.
   */
  async show(image: Framebuffer, options: WaitOptions & { readonly after?: SyncFileDescriptor } = {}): Promise<void> {
    check("Display.show()", "image", image, FRAMEBUFFER);
    checkOptions("Display.show()", options, SHOW);
    await take({ host: threadsHost() }, this.#show(image, options), options);
  }

  /**
   * As {@link show}, blocking this thread. @param options As of {@link queue}; `timeout` in milliseconds; default no
   * limit.
   */
  showSync(image: Framebuffer, options: { readonly timeout?: number; readonly after?: SyncFileDescriptor } = {}): void {
    check("Display.showSync()", "image", image, FRAMEBUFFER);
    checkOptions("Display.showSync()", options, SHOW_SYNC);
    takeSync({ host: threadsHost() }, this.#show(image, options), options.timeout);
  }

  /** Makes the screen dark. Twice does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shown?.close();
    if (this.device.isClosed) return;
    const action = `Cannot leave the mode of ${this.name}`;
    giveBack(
      () => this.#isOn && this.#turnOff(),
      () => requestOf(this.device, MODE.DESTROYPROPBLOB, { blob: this.#blob }, action),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #device(): DrmDevice {
    if (this.#closed) throw new DmaBufError("EBADF", `Cannot use the display ${this.name}: it is closed`);
    return this.device;
  }

  #screen(more: Record<string, bigint>): Change[] {
    return [
      [this.#connector, { CRTC_ID: this.#crtc.id }],
      [this.#crtc, { MODE_ID: this.#blob, ACTIVE: 1, ...more }],
    ];
  }

  #turnOff(): void {
    const changes: Change[] = [
      [this.#plane, { FB_ID: 0, CRTC_ID: 0 }],
      [this.#connector, { CRTC_ID: 0 }],
      [this.#crtc, { ACTIVE: 0, MODE_ID: 0 }],
    ];
    commit(this.device, changes, ATOMIC_FLAG.ALLOW_MODESET, `Cannot turn ${this.name} off`);
  }

  #place({ id, layout }: Framebuffer): Record<string, number> {
    const [width, height] = [Math.min(layout.width, this.mode.width), Math.min(layout.height, this.mode.height)];
    return {
      FB_ID: id,
      CRTC_ID: this.#crtc.id,
      // Of the source, in 65,536ths of a pixel.
      SRC_X: ((layout.width - width) >> 1) * 65_536,
      SRC_Y: ((layout.height - height) >> 1) * 65_536,
      SRC_W: width * 65_536,
      SRC_H: height * 65_536,
      CRTC_X: (this.mode.width - width) >> 1,
      CRTC_Y: (this.mode.height - height) >> 1,
      CRTC_W: width,
      CRTC_H: height,
    };
  }

  *#show(image: Framebuffer, options: ShowOptions): Steps<void> {
    if (this.#shown !== undefined) yield* this.#signaled(this.#shown, options);
    using shown = this.queue(image, options);
    yield* this.#signaled(shown, options);
  }

  *#signaled(fence: SyncFileDescriptor, { timeout }: ShowOptions): Steps<void> {
    if (fence.isReady() || (yield untilReady(fence, "input"))) return;
    throw new DmaBufError(
      "ETIMEDOUT",
      `Cannot show the image: the display ${this.name} was not ready in ${timeout} ms`,
    );
  }
}

function describeMode({ width, height, refresh, type }: ModeInfo): DisplayMode {
  return { width, height, refresh, isPreferred: (type & MODE_TYPE.PREFERRED) !== 0 };
}

function becomeMaster(device: DrmDevice): void {
  const another = "another program shows its images there, mostly a desktop: end it, or use another virtual terminal";
  rawCall(device.fd, MODE.SET_MASTER, 0, `Cannot become the master of ${device.path}`, {
    EACCES: another,
    EBUSY: another,
  });
  const action = `Cannot change the displays of ${device.path}`;
  const reasons = { EOPNOTSUPP: "its driver has no atomic changes" };
  requestOf(device, MODE.SET_CLIENT_CAP, { capability: CLIENT_CAP.ATOMIC, value: 1 }, action, reasons);
}

function findConnector(device: DrmDevice, all: readonly ConnectorObject[], name: string | undefined): ConnectorObject {
  const screens = all.filter(({ isConnected }) => isConnected);
  const found = name === undefined ? screens[0] : screens.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = screens.map((each) => each.name).join(", ") || "none";
  const where = name === undefined ? device.path : `connector "${name}" of ${device.path}`;
  throw new DmaBufError("ENODEV", `Cannot show images at ${where}: no screen is connected; with screens: ${names}`);
}

/** The first of that size: the kernel lists faster ones first. */
function findMode(device: DrmDevice, { name, modes }: ConnectorObject, options: DisplayOptions): ModeInfo {
  const isAny = options.width === undefined && options.height === undefined;
  const preferred = modes.find(({ type }) => (type & MODE_TYPE.PREFERRED) !== 0) ?? modes[0];
  const { width, height } = options;
  const fits = (mode: ModeInfo): boolean =>
    (width === undefined || mode.width === width) && (height === undefined || mode.height === height);
  const found = isAny ? preferred : modes.find(fits);
  if (found !== undefined) return found;
  const sizes = [...new Set(modes.map((mode) => `${mode.width}×${mode.height}`))].join(", ") || "none";
  const wanted = `${width ?? "any"}×${height ?? "any"}`;
  throw new DmaBufError("EINVAL", `Cannot show ${wanted} at ${name} of ${device.path}: the screen has ${sizes}`);
}

/** The place of the controller that feeds the connector already, or else of one that feeds none. */
function findController(
  device: DrmDevice,
  crtcs: readonly number[],
  connectors: readonly ConnectorObject[],
  { id, name, crtc: current, possibleCrtcs }: ConnectorObject,
): number {
  if (current !== 0) return crtcs.indexOf(current);
  const taken = new Set(connectors.filter((each) => each.id !== id).map(({ crtc }) => crtc));
  const place = crtcs.findIndex((crtc, i) => (possibleCrtcs & (1 << i)) !== 0 && !taken.has(crtc));
  if (place >= 0) return place;
  throw new DmaBufError("ENOSPC", `Cannot show images at ${name} of ${device.path}: others use all controllers for it`);
}

/** The plane that such a controller always has, for its image as a whole. */
function findPlane(device: DrmDevice, crtc: number, bit: number): { plane: ModeObject; formats: readonly number[] } {
  const candidates = planeObjects(device)
    .filter((plane) => (plane.possibleCrtcs & bit) !== 0 && (plane.crtc === 0 || plane.crtc === crtc))
    .sort((a, b) => b.crtc - a.crtc);
  for (const { id, formats } of candidates) {
    const plane = new ModeObject(device, id, OBJECT.PLANE);
    if (plane.value("type") === PLANE_TYPE.PRIMARY) return { plane, formats };
  }
  throw new DmaBufError("ENOSPC", `Cannot show images on ${device.path}: others use all of its planes`);
}

/** Where the kernel writes the descriptor of a fence, 32 bits. */
function fencePlace(): Int32Array {
  return new Int32Array(new ArrayBuffer(128)).fill(-1);
}

/** What an argument `display` must be. */
export const DISPLAY = instance(Display);
