import { allOrNothing } from "../all-or-nothing.js";
import { isCount, isName, isWhole } from "../arguments.js";
import type { BufferHandle, BufferHandleData } from "../buffer/handle.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import { checkFields, checkIntact } from "../domain/handle.js";
import { STREAM_BUFFERS } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import type { FrameFormat } from "./format.js";
import { metadataOffset, metadataSize } from "./metadata.js";
import { formatDamage } from "./received-format.js";
import type { StreamParts } from "./stream-parts.js";

/** @throws {DmaBufError} `EAGAIN` if too many handles are on their way. */
export let makeStreamHandle: (parts: StreamParts) => StreamHandle;

/** The fields of a stream's handle, as they arrive in another agent. */
export interface StreamHandleData {
  /** What the handle opens. */
  readonly kind: "stream";
  /** The id of the domain that the stream is of. */
  readonly domain: string;
  /** The stream's place in shared memory. */
  readonly slot: number;
  /** Which user of the slot: it counts. */
  readonly generation: number;
  /** The stream's name. */
  readonly name: string;
  /** How a frame's bytes are arranged. */
  readonly format: FrameFormat;
  /** How many bytes of JSON a frame may carry. */
  readonly dataBytes: number;
  /** Handles to the buffers of the ring. */
  readonly buffers: readonly BufferHandleData[];
}

/**
 * A stream as a thing to send to another agent: post it in a message, and import it there.
 *
 * Until the first import, until the sender closes it or dies, or until the domain's limit for handles passes, it keeps the
 * memory of the stream although the stream is closed. A clone made by `postMessage` has the fields and not the methods.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * const { port1: port } = new MessageChannel();
 * port.postMessage(stream.handle()); // there: using received = domain.import(handle)
 * ```
 */
export class StreamHandle implements StreamHandleData, Disposable {
  readonly kind = "stream";
  readonly domain: string;
  readonly slot: number;
  readonly generation: number;
  readonly name: string;
  readonly format: FrameFormat;
  readonly dataBytes: number;
  readonly buffers: readonly BufferHandle[];

  private constructor(domain: string, { key, name, format, dataBytes, buffers }: StreamParts) {
    this.domain = domain;
    this.slot = key.slot;
    this.generation = key.generation;
    this.name = name;
    this.format = format;
    this.dataBytes = dataBytes;
    this.buffers = allOrNothing((orUndo) =>
      buffers.map((buffer) => {
        const handle = buffer.handle();
        orUndo(() => handle[Symbol.dispose]());
        return handle;
      }),
    );
  }

  static {
    makeStreamHandle = (parts) => new StreamHandle(parts.agent.domain, parts);
  }

  /** Gives up what the handle holds. Twice does nothing. */
  close(): void {
    for (const buffer of this.buffers) buffer[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Bytes of a stream's buffers: the frame, and its metadata behind it. */
export function frameBufferSize(format: FrameFormat, dataBytes: number): number {
  return metadataOffset(format.size) + metadataSize(dataBytes);
}

/** @throws {DmaBufError} `EINVAL` unless the frames, with their metadata, lie in one piece of the buffer. */
export function checkFrameBuffer({ storage }: StreamBuffer, { format, dataBytes }: StreamHandleData): void {
  const least = frameBufferSize(format, dataBytes);
  const { segments } = storage;
  if (segments.length === 1 && segments[0]!.length >= least) return;
  refuse(`a frame needs ${least} bytes in one piece of a buffer`);
}

/**
 * A handle comes from user code or from another process. Its buffers' own handles are checked when they are
 * imported, and the buffers by {@link checkFrameBuffer}.
 *
 * @param streams How many slots the domain has for streams.
 * @throws {DmaBufError} `EINVAL` naming the field that is damaged.
 */
export function checkStreamHandle(handle: unknown, streams: number): asserts handle is StreamHandleData {
  checkFields(handle as StreamHandleData, "stream", "stream", streams);
  const { name, format, dataBytes, buffers } = handle as Partial<StreamHandleData>;
  checkIntact("stream", {
    name: isName(name),
    dataBytes: isCount(dataBytes),
    buffers: isWhole(buffers) && buffers.length >= 1 && buffers.length <= STREAM_BUFFERS,
  });
  const damage = formatDamage(format);
  if (damage !== undefined) refuse(`its format is damaged: ${damage}`);
}

function refuse(reason: string): never {
  throw new DmaBufError("EINVAL", `Cannot import the stream: ${reason}`);
}
