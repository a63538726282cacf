import { signal } from "@preact/signals";
import type { BufferStatistics } from "dmabuf";
import { feed } from "./session.js";
import { domain } from "./world.js";

/** The stream that the lanes look at. */
export interface StreamView {
  readonly name: string;
  readonly published: number;
  readonly consumers: number;
  /** The agents that keep its producer waiting when no buffer is free. */
  readonly waitsFor: readonly string[];
}

/** The buffers of one stream. */
export interface BufferGroup {
  readonly name: string;
  /** Bytes of all of them. */
  readonly bytes: number;
  readonly exporter: string;
  readonly buffers: readonly BufferStatistics[];
}

export const groups = signal<readonly BufferGroup[]>([]);
export const streamView = signal<StreamView | undefined>(undefined);
export const agents = signal<readonly string[]>([]);

/** A look at all buffers of the domain. */
export function lookAtBuffers(): void {
  const byKey = new Map<string, BufferStatistics[]>();
  for (const one of domain().statistics()) {
    const key = `${one.name} ${one.exporterName} ${one.size}`;
    byKey.set(key, [...(byKey.get(key) ?? []), one]);
  }
  groups.value = [...byKey.values()].map((buffers) => ({
    name: buffers[0]!.name,
    exporter: buffers[0]!.exporterName,
    bytes: buffers.reduce((sum, { size }) => sum + size, 0),
    buffers,
  }));
  agents.value = domain().agents;
  const stream = feed.peek()?.stream;
  if (stream === undefined || stream.isClosed) return;
  const { name, published, consumers, waitsFor } = stream;
  streamView.value = { name, published, consumers, waitsFor };
}
