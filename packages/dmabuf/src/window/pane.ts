import { countedCopyTo } from "../buffer/copies.js";
import type { Holds } from "../buffer/hold.js";
import { segmentBytes, type ModulePages, type Overlay, type Storage } from "../buffer/storage.js";
import { DmaBufError } from "../errors.js";

/** What has the memory that a pane shows: it may be moved. */
export interface PaneSource {
  readonly storage: Storage;
  /** Whose it is. */
  readonly holds: Holds;
}

/** One buffer's place in a window. */
export interface Pane {
  /**
   * The address of the first byte, where the bytes are now.
   *
   * @param bytes How many of them count: a frame may be shorter than its buffer.
   */
  pointer(bytes: number): number;
  close(): void;
}

/** The buffer's own bytes, mapped over the module's memory. */
export class MappedPane implements Pane {
  readonly #source: PaneSource;
  readonly #pages: ModulePages;
  #storage: Storage;
  #overlay: Overlay;

  constructor(source: PaneSource, pages: ModulePages) {
    this.#source = source;
    this.#pages = pages;
    this.#storage = source.storage;
    this.#overlay = laid(this.#storage, pages);
  }

  pointer(): number {
    const { storage } = this.#source;
    if (storage !== this.#storage || !this.#overlay.isIntact) {
      this.#overlay.close();
      this.#overlay = laid(storage, this.#pages);
      this.#storage = storage;
    }
    return this.#pages.address;
  }

  close(): void {
    this.#overlay.close();
  }
}

/** A buffer that lies in the module's memory. */
export class PlacePane implements Pane {
  readonly #source: PaneSource;
  readonly #storage: Storage;

  constructor(source: PaneSource) {
    this.#source = source;
    this.#storage = source.storage;
  }

  pointer(): number {
    if (this.#source.storage === this.#storage) return this.#storage.segments[0]!.offset;
    throw new DmaBufError("EINVAL", "Cannot find the bytes in the window: they were moved out of the module's memory");
  }

  close(): void {}
}

/** Room for copies of a buffer's bytes. */
export class CopyPane implements Pane {
  readonly #source: PaneSource;
  readonly #pages: ModulePages;

  constructor(source: PaneSource, pages: ModulePages) {
    this.#source = source;
    this.#pages = pages;
  }

  pointer(bytes: number): number {
    const { memory, address } = this.#pages;
    const { storage } = this.#source;
    storage.beginUse();
    try {
      let at = 0;
      for (const segment of storage.segments) {
        const part = segmentBytes(segment).subarray(0, bytes - at);
        countedCopyTo(
          this.#source.holds.agent,
          "window.pointerTo()",
          part,
          new Uint8Array(memory.buffer, address + at, part.length),
        );
        at += part.length;
      }
    } finally {
      storage.endUse();
    }
    return address;
  }

  close(): void {
    const { memory, address, bytes } = this.#pages;
    new Uint8Array(memory.buffer, address, bytes).fill(0);
  }
}

/** @throws {DmaBufError} `EOPNOTSUPP` if it was moved to memory that cannot be mapped by pages. */
function laid({ layOver }: Storage, pages: ModulePages): Overlay {
  if (layOver !== undefined) return layOver(pages);
  throw new DmaBufError("EOPNOTSUPP", "Cannot show the bytes in the window: they were moved to parts of pages");
}
