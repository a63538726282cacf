import type { DmaBuf } from "../../buffer/buffer.js";

/**
 * Buffers of other hosts that were fetched, by the names of their content.
 *
 * buffer-cache.1. What is asked for twice at the same time is fetched once.
 * buffer-cache.2. What was used longest ago goes first, as soon as all together have more bytes than the limit. Who was given a
 *     buffer has a holder of its own: it stays as long as that.
 * buffer-cache.3. A fetch that fails leaves nothing. Who has waited for the fetch of another then fetches itself.
 */
export class BufferCache {
  readonly #limit: number;
  /** The one that was used last is the last one. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #fetched = 0;

  /** @param limit Bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that it has just now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many buffers were fetched. */
  get fetched(): number {
    return this.#fetched;
  }

  /**
   * A holder of a buffer with that content, which may read it. The caller closes it.
   *
   * @param fetch Makes the buffer.
   * @throws What `fetch` throws.
   */
  async get(name: string, size: number, fetch: () => Promise<DmaBuf>): Promise<DmaBuf> {
    for (;;) {
      const known = this.#entries.get(name);
      if (known === undefined) break;
      this.#entries.delete(name);
      this.#entries.set(name, known);
      const buffer = await known.buffer.catch(() => undefined);
      if (buffer !== undefined && !buffer.isClosed) return buffer.duplicate("read");
      if (this.#entries.get(name) === known) this.#entries.delete(name);
    }
    const entry: Entry = { buffer: fetch(), size, isThere: false };
    this.#entries.set(name, entry);
    try {
      const buffer = await entry.buffer;
      entry.isThere = true;
      this.#fetched++;
      this.#bytes += size;
      const own = buffer.duplicate("read");
      if (this.#entries.get(name) !== entry) this.#drop(entry);
      this.#shrink();
      return own;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      throw error;
    }
  }

  /** Forgets all whose names begin so. */
  forget(prefix = ""): void {
    for (const [name, entry] of [...this.#entries]) {
      if (!name.startsWith(prefix)) continue;
      this.#entries.delete(name);
      if (entry.isThere) this.#drop(entry);
    }
  }

  #shrink(): void {
    for (const [name, entry] of [...this.#entries]) {
      if (this.#bytes <= this.#limit) return;
      if (!entry.isThere) continue;
      this.#entries.delete(name);
      this.#drop(entry);
    }
  }

  #drop(entry: Entry): void {
    this.#bytes -= entry.size;
    void entry.buffer.then((buffer) => buffer.close());
  }
}

interface Entry {
  readonly buffer: Promise<DmaBuf>;
  readonly size: number;
  isThere: boolean;
}
