import { check, checkOptions, FUNCTION, oneOf, type Kinds } from "../../arguments.js";
import { allOrNothing } from "../../all-or-nothing.js";
import type { DmaBuf } from "../../buffer/buffer.js";
import { DmaBufError } from "../../errors.js";
import { CONSUMER_OPTIONS, type ConsumerOptions } from "../../stream/consumer.js";
import type { FrameFormat } from "../../stream/format.js";
import { FRAME_STREAM, type FrameStream } from "../../stream/frame-stream.js";
import { bufferUnder, type Frame } from "../../stream/frame.js";
import { countedCopyTo } from "../../buffer/copies.js";
import { ExportedBuffer } from "../export-buffer.js";
import { giveBack } from "../give-back.js";
import type { MemoryView } from "../memory-view.js";
import type { DrmBuffer, DrmDevice } from "./device.js";
import { DISPLAY, type Display } from "./display.js";
import { DISPLAY_NAMES } from "../pixel-format.js";
import { Framebuffer, type FramebufferLayout } from "./framebuffer.js";

/** How {@link present} takes frames and shows them. */
export interface PresentOptions extends ConsumerOptions {
  /** Default "newest": a screen that is slower than the producer leaves frames out and holds no agent up. */
  readonly policy?: NonNullable<ConsumerOptions["policy"]>;
  /**
   * What to do with frames that the display cannot take as they are: copy them into its memory (`"if-needed"`, the
   * default), or fail with the reason (`"never"`).
   */
  readonly copy?: "if-needed" | "never";
  /** Called with each frame when it is on the screen, and waited for. */
  readonly onShown?: (frame: Frame) => void | Promise<void>;
}

const OPTIONS: Kinds<PresentOptions> = { ...CONSUMER_OPTIONS, copy: oneOf(["if-needed", "never"]), onShown: FUNCTION };

/** What became of a stream's frames. */
export interface Presented {
  /** How many frames were on the screen. */
  readonly shown: number;
  /** How many of them were copied into the display's memory. */
  readonly copied: number;
}

/**
 * Shows a stream's frames on a display, until the stream ends: without a copy where the display takes the stream's own
 * buffers. A frame is held until the next one is on the screen. Afterwards the screen is dark.
 *
 * @param options How to consume the stream, and what to do with frames that the display cannot take.
 * @returns How many frames were shown, and how many of them were copied.
 * @throws {DmaBufError} `EOPNOTSUPP` for frames that are no images, or of a pixel format that the display does not
 *   have; with `copy: "never"` also the reason why the buffers cannot be used: `EACCES` at a consumer who may only read
 *   them, `EOPNOTSUPP` in a domain of threads, `EINVAL` if the driver refuses.
 *
 * @example
 * ```ts device
 * import { imageFormat } from "dmabuf";
 * import { Display, DrmDevice, present } from "dmabuf/linux";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using card = DrmDevice.open("/dev/dri/card0");
 * using display = Display.open(card);
 * const { width, height } = display.mode;
 * using stream = domain.createStream({ format: imageFormat("BGRA", width, height) });
 * const presenting = present(stream, display);
 * using loan = await stream.loan();
 * loan?.publish();
 * stream.end();
 * console.log(await presenting); // { shown: 1, copied: 0 } where the display takes the buffer
 * ```
 */
export async function present(stream: FrameStream, display: Display, options: PresentOptions = {}): Promise<Presented> {
  check("present()", "stream", stream, FRAME_STREAM);
  check("present()", "display", display, DISPLAY);
  checkOptions("present()", options, OPTIONS);
  const { copy = "if-needed", onShown, ...consuming } = options;
  using consumer = stream.frames({ policy: "newest", ...consuming });
  // Closed first, and the screen is dark: it reads no more when the consumer gives its frames back.
  using images = new StreamImages(display, stream.format, copy === "if-needed");
  let onScreen: Frame | undefined;
  let shown = 0;
  for (;;) {
    const frame = await consumer.next();
    if (frame === undefined) return { shown, copied: images.copied };
    await display.show(await images.of(frame), options);
    shown++;
    onScreen?.[Symbol.dispose]();
    onScreen = frame;
    await onShown?.(frame);
  }
}

/** Frames as images of a display: in their own buffers, or in copies. */
class StreamImages implements Disposable {
  copied = 0;
  readonly #display: Display;
  readonly #format: FrameFormat;
  readonly #mayCopy: boolean;
  /** By the number of the stream's buffer. */
  readonly #direct = new Map<number, DirectImage>();
  /** One on the screen, one to be filled. */
  readonly #copies: CopiedImage[] = [];

  constructor(display: Display, format: FrameFormat, mayCopy: boolean) {
    this.#display = display;
    this.#format = format;
    this.#mayCopy = mayCopy;
  }

