import { streamKey } from "../../src/shared/rates.js";
import type { DomainSnapshot, SnapshotAgent, SnapshotBuffer, SnapshotStream } from "dmabuf/node";

/** Who hands what to whom, as nodes and the ways between them. */

/** Buffers that are no stream's and have the same exporter and holders. */
export interface SharedBuffers {
  readonly exporter: number;
  readonly holders: readonly number[];
  readonly buffers: readonly SnapshotBuffer[];
  readonly bytes: number;
}

export type Node =
  | {
      readonly id: string;
      readonly kind: "agent";
      readonly agent: SnapshotAgent;
      /** Frames that it is behind at most, where that is more than a ring has. */
      readonly behind: number;
    }
  | { readonly id: string; readonly kind: "stream"; readonly stream: SnapshotStream }
  | { readonly id: string; readonly kind: "buffers"; readonly shared: SharedBuffers };

export interface Way {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** By the stream's key; nothing where no frames go. */
  readonly stream?: string;
  /** Whether the reader is behind by more frames than the ring has. */
  readonly isLate: boolean;
}

export interface Relations {
  readonly nodes: readonly Node[];
  readonly ways: readonly Way[];
}

/** In an order that stays: agents by identity, streams and buffers by what they are of. */
export function relationsIn(snapshot: DomainSnapshot): Relations {
  const agents = [...snapshot.agents].sort((one, other) => one.identity - other.identity);
  const known = new Set(agents.map(({ identity }) => identity));
  const nodes: Node[] = [];
  const ways: Way[] = [];
  const late = new Map<number, number>();
  for (const stream of snapshot.streams) {
    const id = `stream ${streamKey(stream)}`;
    nodes.push({ id, kind: "stream", stream });
    const key = streamKey(stream);
    if (known.has(stream.producer)) {
      ways.push({ id: `to ${id}`, from: agentId(stream.producer), to: id, stream: key, isLate: false });
    }
    // An agent may have several consumers: the slowest counts.
    const behind = new Map<number, number>();
    for (const { agent, behind: frames } of stream.consumers) {
      behind.set(agent, Math.max(frames, behind.get(agent) ?? 0));
    }
    for (const [agent, frames] of behind) {
      if (!known.has(agent)) continue;
      const isLate = frames >= Math.max(2, stream.places.length);
      if (isLate) late.set(agent, Math.max(frames, late.get(agent) ?? 0));
      ways.push({ id: `${id} to ${agent}`, from: id, to: agentId(agent), stream: key, isLate });
    }
  }
  for (const [key, shared] of sharedBuffers(snapshot, known)) {
    const id = `buffers ${key}`;
    nodes.push({ id, kind: "buffers", shared });
    if (known.has(shared.exporter)) {
      ways.push({ id: `to ${id}`, from: agentId(shared.exporter), to: id, isLate: false });
    }
    for (const holder of shared.holders) {
      if (holder === shared.exporter || !known.has(holder)) continue;
      ways.push({ id: `${id} to ${holder}`, from: id, to: agentId(holder), isLate: false });
    }
  }
  const first = agents.map((agent): Node => {
    const { identity } = agent;
    return { id: agentId(identity), kind: "agent", agent, behind: late.get(identity) ?? 0 };
  });
  return { nodes: [...first, ...nodes], ways };
}

function agentId(identity: number): string {
  return `agent ${identity}`;
}

function sharedBuffers(snapshot: DomainSnapshot, known: ReadonlySet<number>): Map<string, SharedBuffers> {
  const groups = new Map<string, SharedBuffers & { buffers: SnapshotBuffer[]; bytes: number }>();
  for (const buffer of snapshot.buffers) {
    if (buffer.stream !== undefined) continue;
    const holders = buffer.holders.filter((holder) => known.has(holder)).sort((one, other) => one - other);
    const key = `${buffer.exporter} ${holders.join(" ")}`;
    const group = groups.get(key) ?? { exporter: buffer.exporter, holders, buffers: [], bytes: 0 };
    group.buffers.push(buffer);
    group.bytes += buffer.size;
    groups.set(key, group);
  }
  return new Map([...groups].sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true })));
}
