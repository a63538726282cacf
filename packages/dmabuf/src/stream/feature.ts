import { allOrNothing } from "../all-or-nothing.js";
import { STREAM_MEMORY } from "../buffer/stream-buffer.js";
import type { Core, Feature, Part } from "../domain/feature.js";
import { checkDomain } from "../domain/handle.js";
import { formatText } from "./format-text.js";
import {
  checkStreamOptions,
  DEFAULT_BUFFERS,
  DEFAULT_DATA_BYTES,
  makeStream,
  type FrameStream,
  type StreamOptions,
} from "./frame-stream.js";
import { checkFrameBuffer, checkStreamHandle, frameBufferSize, type StreamHandleData } from "./stream-handle.js";
import type { StreamParts } from "./stream-parts.js";
import { claimStream, STREAM_RECOVERY } from "./stream-slot.js";

/**
 * What a domain does with streams.
 *
 * @example
 * ```ts
 * import { Domain, imageFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ name: "camera", format: imageFormat("NV12", 640, 480), buffers: 6 });
 * console.log(stream.isProducer); // true
 * ```
 */
export interface StreamMembers {
  /**
   * A frame stream that this thread produces.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSPC` if the domain has no room for it; `ENOMEM` if there is not so much memory; `ENODEV` if
   *   there is no such heap, `EOPNOTSUPP` if streams cannot use its buffers; `EBADF` if this thread has left the domain.
   */
  createStream(options: StreamOptions): FrameStream;
}

export const STREAMS: Feature<StreamMembers> = {
  name: "streams",
  shares: ["streams"],
  steps: [STREAM_RECOVERY],
  install(core) {
    const table = core.provide(STREAM_TABLE, new StreamTable(core));
    core.onClose(() => table.close());
    core.opens("stream", (handle: StreamHandleData) => table.open(handle));
    return { createStream: (options) => table.create(options) };
  },
};

/** What tells other agents of the streams that are created in this one. */
export interface StreamListing {
  announce(stream: FrameStream): void;
  forget(stream: FrameStream): void;
}

/** The streams of one agent. */
export class StreamTable {
  listing: StreamListing | undefined;
  readonly #core: Core;
  readonly #streams = new Set<FrameStream>();

  constructor(core: Core) {
    this.#core = core;
  }

  create(options: StreamOptions): FrameStream {
    this.#core.checkJoined();
    checkStreamOptions(options);
    const { agent } = this.#core;
    const { format, name = "stream", buffers: count = DEFAULT_BUFFERS, dataBytes = DEFAULT_DATA_BYTES } = options;
    const { sealed = false, heap } = options;
    return allOrNothing((orUndo) => {
      const buffers = Array.from({ length: count }, () => {
        const size = frameBufferSize(format, dataBytes);
        const buffer = this.#core.get(STREAM_MEMORY).allocate(size, { name, sealed, heap });
        orUndo(() => buffer.close());
        return buffer;
      });
      const slots = buffers.map(({ holds }) => holds.slot);
      const key = claimStream(agent, name, slots, formatText(format));
      const stream = this.#add({ agent, key, name, format, dataBytes, buffers }, true);
      orUndo(() => stream.close());
      this.listing?.announce(stream);
      return stream;
    });
  }

  /**
   * The stream that a handle names, to consume from it.
   *
   * @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` if the handle is of another domain or damaged.
   */
  open(handle: StreamHandleData): FrameStream {
    const { agent } = this.#core;
    checkStreamHandle(handle, agent.layout.sizes.streams);
    checkDomain(agent, handle.domain, "stream");
    const { slot, generation, name, format, dataBytes } = handle;
    return allOrNothing((orUndo) => {
      const buffers = handle.buffers.map((received) => {
        const buffer = this.#core.get(STREAM_MEMORY).import(received);
        orUndo(() => buffer.close());
        checkFrameBuffer(buffer, handle);
        return buffer;
      });
      return this.#add({ agent, key: { slot, generation }, name, format, dataBytes, buffers }, false);
    });
  }

  close(): void {
    for (const stream of [...this.#streams]) stream.close();
  }

  #add(parts: StreamParts, isProducer: boolean): FrameStream {
    const stream = makeStream(parts, isProducer, (self) => {
      this.#streams.delete(self);
      this.listing?.forget(self);
    });
    this.#streams.add(stream);
    return stream;
  }
}

export const STREAM_TABLE: Part<StreamTable> = { name: "streams" };