  async of(frame: Frame): Promise<Framebuffer> {
    if (this.#copies.length > 0) return this.#copyOf(frame);
    const known = this.#direct.get(frame.buffer.inode);
    if (known !== undefined) return known.image;
    try {
      const made = await DirectImage.create(frame.buffer, this.#display, this.#format);
      this.#direct.set(frame.buffer.inode, made);
      return made.image;
    } catch (reason) {
      const { pixelFormat } = this.#format;
      const isCopied = /^(RGB|BGR)[AX]$/.test(pixelFormat ?? "");
      if (!this.#mayCopy || !isCopied || !(reason instanceof DmaBufError)) throw reason;
      for (let i = 0; i < 2; i++) this.#copies.push(new CopiedImage(this.#display.device, this.#format));
      return this.#copyOf(frame);
    }
  }

  [Symbol.dispose](): void {
    giveBack(...[...this.#direct.values(), ...this.#copies].map((each) => () => each[Symbol.dispose]()));
  }

  #copyOf(frame: Frame): Framebuffer {
    const copy = this.#copies[this.copied++ % this.#copies.length]!;
    copy.fill(frame);
    return copy.image;
  }
}

/** A buffer of the stream's as an image. */
class DirectImage implements Disposable {
  readonly image: Framebuffer;
  readonly #imported: DrmBuffer;
  readonly #exported: ExportedBuffer;

  private constructor(exported: ExportedBuffer, device: DrmDevice, layout: FramebufferLayout) {
    this.#exported = exported;
    [this.#imported, this.image] = allOrNothing((orUndo) => {
      const imported = device.importBuffer(exported.descriptor);
      orUndo(() => imported.close());
      return [imported, Framebuffer.create(imported, layout)];
    });
  }

  static async create(buffer: DmaBuf, display: Display, format: FrameFormat): Promise<DirectImage> {
    const layout = layoutOf(format, display);
    const exported = await ExportedBuffer.create(buffer);
    return allOrNothing((orUndo) => {
      orUndo(() => exported.close());
      return new DirectImage(exported, display.device, layout);
    });
  }

  [Symbol.dispose](): void {
    giveBack(
      () => this.image.close(),
      () => this.#imported.close(),
      () => this.#exported.close(),
    );
  }
}

/** An image in the display's memory, which the frames are copied to, four bytes a pixel. */
class CopiedImage implements Disposable {
  readonly image: Framebuffer;
  readonly #buffer: DrmBuffer;
  readonly #view: MemoryView;
  readonly #isSwapped: boolean;

  constructor(device: DrmDevice, { width, height, pixelFormat }: FrameFormat) {
    this.#isSwapped = pixelFormat!.startsWith("RGB");
    [this.#buffer, this.image, this.#view] = allOrNothing((orUndo) => {
      const buffer = device.createDumbBuffer(width!, height!);
      orUndo(() => buffer.close());
      const image = Framebuffer.create(buffer);
      orUndo(() => image.close());
      return [buffer, image, buffer.map()];
    });
  }

  fill(frame: Frame): void {
    const { planes } = frame;
    const agent = bufferUnder(frame)?.holds.agent;
    const { bytes: source, stride, height, width } = planes[0];
    const { bytes: target } = this.#view;
    const pitch = this.image.layout.planes[0]!.stride;
    // A device's memory is slow to read: a row is made ready elsewhere.
    const swapped = new Uint8Array(width * 4);
    for (let y = 0; y < height; y++) {
      const row = source.subarray(y * stride, y * stride + width * 4);
      if (this.#isSwapped) swapRedAndBlue(row, swapped);
      countedCopyTo(agent, "display.present()", this.#isSwapped ? swapped : row, target.subarray(y * pitch));
    }
  }

  [Symbol.dispose](): void {
    giveBack(
      () => this.image.close(),
      () => this.#view.close(),
      () => this.#buffer.close(),
    );
  }
}

function layoutOf({ pixelFormat, width, height, planes }: FrameFormat, display: Display): FramebufferLayout {
  const names = pixelFormat === undefined ? [] : DISPLAY_NAMES[pixelFormat];
  const name = names.find((each) => display.pixelFormats.includes(each));
  if (name !== undefined) return { width: width!, height: height!, pixelFormat: name, planes };
  const has = display.pixelFormats.join(", ");
  const what = pixelFormat === undefined ? "frames that are no images" : `images in ${pixelFormat}`;
  throw new DmaBufError("EOPNOTSUPP", `Cannot show ${what} on ${display.name}: it has the pixel formats ${has}`);
}

function swapRedAndBlue(source: Uint8Array, target: Uint8Array): void {
  for (let i = 0; i < source.length; i += 4) {
    target[i] = source[i + 2]!;
    target[i + 1] = source[i + 1]!;
    target[i + 2] = source[i]!;
    target[i + 3] = source[i + 3]!;
  }
}
