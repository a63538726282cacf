/** A fence as the rules know it. */
export interface ModelFence {
  readonly context: number;
  readonly seqno: number;
}

export interface ModelEntry {
  readonly fence: ModelFence;
  /** 0 kernel, 1 write, 2 read, 3 bookkeep. */
  readonly level: number;
}

/** A reservation as a plain list, by the kernel's rules. */
export class ReservationModel {
  entries: ModelEntry[] = [];
  readonly #capacity: number;
  readonly #isSignaled: (fence: ModelFence) => boolean;
  #room = 0;

  /** @param capacity How many fences it has room for. */
  constructor(capacity: number, isSignaled: (fence: ModelFence) => boolean) {
    this.#capacity = capacity;
    this.#isSignaled = isSignaled;
  }

  lock(): void {
    this.#room = this.entries.length;
  }

  reserve(count: number): "ENOMEM" | undefined {
    if (this.entries.length + count > this.#capacity) this.entries = this.pending(3);
    if (this.entries.length + count > this.#capacity) return "ENOMEM";
    this.#room = Math.max(this.#room, this.entries.length + count);
  }

  add(fence: ModelFence, level: number): "no room" | undefined {
    const found = this.entries.findIndex(
      (entry) =>
        this.#isSignaled(entry.fence) ||
        (entry.level >= level && entry.fence.context === fence.context && fence.seqno >= entry.fence.seqno),
    );
    const place = found < 0 ? this.entries.length : found;
    if (place >= this.#room) return "no room";
    this.entries = this.entries.toSpliced(place, 1, { fence, level });
  }

  replace(context: number, fence: ModelFence, level: number): void {
    this.entries = this.entries.map((entry) => (entry.fence.context === context ? { fence, level } : entry));
  }

  copy(source: ReservationModel): void {
    this.entries = source.pending(3);
    this.#room = Math.max(this.#room, this.entries.length);
  }

  /** What a query finds. */
  pending(level: number): ModelEntry[] {
    return this.entries.filter((entry) => entry.level <= level && !this.#isSignaled(entry.fence));
  }
}
