import type { SnapshotTimeline } from "dmabuf/node";

/** How many fences of one timeline are kept: the newest ones. */
const MOST = 131_072;

/** Fences of one timeline that have completed, in the order in which they did; times are monotonic nanoseconds. */
export class Lane {
  /** Its slot and generation: no other timeline of the domain ever has both. */
  readonly key: string;
  /** As it was seen last. */
  timeline: SnapshotTimeline;
  #ends = new Float64Array(64);
  #numbers = new Float64Array(64);
  /** The numbers of those that failed, and with what. */
  #failed: number[] = [];
  #errors: string[] = [];
  #count = 0;

  constructor(timeline: SnapshotTimeline) {
    this.key = laneKey(timeline);
    this.timeline = timeline;
  }

  /** How many fences there are. */
  get count(): number {
    return this.#count;
  }

  /** When the last one signaled; 0 if none has. */
  get lastEnd(): number {
    return this.#count === 0 ? 0 : this.#ends[this.#count - 1]!;
  }

  /** Takes from a later look what is new in it. */
  add(timeline: SnapshotTimeline): void {
    this.timeline = timeline;
    const known = this.#count === 0 ? 0 : this.numberOf(this.#count - 1);
    // The latest are first there.
    for (let i = timeline.lastTimes.length - 1; i >= 0; i--) {
      const { seqno, at, error } = timeline.lastTimes[i]!;
      if (seqno > known) this.#push(seqno, at, error);
    }
  }

  numberOf(index: number): number {
    return this.#numbers[index]!;
  }

  endOf(index: number): number {
    return this.#ends[index]!;
  }

  /** Where a fence is by its number; or the next one that is there. */
  indexOf(seqno: number): number {
    return firstNotBelow(this.#numbers, this.#count, seqno);
  }

  /** A fence's work could begin when the one before it had finished: where that is not known, its bar has no length. */
  startOf(index: number): number {
    const isNext = index > 0 && this.numberOf(index - 1) === this.numberOf(index) - 1;
    return isNext ? this.endOf(index - 1) : this.endOf(index);
  }

  /** The errno name that a fence failed with. */
  errorOf(index: number): string | undefined {
    const number = this.numberOf(index);
    const place = firstNotBelow(this.#failed, this.#failed.length, number);
    return this.#failed[place] === number ? this.#errors[place] : undefined;
  }

  /** Whether one of the fences from an index up to another, without it, has failed. */
  hasFailureIn(first: number, next: number): boolean {
    const failed = this.#failed[firstNotBelow(this.#failed, this.#failed.length, this.numberOf(first))];
    return failed !== undefined && failed <= this.numberOf(next - 1);
  }

  /** The first fence that signaled at a time or later; `count` if none did. */
  firstFrom(time: number): number {
    return firstNotBelow(this.#ends, this.#count, time);
  }

  #push(seqno: number, at: number, error: string | undefined): void {
    if (this.#count === MOST) this.#forget(MOST / 4);
    if (this.#count === this.#ends.length) {
      this.#ends = grown(this.#ends);
      this.#numbers = grown(this.#numbers);
    }
    // Times of agents that signal the same timeline may cross by a little.
    this.#ends[this.#count] = Math.max(at, this.lastEnd);
    this.#numbers[this.#count++] = seqno;
    if (error === undefined) return;
    this.#failed.push(seqno);
    this.#errors.push(error);
  }

  #forget(oldest: number): void {
    const forgotten = firstNotBelow(this.#failed, this.#failed.length, this.numberOf(oldest));
    this.#failed = this.#failed.slice(forgotten);
    this.#errors = this.#errors.slice(forgotten);
    this.#ends.copyWithin(0, oldest, this.#count);
    this.#numbers.copyWithin(0, oldest, this.#count);
    this.#count -= oldest;
  }
}

/** The index of the first of so many rising values that is not below one; `count` if all are. */
function firstNotBelow(values: ArrayLike<number>, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function laneKey({ slot, generation }: Pick<SnapshotTimeline, "slot" | "generation">): string {
  return `${slot}.${generation}`;
}

function grown(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}
