import { signal } from "@preact/signals";
import type { CopyReason } from "dmabuf";
import { Rate } from "./lanes.js";
import { feed, feedChanges } from "./session.js";
import { domain } from "./world.js";

/** What all agents have copied of the pictures since the source or the hand-over has changed. */
export interface Copied {
  /** Copied bytes for each byte of a picture that was made; nothing before the first one. */
  readonly ratio: number | undefined;
  readonly copiedBytes: number;
  readonly madeBytes: number;
  readonly by: readonly CopiedBy[];
}

interface CopiedBy {
  readonly agent: string;
  readonly why: CopyReason;
  readonly ratio: number;
}

const NONE: Copied = { ratio: undefined, copiedBytes: 0, madeBytes: 0, by: [] };

export const copied = signal<Copied>(NONE);

/** Pictures a second that the source makes. */
export const madeRate = signal(0);

interface Counted {
  readonly agent: string;
  readonly why: CopyReason;
  last: number;
  sum: number;
}

const counted = new Map<string, Counted>();
const rate = new Rate();
let made = { published: 0, bytes: 0 };

/** Agents whose copies are none of pictures. */
const OTHERS = new Set(["level", "tone"]);

/** Begins to count anew. */
function restartCounting(): void {
  lookAtCopies();
  for (const one of counted.values()) one.sum = 0;
  made = { published: feed.peek()?.stream.published ?? 0, bytes: 0 };
  copied.value = NONE;
}

/** A look at what the agents have counted. */
export function count(): void {
  lookAtCopies();
  lookAtStream();
  const { bytes } = made;
  const of = (sum: number): number => (bytes === 0 ? 0 : sum / bytes);
  const by = [...counted.values()]
    .filter(({ sum }) => sum > 0)
    .map(({ agent, why, sum }) => ({ agent, why, ratio: of(sum) }));
  const copiedBytes = [...counted.values()].reduce((total, { sum }) => total + sum, 0);
  copied.value = { ratio: bytes === 0 ? undefined : of(copiedBytes), copiedBytes, madeBytes: bytes, by };
}

function lookAtCopies(): void {
  for (const { agent, why, place, bytes } of domain().copies()) {
    if (OTHERS.has(agent)) continue;
    const key = JSON.stringify([agent, why, place]);
    const one = counted.get(key);
    if (one === undefined) counted.set(key, { agent, why, last: bytes, sum: bytes });
    else {
      // The record of an agent that has gone may have begun anew.
      one.sum += bytes < one.last ? bytes : bytes - one.last;
      one.last = bytes;
    }
  }
}

function lookAtStream(): void {
  const stream = feed.peek()?.stream;
  if (stream === undefined || stream.isClosed) return;
  const { published } = stream;
  made = { published, bytes: made.bytes + (published - made.published) * stream.format.size };
  madeRate.value = rate.add(published);
}

feedChanges.addEventListener("stream", () => {
  rate.restart();
  restartCounting();
});
feedChanges.addEventListener("switched", restartCounting);
