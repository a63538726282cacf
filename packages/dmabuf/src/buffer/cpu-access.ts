import type { Held } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import { checkThere } from "./bytes-there.js";
import { countedCopyTo, type Copier } from "./copies.js";

/** What accesses hold, one after the other (held.5). */
export interface AccessedBytes extends Held {
  readonly mode: AccessMode;
  /** The agent that has the access. */
  readonly agent: Copier;
  /** The bytes of each segment, in place. */
  readonly views: readonly Uint8Array[];
  /** Tells that it was used after its end, where that is a mistake of its own kind. */
  usedLate?(): void;
}

/** @param hold One that has just begun. */
export let makeCpuAccess: (hold: AccessedBytes) => CpuAccess;
/** What it has handed out. */
export let viewsOfAccess: (access: CpuAccess) => Iterable<object>;

/**
 * The right to use a buffer's bytes from this thread's own code, until it is disposed. A reader shares it with other
 * readers; a writer has it alone.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * {
 *   using access = await buffer.access("write", { timeout: 1000 });
 *   access.bytes.fill(255);
 * }
 * ```
 */
export class CpuAccess implements Disposable {
  /** What the bytes may be used for. */
  readonly mode: AccessMode;
  readonly #hold: AccessedBytes;
  /** held.5. */
  readonly #ends: number;
  /** What it has handed out. */
  #views: readonly Uint8Array[] | undefined;

  private constructor(hold: AccessedBytes) {
    this.mode = hold.mode;
    this.#hold = hold;
    this.#ends = hold.ends;
  }

  static {
    makeCpuAccess = (hold) => new CpuAccess(hold);
    viewsOfAccess = (access) => access.#views ?? [];
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

  /**
   * The bytes of each segment, in place.
   *
   * @throws {DmaBufError} `EBADF` if the access has ended, or the program has put their memory into a transfer list.
   */
  get segments(): readonly Uint8Array[] {
    if (this.#hold.ends !== this.#ends) {
      this.#hold.usedLate?.();
      throw new DmaBufError("EBADF", "Cannot use the bytes: the access to them has ended");
    }
    if (this.#views === undefined) {
      this.#views = this.#hold.views;
      for (const view of this.#views) this.#hold.keepWith(view, this);
    } else if (this.#views[0]!.length === 0) {
      checkThere(this.#views[0]!);
    }
    return this.#views;
  }

  /**
   * A copy of all bytes in memory of its own, for interfaces that refuse shared memory. `copiedBytes()` counts it.
   *
   * @throws {DmaBufError} `EBADF` if the access has ended.
   */
  copy(): Uint8Array<ArrayBuffer> {
    const views = this.segments;
    const whole = new Uint8Array(views.reduce((size, view) => size + view.length, 0));
    let offset = 0;
    for (const view of views) {
      countedCopyTo(this.#hold.agent, "access.copy()", view, whole.subarray(offset));
      offset += view.length;
    }
    return whole;
  }

  /** Ends the access. Twice does nothing. */
  close(): void {
    if (this.#hold.ends === this.#ends) this.#hold.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
