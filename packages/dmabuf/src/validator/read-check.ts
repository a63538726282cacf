import { isPinned } from "../buffer/storage-slot.js";
import { nameAgents, liveAgentsIn } from "../domain/agent-slot.js";
import { BUFFER } from "../domain/layout.js";
import type { ReadCheck } from "../domain/validation.js";
import type { Checker } from "./check.js";

/**
 * A write through a read access, noticed at its end: shared memory cannot refuse it.
 *
 * read-check.1. The bytes are compared while the hold lasts: by the rules of holds no other code writes there until then.
 * read-check.2. Where bytes may be written without a hold it is silent: fences were added in between, or the buffer is pinned
 *     or mapped.
 * read-check.3. Of many bytes some are compared, evenly spread, and others each time. A run that is as long as the distance
 *     of two of them is always noticed.
 * read-check.4. The bytes of a stream's frames are compared the first times, and then now and then.
 */
export class BytesCheck implements ReadCheck {
  readonly #validator: Checker;
  readonly #slot: number;
  readonly #what: () => string | undefined;
  readonly #most: number;
  readonly #by: "access" | "frame" | "job";
  #views: readonly Uint8Array[] | undefined;
  #copy = NOTHING;
  #version = 0;
  #step = 1;
  #first = 0;
  #begun = 0;

  /**
   * @param what Names the access.
   * @param most How many bytes are compared at most.
   * @param by What the bytes are read by. A fence protects those of a job, in the place of a hold: what is added later waits
   *   for it.
   */
  constructor(
    validator: Checker,
    slot: number,
    what: () => string | undefined,
    most: number,
    by: "access" | "frame" | "job",
  ) {
    this.#validator = validator;
    this.#slot = slot;
    this.#what = what;
    this.#most = most;
    this.#by = by;
  }

  begin(views: readonly Uint8Array[]): void {
    const nth = this.#begun++;
    if (this.#by === "frame" && nth >= FIRST && nth % EACH !== 0) return;
    let size = 0;
    for (const view of views) size += view.length;
    const step = Math.max(1, Math.ceil(size / this.#most));
    const first = (this.#first + PRIME) % step;
    const count = Math.ceil((size - first) / step);
    const copy = this.#copy.length === count ? this.#copy : new Uint8Array(count);
    let next = first;
    let i = 0;
    for (const view of views) {
      const { length } = view;
      for (; next < length; next += step) copy[i++] = view[next]!;
      next -= length;
    }
    // Its own views: those that were handed out would keep their object from being collected (held.4).
    this.#views = views.map(({ buffer, byteOffset, length }) => new Uint8Array(buffer, byteOffset, length));
    this.#copy = copy;
    this.#step = step;
    this.#first = first;
    this.#version = this.#published;
  }

  end(): void {
    const views = this.#views;
    if (views === undefined) return;
    this.#views = undefined;
    const at = this.#changedIn(views);
    if (at === undefined || this.#mayBeWritten) return;
    const what = this.#what() ?? "An access";
    const message = `${what} only reads, and byte ${at} was written while it lasted${this.#orOthers()}: take it to write`;
    this.#validator.report("write-through-read", message, what);
  }

  /** read-check.2. */
  get #mayBeWritten(): boolean {
    const isChanged = this.#by !== "job" && this.#published !== this.#version;
    return isChanged || isPinned(this.#validator.agent, this.#slot);
  }

  #changedIn(views: readonly Uint8Array[]): number | undefined {
    const [copy, step] = [this.#copy, this.#step];
    let next = this.#first;
    let before = 0;
    let i = 0;
    for (const view of views) {
      const { length } = view;
      for (; next < length; next += step) if (copy[i++] !== view[next]) return before + next;
      next -= length;
      before += length;
    }
    return undefined;
  }

  /** Who else may have written so. */
  #orOthers(): string {
    const { layout, identity } = this.#validator.agent;
    const readers = liveAgentsIn(this.#validator.agent, layout.buffer(this.#slot) + layout.BUFFER.READERS);
    const others = readers.filter((reader) => reader !== identity);
    return others.length === 0 ? "" : ` (here, or by another that reads: ${nameAgents(this.#validator.agent, others)})`;
  }

  /** Counts the changes of the buffer's fences. */
  get #published(): number {
    const { memory, layout } = this.#validator.agent;
    return memory.load(layout.buffer(this.#slot) + BUFFER.PUBLISHED);
  }
}

/** read-check.4: so many times, and then each of so many. */
const FIRST = 64;
const EACH = 16;

const NOTHING = new Uint8Array(0);

/** By so many bytes the first one moves on, each time. */
const PRIME = 7919;
