import { countedCopy, countedCopyTo, type Copier } from "../buffer/copies.js";
import { createByteStream, type ByteController } from "../host/web-streams.js";
import { checkSource, nextWithBytes, type FrameSource } from "../stream/frame-source.js";
import { bufferUnder, type PublishedFrame } from "../stream/frame.js";

/**
 * The bytes of all frames as a stream of the web, for `Response`, the body of `fetch()`, `pipeThrough()` and `pipeTo()`.
 *
 * Each chunk is one frame, and a counted copy: nothing on the web says when a chunk was taken. A reader that brings its
 * own memory (`getReader({ mode: "byob" })`) has the bytes copied there. A frame is taken when it is asked for, and goes
 * back at once; with a reader's own memory, when all of it was read. The consumer leaves at the end, with an error, and
 * when the stream is cancelled.
 *
 * @throws {TypeError} If it is no such source.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 * import { readableStreamFrom } from "dmabuf/web";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * const response = new Response(readableStreamFrom(stream.frames()));
 * using loan = await stream.loan();
 * loan?.bytes.fill(7);
 * loan?.publish();
 * stream.end();
 * console.log(await response.arrayBuffer()); // 4 bytes of 7
 * ```
 */
export function readableStreamFrom(source: FrameSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  checkSource("readableStreamFrom()", source);
  const chunks = new Chunks(source);
  return createByteStream({ pull: (controller) => chunks.pull(controller), cancel: () => source.close() });
}

class Chunks {
  readonly #source: FrameSource;
  #frame: PublishedFrame | undefined;
  /** Bytes of it. */
  #read = 0;

  constructor(source: FrameSource) {
    this.#source = source;
  }

  async pull(controller: ByteController): Promise<void> {
    try {
      const frame = (this.#frame ??= await nextWithBytes(this.#source));
      if (frame === undefined) {
        this.#source.close();
        controller.close();
        // A reader that waits with its memory gets it back.
        controller.byobRequest?.respond(0);
        return;
      }
      const request = controller.byobRequest;
      const rest = frame.bytes.subarray(this.#read);
      const part = rest.subarray(0, request?.view.byteLength);
      this.#read += part.length;
      if (request === null) {
        const chunk = countedCopy(agentOf(frame), WHY, part);
        this.#giveBack(frame);
        controller.enqueue(chunk);
      } else {
        const { buffer, byteOffset } = request.view;
        countedCopyTo(agentOf(frame), WHY, part, new Uint8Array(buffer, byteOffset, part.length));
        if (part.length === rest.length) this.#giveBack(frame);
        request.respond(part.length);
      }
    } catch (error) {
      this.#source.close();
      throw error;
    }
  }

  #giveBack(frame: PublishedFrame): void {
    this.#frame = undefined;
    this.#read = 0;
    frame.close();
  }
}

const WHY = "readableStreamFrom()";

/** None if the frame is a viewer's, which is in no domain. */
function agentOf(frame: PublishedFrame): Copier | undefined {
  return bufferUnder(frame)?.holds.agent;
}
