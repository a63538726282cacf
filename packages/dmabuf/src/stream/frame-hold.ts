import type { BytesHold } from "../buffer/cpu-access.js";
import type { Storage } from "../buffer/storage.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import { Held } from "../domain/held.js";
import type { AccessMode } from "../reservation/usage.js";
import { metadataOffset, metadataSize } from "./metadata.js";
import type { StreamParts } from "./stream-parts.js";

/** What the bytes of a frame are held by. */
export interface FrameBytesHold extends BytesHold {
  /** What the bytes are in, if that is a buffer of the stream. */
  readonly buffer?: StreamBuffer;
}

/**
 * The hold of one end of a stream on one buffer of the ring, for one frame there after the other. It keeps what is costly to
 * make: views cost as much as all the words of a hand-off.
 */
export class FrameHold implements FrameBytesHold {
  /** That of the buffer in the ring. */
  readonly place: number;
  readonly buffer: StreamBuffer;
  readonly held: Held;
  /** The metadata of the frame, behind its bytes; see {@link use}. */
  area!: DataView;
  readonly #parts: StreamParts;
  /** The storage in use. */
  #storage: Storage | undefined;
  #memory: ArrayBufferLike | undefined;
  #offset = 0;
  #bytes: Uint8Array | undefined;

  /**
   * @param what Names it in a warning.
   * @param ended Called when the buffer was given back.
   */
  constructor(
    parts: StreamParts,
    place: number,
    mode: AccessMode,
    what: () => string | undefined,
    ended: () => void = () => {},
  ) {
    const buffer = parts.buffers[place]!;
    this.#parts = parts;
    this.place = place;
    this.buffer = buffer;
    this.held = new Held(parts.agent.held, what, () => {
      this.#storage?.endUse();
      this.#storage = undefined;
      buffer.holds.release(mode);
      ended();
    });
  }

  /** The bytes of the frame. Its memory is in use until the hold ends. A stream's buffer has one segment. */
  use(): Uint8Array {
    const { storage } = this.buffer;
    storage.beginUse();
    this.#storage = storage;
    const { memory, offset } = storage.segments[0]!;
    if (this.#bytes !== undefined && this.#memory === memory && this.#offset === offset) return this.#bytes;
    const { format, dataBytes } = this.#parts;
    this.#memory = memory;
    this.#offset = offset;
    this.area = new DataView(memory, offset + metadataOffset(format.size), metadataSize(dataBytes));
    return (this.#bytes = new Uint8Array(memory, offset, format.size));
  }

  forgetViews(): void {
    this.#bytes = undefined;
  }
}
