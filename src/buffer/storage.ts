import { DmaBufError } from "../errors.js";

/** A run of bytes in one memory object. A buffer's storage is a list of them. */
export interface StorageSegment {
  readonly memory: ArrayBufferLike;
  /** Bytes from the start of the memory object. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
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

export function segmentBytes({ memory, offset, length }: StorageSegment): Uint8Array {
  return new Uint8Array(memory, offset, length);
}
