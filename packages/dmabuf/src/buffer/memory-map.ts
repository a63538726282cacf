import { checkObject, integer, withCode, type Kinds } from "../arguments.js";
import { Held, owned, type Viewed } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import type { DmaBuf } from "./buffer.js";
import { PAGE_SIZE, segmentBytes, type StorageSegment } from "./storage.js";
import type { Storage } from "./storage-carrier.js";

/** A part of a buffer, in bytes. */
export interface PageRange {
  /** A multiple of 4,096. Default 0. */
  readonly offset?: number;
  /** Default: all that follows. */
  readonly length?: number;
}

const RANGE: Kinds<PageRange> = { offset: withCode("EINVAL", integer(0)), length: withCode("EINVAL", integer(1)) };

/** Looks at a range before anything is mapped. */
export function checkRange(call: string, range: PageRange): void {
  checkObject(call, "range", range, RANGE);
}

/** The bytes of a page range of a buffer. It keeps the buffer alive until it is disposed. */
export class MemoryMap implements Disposable, Viewed {
  readonly #segments: readonly Uint8Array[];
  readonly #held: Held;

  /** @internal Made by `DmaBuf.mmap()`, which gives a holder for this map alone. @param unpin Runs at its end. */
  constructor(holder: DmaBuf, storage: Storage, range: PageRange, unpin: () => void) {
    const { offset = 0, length = holder.size - offset } = range;
    const inside = offset >= 0 && length > 0 && offset % PAGE_SIZE === 0;
    if (!inside || offset + length > Math.ceil(holder.size / PAGE_SIZE) * PAGE_SIZE) {
      throw new DmaBufError("EINVAL", `Cannot map ${length} bytes at ${offset}: the buffer has ${holder.size} bytes`);
    }
    this.#segments = cut(storage.segments, offset, length);
    this.#held = holdOf(holder, storage.use(), unpin);
    owned(this.#held, this);
  }

  /** The bytes, in place. @throws {DmaBufError} `EBADF` after the end; `EOPNOTSUPP` if they are in several segments. */
  get bytes(): Uint8Array {
    const views = this.segments;
    if (views.length === 1) return views[0]!;
    throw new DmaBufError("EOPNOTSUPP", `Cannot show the range as one array: its storage has ${views.length} segments`);
  }

  /** The bytes of each segment, in place. @throws {DmaBufError} `EBADF` after the end. */
  get segments(): readonly Uint8Array[] {
    if (this.#held.isOver) throw new DmaBufError("EBADF", "Cannot use the bytes: they are no longer mapped");
    return this.#segments;
  }

  [Symbol.dispose](): void {
    this.#held.end();
  }

  /** @internal */
  views(): Iterable<object> {
    return this.#segments;
  }
}

/** It names no object of the user's (held.1). */
function holdOf(holder: DmaBuf, endUse: () => void, unpin: () => void): Held {
  const what = (): string => `A mapping of buffer "${holder.name}"`;
  return new Held(holder.reservation.agent.held, what, () => {
    endUse();
    unpin();
    holder.close();
  });
}

/** The part of some storage from `offset` on. */
function cut(segments: readonly StorageSegment[], offset: number, length: number): Uint8Array[] {
  const views: Uint8Array[] = [];
  let start = 0;
  for (const segment of segments) {
    const from = Math.max(offset - start, 0);
    const to = Math.min(offset + length - start, segment.length);
    if (from < to) views.push(segmentBytes(segment).subarray(from, to));
    start += segment.length;
  }
  return views;
}
