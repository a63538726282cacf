import type { DomainSnapshot, SnapshotStream } from "dmabuf/node";

/**
 * How fast streams are, from several looks at them.
 *
 * stream-rates.1. A rate is what the counters have risen by, divided by the time between the first and the last look.
 * stream-rates.2. How long a frame waits for a consumer, and how long an agent keeps one, follows from how many do so on
 *     average, divided by the rate (Little's law): it is right also where a look comes much more rarely than a frame.
 * stream-rates.3. A stream or a consumer that is not in all the looks counts from the first one that it is in.
 */

/** One consumer, over the time of the looks. */
export interface ConsumerRates {
  /** The agent, by its identity. */
  readonly agent: number;
  readonly policy: string;
  readonly group?: string;
  /** Frames a second that it has taken or passed over; not known of a member of a group. */
  readonly rate?: number;
  /** Frames that it has not taken, at the last look, and at most. */
  readonly behind: number;
  readonly mostBehind: number;
  /** Nanoseconds from a frame's publication until it is taken, on average; not known while no frame comes. */
  readonly wait?: number;
  /** Nanoseconds for which it keeps a frame, on average. */
  readonly keeps?: number;
  /** How many frames it has just now. */
  readonly holds: number;
  /** Whether it waits for a frame. */
  readonly waits: boolean;
}

/** One stream, over the time of the looks. */
export interface StreamRates {
  /** As it is at the last look. */
  readonly stream: SnapshotStream;
  /** Frames a second. */
  readonly rate: number | undefined;
  /** Its agents. */
  readonly consumers: readonly ConsumerRates[];
}

interface Seen {
  first: number;
  from: number;
  last: number;
  to: number;
}

interface SeenConsumer extends Seen {
  looks: number;
  behind: number;
  mostBehind: number;
  holds: number;
}

/** Frames are counted in 31 bits. */
const LAP = 2 ** 31;

/** What several looks at a domain's streams have found. */
export class StreamRateMeter {
  readonly #streams = new Map<string, Seen>();
  readonly #consumers = new Map<string, SeenConsumer>();
  #last: DomainSnapshot | undefined;

  /** One more look, later than the last one. */
  add(snapshot: DomainSnapshot): void {
    this.#last = snapshot;
    for (const stream of snapshot.streams) {
      this.#count(this.#streams, keyOf(stream), snapshot.at, stream.published, emptySeen);
      const readers = readersIn(snapshot, stream);
      for (const { consumer, key } of consumersOf(stream)) {
        const seen = this.#count(this.#consumers, key, snapshot.at, consumer.cursor ?? 0, emptyConsumer);
        seen.looks++;
        seen.behind += consumer.behind;
        seen.mostBehind = Math.max(seen.mostBehind, consumer.behind);
        seen.holds += shareOf(readers, stream, consumer.agent);
      }
    }
  }

  /** What is known by now. */
  rates(): StreamRates[] {
    const snapshot = this.#last;
    if (snapshot === undefined) return [];
    return snapshot.streams.map((stream) => {
      const rate = rateOf(this.#streams.get(keyOf(stream))!);
      const readers = readersIn(snapshot, stream);
      const consumers = consumersOf(stream).map(({ consumer, key }): ConsumerRates => {
        const seen = this.#consumers.get(key)!;
        const { agent, policy, group, cursor, behind, waits } = consumer;
        const own = cursor === undefined ? undefined : rateOf(seen);
        const per = (sum: number, pace: number | undefined): number | undefined =>
          pace === undefined || pace === 0 ? undefined : (sum * 1e9) / (seen.looks * pace);
        const wait = per(seen.behind, rate);
        const keeps = per(seen.holds, own);
        return {
          agent,
          policy,
          ...(group !== undefined && { group }),
          ...(own !== undefined && { rate: own }),
          behind,
          mostBehind: seen.mostBehind,
          ...(wait !== undefined && { wait }),
          ...(keeps !== undefined && { keeps }),
          holds: readers.get(agent) ?? 0,
          waits,
        };
      });
      return { stream, rate, consumers };
    });
  }

  #count<T extends Seen>(
    all: Map<string, T>,
    key: string,
    at: number,
    value: number,
    make: (at: number, value: number) => T,
  ): T {
    const seen = all.get(key) ?? make(at, value);
    seen.to += (value - (seen.to % LAP) + LAP) % LAP;
    seen.last = at;
    all.set(key, seen);
    return seen;
  }
}

function emptySeen(at: number, value: number): Seen {
  return { first: at, from: value, last: at, to: value };
}

function emptyConsumer(at: number, value: number): SeenConsumer {
  return { ...emptySeen(at, value), looks: 0, behind: 0, mostBehind: 0, holds: 0 };
}

/** A second; unknown after one look. */
function rateOf({ first, from, last, to }: Seen): number | undefined {
  return last > first ? ((to - from) * 1e9) / (last - first) : undefined;
}

function keyOf({ slot, generation }: SnapshotStream): string {
  return `${slot}:${generation}`;
}

/** An agent may have several consumers of a stream: they are told apart by their order. */
function consumersOf(stream: SnapshotStream) {
  const counts = new Map<number, number>();
  return stream.consumers.map((consumer) => {
    const index = counts.get(consumer.agent) ?? 0;
    counts.set(consumer.agent, index + 1);
    return { consumer, key: `${keyOf(stream)} ${consumer.agent}.${index}` };
  });
}

/** How many frames of a stream each agent reads just now. */
function readersIn({ buffers }: DomainSnapshot, { slot }: SnapshotStream): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { stream, readers } of buffers) {
    if (stream?.stream !== slot) continue;
    for (const reader of readers) counts.set(reader, (counts.get(reader) ?? 0) + 1);
  }
  return counts;
}

/** What an agent reads is shared among its consumers: which of them does it is not known. */
function shareOf(readers: ReadonlyMap<number, number>, { consumers }: SnapshotStream, agent: number): number {
  const own = consumers.filter((consumer) => consumer.agent === agent).length;
  return (readers.get(agent) ?? 0) / own;
}
