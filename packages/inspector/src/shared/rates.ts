import type { DomainSnapshot, SnapshotStream } from "dmabuf/node";

/** Nanoseconds over which a rate is an average. */
const SPAN = 1e9;

/** Counts of frames have 31 bits. */
const FRAMES = 2 ** 31;

/** Frames a second of each stream, by {@link streamKey}; a stream that is new has none yet. */
export type Rates = ReadonlyMap<string, number>;

/** Which stream it is, also when its slot has another one's later. */
export function streamKey({ slot, generation }: SnapshotStream): string {
  return `${slot}.${generation}`;
}

/**
 * The rates at one of the snapshots: over the second before it, or what there is of it.
 *
 * @param snapshots From the oldest to the newest.
 */
export function ratesAt(snapshots: readonly DomainSnapshot[], index: number): Rates {
  const now = snapshots[index];
  if (now === undefined) return new Map();
  let from = index;
  while (from > 0 && now.at - snapshots[from]!.at < SPAN) from--;
  const then = snapshots[from]!;
  const seconds = (now.at - then.at) / 1e9;
  if (seconds <= 0) return new Map();
  const before = new Map(then.streams.map((stream) => [streamKey(stream), stream.published]));
  const rates = new Map<string, number>();
  for (const stream of now.streams) {
    const was = before.get(streamKey(stream));
    if (was !== undefined) rates.set(streamKey(stream), ((stream.published - was + FRAMES) % FRAMES) / seconds);
  }
  return rates;
}

/** The rate of one stream at each second before one of the snapshots, and at that, from the first that is known. */
export function rateHistory(snapshots: readonly DomainSnapshot[], index: number, stream: string): number[] {
  const rates: number[] = [];
  let after = counted(snapshots[index], stream);
  for (let i = index - 1; i >= 0 && after !== undefined; i--) {
    const before = counted(snapshots[i], stream);
    if (before === undefined) break;
    if (after.at - before.at < SPAN) continue;
    rates.unshift(((after.published - before.published + FRAMES) % FRAMES) / ((after.at - before.at) / 1e9));
    after = before;
  }
  return rates;
}

function counted(snapshot: DomainSnapshot | undefined, key: string): { at: number; published: number } | undefined {
  const stream = snapshot?.streams.find((each) => streamKey(each) === key);
  return stream && snapshot && { at: snapshot.at, published: stream.published };
}
