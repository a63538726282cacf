import type { Frame, FrameFormat } from "dmabuf";
import type { PostedFrame } from "../../shared/messages.js";
import { packedOrder } from "../pixels.js";
import type { Painter } from "./painter.js";

/** By putImageData(), which takes no shared memory: each picture is copied for it. */
export class ImageDataPainter implements Painter {
  readonly how = "putImageData(): each picture is copied once, since it takes no shared memory";
  readonly howPosted = "putImageData(), from a copy that was posted";
  readonly missing = "WebGL2 and VideoFrame are missing in workers here: with WebGL2 nothing would be copied.";
  readonly #context: OffscreenCanvasRenderingContext2D;
  #format!: FrameFormat;

  constructor(context: OffscreenCanvasRenderingContext2D) {
    this.#context = context;
  }

  begin(format: FrameFormat): void {
    if (packedOrder(format) !== "RGB") {
      throw new Error(`putImageData() draws RGBA alone, and this stream is ${format.pixelFormat ?? format.kind}.`);
    }
    this.#format = format;
  }

  shared(frame: Frame): void {
    this.#draw(frame.copy());
  }

  posted({ bytes }: PostedFrame): void {
    this.#draw(bytes);
  }

  #draw({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>): void {
    const { width = 1, height = 1 } = this.#format;
    this.#context.putImageData(new ImageData(new Uint8ClampedArray(buffer, byteOffset, length), width, height), 0, 0);
  }
}
