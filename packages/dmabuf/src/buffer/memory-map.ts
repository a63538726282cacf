import { allOrNothing } from "../all-or-nothing.js";
import { checkObject, integer, withCode, type Kinds } from "../arguments.js";
import { Held, owned } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import type { BufferRecord } from "./buffer-record.js";
import { cut, PAGE_SIZE, segmentBytes } from "./storage.js";

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

/** @param unpin Lets the storage move again, which the caller has pinned. */
export let makeMemoryMap: (record: BufferRecord, range: Required<PageRange>, unpin: () => void) => MemoryMap;

/**
 * The bytes of a page range of a buffer. It keeps the buffer alive until it is closed.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * using map = buffer.mmap({ length: 4096 });
 * await buffer.beginCpuAccess("write");
 * map.bytes.fill(0);
 * buffer.endCpuAccess("write");
 * ```
 */
export class MemoryMap implements Disposable {
  readonly #segments: readonly Uint8Array[];
  readonly #held: Held;

  static {
    makeMemoryMap = (record, { offset, length }, unpin) =>
      allOrNothing((orUndo) => {
        orUndo(unpin);
        const close = record.hold();
        orUndo(close);
        const { storage } = record;
        const segments = cut(storage.segments, offset, length).map(segmentBytes);
        storage.beginUse();
        // It names no object of the user's (held.1).
        const held = new Held(
          record.agent.held,
          () => `A mapping of buffer "${record.name}"`,
          () => {
            storage.endUse();
            unpin();
            close();
          },
        );
        return owned(held, new MemoryMap(segments, held), (map) => map.#segments);
      });
  }

  private constructor(segments: readonly Uint8Array[], held: Held) {
    this.#segments = segments;
    this.#held = held;
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

  /** Ends the mapping. Twice does nothing. */
  close(): void {
    this.#held.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A range of a buffer of so many bytes, with the defaults. @throws {DmaBufError} `EINVAL` if it does not lie in the buffer. */
export function checkedRange(size: number, { offset = 0, length = size - offset }: PageRange): Required<PageRange> {
  const inside = offset >= 0 && length > 0 && offset % PAGE_SIZE === 0;
  if (inside && offset + length <= Math.ceil(size / PAGE_SIZE) * PAGE_SIZE) return { offset, length };
  throw new DmaBufError("EINVAL", `Cannot map ${length} bytes at ${offset}: the buffer has ${size} bytes`);
}
