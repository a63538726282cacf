import { checkList, checkObject, NUMBER, required, OBJECT, type Kind, type Kinds } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { ModuleMemory } from "../substrate/wasm-memory.js";

/** A run of bytes in one memory object. A buffer's storage is a list of them. */
export interface StorageSegment {
  /** The memory object: a `SharedArrayBuffer`, if other threads are to use the buffer. */
  readonly memory: ArrayBufferLike;
  /** Bytes from the start of the memory object. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** The memory file that all bytes of a buffer are in. */
export interface StorageFile {
  /** The number of its inode. */
  readonly inode: number;
  /** Where the bytes begin. */
  readonly offset: number;
}

/** A buffer's memory, as one agent has it. */
export interface Storage {
  readonly segments: readonly StorageSegment[];
  /** Whether views of the memory last until it is released: then its uses need not be told. Default: they do not. */
  readonly lasts?: boolean;
  /** The file that the bytes are in; nothing if they are in none, or in several. */
  readonly file?: StorageFile | undefined;
  /** A use of the bytes begins. */
  beginUse(): void;
  /**
   * A use has ended; called once for each. Where the memory can be taken back from the views of it, that happens when
   * the last use has ended.
   */
  endUse(): void;
  /** Lays the bytes over pages of a module's memory; nothing where that cannot be done. */
  readonly layOver?: ((pages: ModulePages) => Overlay) | undefined;
  /** The agent no longer holds the buffer. @param isFreed Whether no other agent does either. */
  release(isFreed: boolean): void;
}

/** Where bytes of a buffer are laid over a module's memory. */
export interface ModulePages {
  readonly memory: ModuleMemory;
  /** A multiple of the page size. */
  readonly address: number;
  /** How many bytes of the buffer, from its first on. */
  readonly bytes: number;
  readonly isWritable: boolean;
}

/** Bytes of a buffer over pages of a module's memory, until it is closed or the storage is released: then they are zero. */
export interface Overlay {
  /** Whether it is as it was made. A memory that grows gets its pages' rights anew. */
  readonly isIntact: boolean;
  close(): void;
}

const MEMORY: Kind = {
  wanted: "an ArrayBuffer or a SharedArrayBuffer",
  isKind: (value) =>
    typeof value === "object" &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    typeof (value as Partial<ArrayBufferLike>).byteLength === "number",
};

/**
 * Looks at a list of segments; whether they lie in their memory is for {@link checkStorage}.
 *
 * @param memory What their memory must be.
 */
export function checkSegments(
  call: string,
  argument: string,
  given: Iterable<StorageSegment>,
  memory = MEMORY,
): StorageSegment[] {
  const kinds: Kinds<StorageSegment> = { memory: required(memory), offset: required(NUMBER), length: required(NUMBER) };
  const segments = checkList(call, argument, given, OBJECT);
  segments.forEach((segment, i) => checkObject(call, `${argument}[${i}]`, segment, kinds));
  return segments;
}

/** Sizes of buffers are multiples of this, as the kernel's heaps make them. */
export const PAGE_SIZE = 4096;

export function storageSize(segments: readonly StorageSegment[]): number {
  return segments.reduce((size, { length }) => size + length, 0);
}

/** @throws {DmaBufError} `EINVAL` naming the segment that does not lie inside its memory object. */
export function checkStorage(segments: readonly StorageSegment[], size: number): void {
  segments.forEach(({ memory, offset, length }, i) => {
    const inside = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length > 0;
    if (!inside || offset + length > memory.byteLength) {
      throw new DmaBufError(
        "EINVAL",
        `Segment ${i} (${offset} + ${length} bytes) does not lie in ${memory.byteLength} bytes`,
      );
    }
  });
  if (storageSize(segments) !== size) {
    throw new DmaBufError("EINVAL", `The segments have ${storageSize(segments)} bytes, the buffer has ${size}`);
  }
}

/** The part of some storage from `offset` on. */
export function cut(segments: readonly StorageSegment[], offset: number, length: number): StorageSegment[] {
  const parts: StorageSegment[] = [];
  let start = 0;
  for (const segment of segments) {
    const from = Math.max(offset - start, 0);
    const to = Math.min(offset + length - start, segment.length);
    if (from < to) parts.push({ memory: segment.memory, offset: segment.offset + from, length: to - from });
    start += segment.length;
  }
  return parts;
}

export function segmentBytes({ memory, offset, length }: StorageSegment): Uint8Array {
  return new Uint8Array(memory, offset, length);
}
