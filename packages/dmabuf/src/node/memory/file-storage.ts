import { allOrNothing } from "../../all-or-nothing.js";
import type { HandleMode } from "../../buffer/handle.js";
import type { ModulePages, Overlay, Storage, StorageFile, StorageSegment } from "../../buffer/storage.js";
import { fstatSync } from "node:fs";
import { codeOf } from "../../errors.js";
import type { Identity } from "../../domain/agent-slot.js";
import { TAKES_BACK, type MemoryMapping } from "./memory-mapping.js";
import { FileOverlay, type FilePart, isWholePages, whyNotOverlaid } from "./file-overlay.js";
import { pagesBefore, type MemoryObject } from "./memory-object.js";

/**
 * A buffer's memory in one agent of a process: files, and this agent's mappings of them. The views are empty between
 * the uses, where the runtime can take them back.
 */
export class FileStorage implements Storage {
  readonly segments: readonly MappedSegment[];
  readonly isWritable: boolean;
  readonly lasts = !TAKES_BACK;
  /** Whether the memory is the buffer's alone, and goes with it. */
  readonly isOwned: boolean;
  readonly #parts: readonly FilePart[];
  readonly #released: (self: FileStorage, isFreed: boolean) => void;
  /** The agents that have had the descriptors from this one already. */
  readonly #sent: Readonly<Record<HandleMode, Set<Identity>>> = { read: new Set(), "read-write": new Set() };
  readonly #overlays = new Set<Overlay>();
  #readers: readonly MemoryObject[] | undefined;
  #isReleased = false;

  /** @param released Called once; the files are the caller's from then on. */
  constructor(parts: readonly FilePart[], isOwned: boolean, released: (self: FileStorage, isFreed: boolean) => void) {
    this.#parts = parts;
    this.isOwned = isOwned;
    this.#released = released;
    this.segments = openAll(parts, (part) => new MappedSegment(part));
    this.isWritable = parts.every(({ object }) => object.isWritable);
  }

  get parts(): readonly FilePart[] {
    return this.#parts;
  }

  /** Whether it is mapped no more; the files may still be there. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  get file(): StorageFile | undefined {
    const [first, ...others] = this.#parts;
    if (first === undefined || others.length > 0) return undefined;
    return { inode: fstatSync(first.object.fd).ino, offset: first.offset };
  }

  get layOver(): ((pages: ModulePages) => Overlay) | undefined {
    if (whyNotOverlaid() !== undefined || !isWholePages(this.#parts)) return undefined;
    return (pages) => new FileOverlay(this.#parts, pages, this.#overlays);
  }

  beginUse(): void {
    for (const segment of this.segments) segment.beginUse();
  }

  endUse(): void {
    for (const segment of this.segments) segment.endUse();
  }

  /** Whether no other process can ever write to it. */
  get isSealed(): boolean {
    return this.#parts.some(({ object }) => object.isSealed);
  }

  /** Whether there are such descriptors here: of another user's memory none can be opened that may only read. */
  canSend(mode: HandleMode): boolean {
    try {
      this.descriptors(mode);
      return true;
    } catch (error) {
      if (codeOf(error) === "EACCES") return false;
      throw error;
    }
  }

  /** The descriptors to send for a mode: those that may only read, for readers. */
  descriptors(mode: HandleMode): number[] {
    if (mode === "read-write" || !this.isWritable) return this.#parts.map(({ object }) => object.fd);
    this.#readers ??= openAll(this.#parts, ({ object }) => object.openReadOnly());
    return this.#readers.map(({ fd }) => fd);
  }

  /** Whether an agent has had the descriptors for this mode from here. */
  wasSent(mode: HandleMode, to: Identity): boolean {
    return this.#sent[mode].has(to);
  }

  setSent(mode: HandleMode, to: Identity): void {
    this.#sent[mode].add(to);
  }

  release(isFreed: boolean): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const overlay of this.#overlays) overlay.close();
    for (const segment of this.segments) segment.close();
    this.#released(this, isFreed);
  }

  /** @param isFreed Gives the pages back to the system, whichever process still has descriptors of them. */
  closeFiles(isFreed: boolean): void {
    for (const reader of this.#readers ?? []) reader.close();
    this.#readers = undefined;
    for (const { object } of this.#parts) {
      if (isFreed && this.isOwned) object.giveBack();
      object.close();
    }
  }
}

function openAll<T extends { close(): void }>(parts: readonly FilePart[], open: (part: FilePart) => T): T[] {
  return allOrNothing((orUndo) =>
    parts.map((part) => {
      const opened = open(part);
      orUndo(() => opened.close());
      return opened;
    }),
  );
}

/** One part, mapped into this thread; its offset is that in the mapping. */
class MappedSegment implements StorageSegment {
  readonly offset: number;
  readonly length: number;
  readonly #mapping: MemoryMapping;

  constructor({ object, offset, length }: FilePart) {
    this.#mapping = object.map({ offset, length });
    this.offset = offset - pagesBefore(offset);
    this.length = length;
  }

  /** Empty after the use. */
  get memory(): ArrayBuffer {
    return this.#mapping.buffer;
  }

  beginUse(): void {
    this.#mapping.beginUse();
  }

  endUse(): void {
    this.#mapping.endUse();
  }

  close(): void {
    this.#mapping.close();
  }
}
