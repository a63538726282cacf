import type { Held, Viewed } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import { countedCopy } from "./copies.js";
import { segmentBytes, type StorageSegment } from "./storage.js";

/**
 * The right to use a buffer's bytes from this thread's own code, until it is disposed. A reader shares it with other
 * readers; a writer has it alone.
 */
export class CpuAccess implements Disposable, Viewed {
  readonly mode: AccessMode;
  readonly #segments: readonly StorageSegment[];
  #views: readonly Uint8Array[] | undefined;
  readonly #held: Held;

  /** @internal Made by `DmaBuf.access()`. */
  constructor(mode: AccessMode, segments: readonly StorageSegment[], held: Held) {
    this.mode = mode;
    this.#segments = segments;
    this.#held = held;
  }

  /**
   * The bytes, in place. Do not use them after the access has ended: others then write there. What works later, as a
   * stream or a socket, needs the access until it has called back, or a {@link copy}.
   *
   * @throws {DmaBufError} `EBADF` if the access has ended; `EOPNOTSUPP` if the storage is in several segments (see
   *   {@link segments}).
   */
  get bytes(): Uint8Array {
    const views = this.segments;
    if (views.length === 1) return views[0]!;
    throw new DmaBufError(
      "EOPNOTSUPP",
      `Cannot show the buffer as one array: its storage has ${views.length} segments`,
    );
  }

  /** The bytes of each segment, in place. @throws {DmaBufError} `EBADF` if the access has ended. */
  get segments(): readonly Uint8Array[] {
    if (this.#held.isOver) throw new DmaBufError("EBADF", "Cannot use the bytes: the access to them has ended");
    return (this.#views ??= this.#segments.map((segment) => this.#viewOf(segment)));
  }

  /** @internal */
  views(): Iterable<object> {
    return this.#views ?? [];
  }

  #viewOf(segment: StorageSegment): Uint8Array {
    const view = segmentBytes(segment);
    this.#held.keepWith(view, this);
    return view;
  }

  /** A copy of all bytes in memory of its own, for interfaces that refuse shared memory. It is counted. */
  copy(): Uint8Array<ArrayBuffer> {
    const views = this.segments;
    if (views.length === 1) return countedCopy(views[0]!);
    const whole = new Uint8Array(views.reduce((size, view) => size + view.length, 0));
    let offset = 0;
    for (const view of views) {
      whole.set(countedCopy(view), offset);
      offset += view.length;
    }
    return whole;
  }

  /** Ends the access. Twice does nothing. */
  [Symbol.dispose](): void {
    this.#held.end();
  }
}
