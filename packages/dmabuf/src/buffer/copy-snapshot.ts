import type { Segment } from "../domain/layout.js";
import type { CopyReason } from "../domain/copying.js";
import { storedCopies } from "./copy-slot.js";

/** Bytes of buffers that the library has copied in one agent, for one reason. */
export interface SnapshotCopy {
  /** The agent, by its identity. */
  readonly agent: number;
  /** For which call. */
  readonly why: CopyReason;
  /** Where in the program, if the agent has the option "debug" or `DMABUF_DEBUG=1`. */
  readonly place?: string;
  /** How many bytes, all together. */
  readonly bytes: number;
  /** How often. A copy of bytes in several pieces counts once for each. */
  readonly times: number;
}

/** What the agents of a domain have copied. */
export function copiesIn(segment: Segment): SnapshotCopy[] {
  return storedCopies(segment).map(({ owner, why, place, bytes, times }) => ({
    agent: owner,
    why,
    ...(place !== "" && { place }),
    bytes,
    times,
  }));
}
