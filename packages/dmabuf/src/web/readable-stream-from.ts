import { countedCopy, countedCopyTo } from "../buffer/copies.js";
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
  const call = "readableStreamFrom()";
  checkSource(call, source);
  let frame: PublishedFrame | undefined;
  /** Bytes of it. */
  let read = 0;

  const pull = async (controller: ReadableByteStreamController): Promise<void> => {
    frame ??= await nextWithBytes(source);
    const { byobRequest } = controller;
    if (!frame) {
      source.close();
      controller.close();
      // A reader that waits with its memory gets it back.
      byobRequest?.respond(0);
      return;
    }
    const view = byobRequest?.view;
    const rest = frame.bytes.subarray(read);
    const part = rest.subarray(0, view?.byteLength);
    // None if the frame is a viewer's, which is in no domain.
    const agent = bufferUnder(frame)?.holds.agent;
    let chunk;
    if (view) countedCopyTo(agent, call, part, new Uint8Array(view.buffer, view.byteOffset, part.length));
    else chunk = countedCopy(agent, call, part);
    read += part.length;
    if (part.length === rest.length) {
      frame.close();
      frame = undefined;
      read = 0;
    }
    if (chunk) controller.enqueue(chunk);
    else byobRequest!.respond(part.length);
  };

  return new ReadableStream(
    {
      type: "bytes",
      pull: (controller) =>
        pull(controller).catch((error: unknown) => {
          source.close();
          throw error;
        }),
      cancel: () => source.close(),
    },
    { highWaterMark: 0 },
  );
}
