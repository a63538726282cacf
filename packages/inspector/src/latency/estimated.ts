import type { DomainSnapshot } from "dmabuf/node";
import { streamKey } from "../shared/rates.js";
import { spreadOf, type Spread } from "./histogram.js";

/**
 * estimated.1. How long a frame waits on average is how many wait on average, divided by how many come (Little's law). There is
 *     one number for each second, and none for one in which no frame came.
 * estimated.2. Where frames came and no look has seen one wait, one look is taken to have: what is shorter cannot be told.
 */

/** Nanoseconds. */
const A_SECOND = 1e9;

/** Counts of frames have 31 bits. */
const FRAMES = 2 ** 31;

interface Second {
  readonly from: number;
  readonly published: number;
  looks: number;
  behind: number;
}

/**
 * How long frames have waited for consumers, second by second, by {@link consumerKeys}.
 *
 * @param snapshots From the oldest to the newest.
 */
export function estimatedWaits(snapshots: readonly DomainSnapshot[]): Map<string, Spread> {
  const open = new Map<string, Second>();
  const averages = new Map<string, number[]>();
  for (const { at, streams } of snapshots) {
    for (const stream of streams) {
      const keys = consumerKeys(stream);
      for (const [i, { behind }] of stream.consumers.entries()) {
        const key = keys[i]!;
        let second = open.get(key);
        if (second !== undefined && at - second.from >= A_SECOND) {
          const frames = (stream.published - second.published + FRAMES) % FRAMES;
          // estimated.2
          const average = (Math.max(1, second.behind) / second.looks) * ((at - second.from) / frames);
          if (frames > 0) averages.set(key, [...(averages.get(key) ?? []), average]);
          second = undefined;
        }
        second ??= { from: at, published: stream.published, looks: 0, behind: 0 };
        second.looks++;
        second.behind += behind;
        open.set(key, second);
      }
    }
  }
  return new Map([...averages].map(([key, all]) => [key, spreadOf(all)!]));
}

/** Which consumers they are: an agent may have several of a stream, which are told apart by their order. */
export function consumerKeys(stream: DomainSnapshot["streams"][number]): string[] {
  const counts = new Map<number, number>();
  return stream.consumers.map(({ agent }) => {
    const index = counts.get(agent) ?? 0;
    counts.set(agent, index + 1);
    return `${streamKey(stream)} ${agent} ${index}`;
  });
}
