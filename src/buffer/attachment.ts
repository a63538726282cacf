import { DmaBufError } from "../errors.js";
import type { WaitOptions } from "../domain/pend.js";
import type { AccessMode } from "../reservation/usage.js";
import type { DmaBuf } from "./buffer.js";
import type { StorageSegment } from "./storage.js";

/** Who attaches to a buffer. One with `moveNotify` is dynamic: it follows when the exporter moves the storage. */
export interface Importer {
  /** For people: which device or program this is. */
  readonly name?: string;
  /** Whether it can use storage on another device directly. Default false. */
  readonly allowPeerToPeer?: boolean;
  /** Called with the reservation locked; map again later, not in this call. */
  moveNotify?(attachment: Attachment): void;
}

/** What an attachment needs of its buffer. */
export interface AttachmentOwner {
  map(attachment: Attachment, mode: AccessMode): readonly StorageSegment[];
  unmap(attachment: Attachment, segments: readonly StorageSegment[]): void;
  pin(attachment: Attachment): void;
  unpin(attachment: Attachment): void;
  detached(attachment: Attachment): void;
}

/**
 * An importer's tie to a buffer. It keeps the buffer alive until it is detached.
 *
 * @see linux/drivers/dma-buf/dma-buf.c, `dma_buf_dynamic_attach`
 */
export class Attachment implements Disposable {
  readonly buffer: DmaBuf;
  readonly importer: Importer;
  /** Whether storage on another device may be mapped; the exporter may clear it while it attaches. */
  peerToPeer: boolean;
  readonly #owner: AttachmentOwner;
  readonly #mappings = new Set<Mapping>();
  #attached = true;

  constructor(buffer: DmaBuf, importer: Importer, owner: AttachmentOwner) {
    this.buffer = buffer;
    this.importer = importer;
    this.peerToPeer = importer.allowPeerToPeer ?? false;
    this.#owner = owner;
  }

  /** Whether the importer follows moves of the storage. */
  get isDynamic(): boolean {
    return this.importer.moveNotify !== undefined;
  }

  /**
   * Maps the storage, taking the reservation lock for it. A static importer gets its mapping only when all kernel
   * fences have signaled; a dynamic one waits for them itself before it touches the memory.
   *
   * @throws {DmaBufError} `EACCES` for writing through a read handle; whatever the exporter throws.
   */
  async map(mode: AccessMode = "read", options: WaitOptions = {}): Promise<Mapping> {
    const { reservation } = this.buffer;
    using lock = await reservation.lock(undefined, options);
    void lock;
    const mapping = this.mapLocked(mode);
    if (this.isDynamic) return mapping;
    try {
      if ((await reservation.wait("kernel", options)) === "timed-out") {
        throw new DmaBufError("ETIMEDOUT", `Cannot map the buffer: its storage is still being moved`);
      }
      return mapping;
    } catch (error) {
      mapping.unmapLocked();
      throw error;
    }
  }

  /** As {@link map} for a caller that holds the reservation lock; waits for no fence. */
  mapLocked(mode: AccessMode = "read"): Mapping {
    this.#check("map");
    this.buffer.reservation.assertHeld("map");
    if (mode === "write") this.buffer.checkWritable("map");
    const pinned = !this.isDynamic;
    if (pinned) this.#owner.pin(this);
    try {
      const mapping = new Mapping(
        this.#owner.map(this, mode),
        (self) => {
          this.#mappings.delete(self);
          this.#owner.unmap(this, self.segments);
          if (pinned) this.#owner.unpin(this);
        },
        this.buffer,
      );
      this.#mappings.add(mapping);
      return mapping;
    } catch (error) {
      if (pinned) this.#owner.unpin(this);
      throw error;
    }
  }

  /**
   * Keeps the storage where it is, for uses such as a display that cannot follow a move. Balance it with {@link unpin}.
   * The caller holds the reservation lock.
   */
  pin(): void {
    this.#checkPin("pin");
    this.#owner.pin(this);
  }

  /** The end that belongs to {@link pin}; the caller holds the reservation lock. */
  unpin(): void {
    this.#checkPin("unpin");
    this.#owner.unpin(this);
  }

  /** Detaches; what is still mapped is unmapped first. */
  [Symbol.dispose](): void {
    if (!this.#attached) return;
    this.#attached = false;
    for (const mapping of [...this.#mappings]) mapping[Symbol.dispose]();
    this.#owner.detached(this);
  }

  #check(action: string): void {
    if (!this.#attached) throw new DmaBufError("EINVAL", `Cannot ${action} the buffer: the importer has detached`);
  }

  #checkPin(action: string): void {
    this.#check(action);
    this.buffer.reservation.assertHeld(action);
    if (!this.isDynamic) this.buffer.reservation.agent.host.warn(`Only a dynamic importer may ${action} a buffer`);
  }
}

/** An importer's view of a buffer's storage. It is the importer's own until it is unmapped. */
export class Mapping implements Disposable {
  readonly segments: readonly StorageSegment[];
  readonly #buffer: DmaBuf;
  #unmap: ((mapping: Mapping) => void) | undefined;

  constructor(segments: readonly StorageSegment[], unmap: (mapping: Mapping) => void, buffer: DmaBuf) {
    this.segments = segments;
    this.#unmap = unmap;
    this.#buffer = buffer;
  }

  /** Unmaps, for a caller that holds the reservation lock. */
  unmapLocked(): void {
    this.#buffer.reservation.assertHeld("unmap");
    const unmap = this.#unmap;
    this.#unmap = undefined;
    unmap?.(this);
  }

  /** Unmaps, taking the reservation lock for it. Twice does nothing. */
  [Symbol.dispose](): void {
    if (this.#unmap === undefined) return;
    if (this.#buffer.reservation.isHeldHere) return this.unmapLocked();
    using lock = this.#buffer.reservation.lockSync();
    void lock;
    this.unmapLocked();
  }
}
