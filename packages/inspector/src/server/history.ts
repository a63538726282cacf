import { shared } from "../shared/changes.js";
import type { DomainSnapshot } from "dmabuf/node";

interface Kept {
  readonly snapshot: DomainSnapshot;
  readonly bytes: number;
}

/** What is kept at most of what is new in the snapshots: where more changes, it is less than a minute. */
const MOST_BYTES = 32 * 2 ** 20;

/** Nanoseconds. */
const A_MINUTE = 60e9;

/**
 * The snapshots of the last minute.
 *
 * history.1. Its memory is bounded, however large the domain is: rows that have not changed are kept once (changes.1), and the
 *      oldest snapshots go when what is new in all of them is more than 32 MiB of JSON.
 */
export class History {
  readonly #most: number;
  #kept: Kept[] = [];
  #bytes = 0;

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** From the oldest to the newest one. */
  get snapshots(): DomainSnapshot[] {
    return this.#kept.map(({ snapshot }) => snapshot);
  }

  get newest(): DomainSnapshot | undefined {
    return this.#kept.at(-1)?.snapshot;
  }

  /** Keeps a snapshot, and gives it back as it is kept. */
  add(taken: DomainSnapshot): DomainSnapshot {
    const [snapshot, bytes] = shared(this.newest, taken);
    this.#kept.push({ snapshot, bytes });
    this.#bytes += bytes;
    const tooOld = snapshot.at - A_MINUTE;
    let gone = 0;
    for (const { snapshot, bytes } of this.#kept.slice(0, -1)) {
      if (snapshot.at >= tooOld && this.#bytes <= this.#most) break;
      this.#bytes -= bytes;
      gone++;
    }
    if (gone > 0) this.#kept = this.#kept.slice(gone);
    return snapshot;
  }

  clear(): void {
    this.#kept = [];
    this.#bytes = 0;
  }
}
