import type { Storage } from "../buffer/storage.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import type { Activity } from "../domain/activity.js";
import { Held } from "../domain/held.js";
import type { ReadCheck } from "../domain/validation.js";
import type { AccessMode } from "../reservation/usage.js";
import { metadataOffset, metadataSize } from "./metadata.js";
import type { StreamParts } from "./stream-parts.js";

/** What else happens at the end of a hold. */
export interface HoldEnd {
  /** Before the buffer is given back. */
  readonly before?: () => void;
  readonly after?: () => void;
  /** Ends it when its frame was forgotten, if that is something else. */
  readonly forgotten?: () => void;
}

/**
 * The hold of one end of a stream on one buffer of the ring, for one frame there after the other. It keeps what is costly to
 * make: views cost as much as all the words of a hand-off.
 */
export class FrameHold extends Held {
  /** That of the buffer in the ring. */
  readonly place: number;
  readonly buffer: StreamBuffer;
  /** The metadata of the frame, behind its bytes; see {@link use}. */
  area!: DataView;
  readonly #parts: StreamParts;
  readonly #mode: AccessMode;
  readonly #end: HoldEnd | undefined;
  readonly #check: ReadCheck | undefined;
  /** The storage in use. */
  #storage: Storage | undefined;
  #memory: ArrayBufferLike | undefined;
  #offset = 0;
  #bytes: Uint8Array | undefined;
  /** Whether the bytes are those of a storage that was never moved, and last. */
  #lasts = false;

  static readonly #giveBack = (hold: FrameHold): void => {
    hold.#check?.end();
    // Before another agent can have the bytes.
    if (hold.#mode === "read") hold.#parts.agent.tracer?.stream("stream:give-back", hold.#parts, 0, hold.place);
    hold.#storage?.endUse();
    hold.#storage = undefined;
    hold.#end?.before?.();
    hold.buffer.holds.release(hold.#mode);
    hold.#end?.after?.();
  };

  /** @param what Names it in a warning. */
  constructor(parts: StreamParts, place: number, mode: AccessMode, what: () => string | undefined, end?: HoldEnd) {
    super(parts.agent.held, what, FrameHold.#giveBack, end?.forgotten);
    this.#parts = parts;
    this.place = place;
    this.buffer = parts.buffers[place]!;
    this.#mode = mode;
    this.#end = end;
    const { validation } = parts.agent;
    if (mode === "read") this.#check = validation?.reads(this.buffer.holds.slot, what, "frame");
  }

  override activity(): Activity {
    const does = this.#mode === "write" ? "fills-loan" : "uses-frame";
    return { does, ...this.#parts.key, number: this.place };
  }

  /** The hold of the buffer was taken with the frame's words, in one call: it begins. */
  taken(): void {
    this.buffer.holds.taken(this.#mode);
    this.begin();
  }

  /** Ends that of a loan that was not published. */
  endUnpublished(): void {
    this.#parts.agent.tracer?.stream("stream:give-back", this.#parts, 0, this.place);
    this.end();
  }

  /**
   * The bytes of the frame. Its memory is in use until the hold ends. A stream's buffer has one segment.
   *
   * @param isUnmoved Whether the storage was never moved.
   */
  use(isUnmoved: boolean): Uint8Array {
    const bytes = this.#bytesOf(isUnmoved);
    // What is still written may change.
    if (isUnmoved) this.#check?.begin([bytes]);
    return bytes;
  }

  #bytesOf(isUnmoved: boolean): Uint8Array {
    const last = this.#bytes;
    if (isUnmoved && this.#lasts && last !== undefined) return last;
    const storage = isUnmoved ? this.buffer.unmoved : this.buffer.storage;
    storage.beginUse();
    this.#storage = storage;
    this.#lasts = isUnmoved && storage.lasts === true;
    const { memory, offset } = storage.segments[0]!;
    if (last !== undefined && this.#memory === memory && this.#offset === offset) return last;
    const { format, dataBytes } = this.#parts;
    this.#memory = memory;
    this.#offset = offset;
    this.area = new DataView(memory, offset + metadataOffset(format.size), metadataSize(dataBytes));
    return (this.#bytes = new Uint8Array(memory, offset, format.size));
  }

  protected override forgetViews(): void {
    this.#bytes = undefined;
  }
}
