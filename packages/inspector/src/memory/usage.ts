import type { DomainSnapshot, SnapshotCopy } from "dmabuf/node";

/**
 * Whose memory there is, and what was copied of it.
 *
 * usage.1. A buffer counts once in the whole and for its exporter, and for each agent that holds it: they share the same memory.
 */

interface ExporterUsage {
  readonly name: string;
  readonly buffers: number;
  readonly bytes: number;
  /** Of these, those of streams. */
  readonly streamBytes: number;
}

export interface AgentUsage {
  /** The agent, by its identity. */
  readonly agent: number;
  readonly buffers: number;
  readonly held: number;
  /** Of these, what no other agent holds. */
  readonly alone: number;
  /** Of all that it has exported, whether or not it still holds that. */
  readonly exported: number;
  /** Bytes of buffers that the library has copied in it since it joined. */
  readonly copied: number;
}

export interface MemoryUsage {
  readonly bytes: number;
  /** What it would be if each holder had a copy of its own. */
  readonly unshared: number;
  readonly copied: number;
  /** The largest first. */
  readonly exporters: readonly ExporterUsage[];
  readonly agents: readonly AgentUsage[];
}

type Open<T> = { -readonly [Name in keyof T]: T[Name] };

/** What a snapshot tells of it. */
export function memoryIn({ buffers, agents, copies }: DomainSnapshot): MemoryUsage {
  const exporters = new Map<string, Open<ExporterUsage>>();
  const users = new Map<number, Open<AgentUsage>>();
  for (const { identity: agent } of agents) {
    users.set(agent, { agent, buffers: 0, held: 0, alone: 0, exported: 0, copied: 0 });
  }
  let bytes = 0;
  let unshared = 0;
  for (const { exporterName, exporter, size, holders, stream } of buffers) {
    bytes += size;
    const usage = exporters.get(exporterName) ?? { name: exporterName, buffers: 0, bytes: 0, streamBytes: 0 };
    exporters.set(exporterName, usage);
    usage.buffers++;
    usage.bytes += size;
    if (stream !== undefined) usage.streamBytes += size;
    const by = users.get(exporter);
    if (by !== undefined) by.exported += size;
    unshared += size * Math.max(1, holders.length);
    for (const holder of holders) {
      const user = users.get(holder);
      if (user === undefined) continue;
      user.buffers++;
      user.held += size;
      if (holders.length === 1) user.alone += size;
    }
  }
  for (const copy of copies) {
    const user = users.get(copy.agent);
    if (user !== undefined) user.copied += copy.bytes;
  }
  return {
    bytes,
    unshared,
    copied: copies.reduce((sum, copy) => sum + copy.bytes, 0),
    exporters: [...exporters.values()].sort((one, other) => other.bytes - one.bytes),
    agents: [...users.values()].sort((one, other) => other.held - one.held || one.agent - other.agent),
  };
}

/** Which entry of the copy ledger it is. */
export function copyKey({ agent, why, place = "" }: SnapshotCopy): string {
  return `${agent} ${why} ${place}`;
}

/** Nanoseconds over which a rate is measured, at least. */
const SPAN = 1e9;

/**
 * Bytes copied a second, by {@link copyKey}: over the second before one of the snapshots.
 *
 * @param snapshots From the oldest to the newest.
 */
export function copyRatesAt(snapshots: readonly DomainSnapshot[], index: number): ReadonlyMap<string, number> {
  const now = snapshots[index];
  const rates = new Map<string, number>();
  if (now === undefined) return rates;
  let from = index;
  while (from > 0 && now.at - snapshots[from]!.at < SPAN) from--;
  const then = snapshots[from]!;
  const seconds = (now.at - then.at) / 1e9;
  if (seconds <= 0) return rates;
  const before = new Map(then.copies.map((copy) => [copyKey(copy), copy.bytes]));
  for (const copy of now.copies) {
    rates.set(copyKey(copy), Math.max(0, copy.bytes - (before.get(copyKey(copy)) ?? 0)) / seconds);
  }
  return rates;
}

/** How much memory there was at each second before one of the snapshots, and at that. */
export function memoryHistory(snapshots: readonly DomainSnapshot[], index: number): number[] {
  const history: number[] = [];
  let after = Infinity;
  for (let i = index; i >= 0; i--) {
    const snapshot = snapshots[i]!;
    if (after - snapshot.at < SPAN) continue;
    history.unshift(snapshot.buffers.reduce((sum, { size }) => sum + size, 0));
    after = snapshot.at;
  }
  return history;
}
