import type { Agent } from "./agent.js";
import { addTo64, isLive, ring, slotOf, type Identity, type Member } from "./agent-slot.js";
import { BUFFER, HEADER, type Layout, type Segment } from "./layout.js";
import type { RecoveryStep } from "./recovery.js";
import {
  addSlotReference,
  addSlotTransit,
  claimSlot,
  countTransits,
  dropSlotReference,
  endSlotTransit,
  isSlotLive,
  liveSlots,
  sweepSlot,
  type ReferencedTable,
  type SlotKey,
  type Transit,
} from "./referenced-slot.js";
import { shortlyLocked } from "./short-lock.js";
import { readName, writeName } from "./text.js";

export type { Transit } from "./referenced-slot.js";

/** Who holds a buffer, see {@link ReferencedTable}; and what is known of it. */
const BUFFERS: ReferencedTable = {
  size: "buffers",
  noun: "buffer",
  action: "export the buffer",
  state: (layout, slot) => layout.buffer(slot) + BUFFER.STATE,
  references: (layout, slot) => layout.buffer(slot) + layout.references,
  transits: (layout, slot) => layout.buffer(slot) + layout.transits,
  transitsUsed: (layout, slot) => layout.buffer(slot) + BUFFER.TRANSITS_USED,
  beforeFree(segment, slot) {
    // Read before the slot is free: the next buffer there has another exporter.
    const exporter = exporterOf(segment, slot);
    // It may have something to release.
    return () => ring(segment, slotOf(exporter));
  },
};

export interface BufferOptions {
  readonly size: number;
  readonly name: string;
  readonly exporterName: string;
  /** Which operations its exporter has of its own. Default 0: none. */
  readonly flags?: number;
}

/** Which buffer, among all that ever used its slot. */
export type BufferKey = SlotKey;

/**
 * Takes a free slot; the calling agent holds the first reference.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimBuffer(member: Member, options: BufferOptions): BufferKey {
  return claimSlot(BUFFERS, member, (slot) => describeBuffer(member, slot, options));
}

function describeBuffer(member: Member, slot: number, options: BufferOptions): void {
  const { memory, layout } = member;
  const base = layout.buffer(slot);
  writePair(member, base + BUFFER.SIZE_LOW, options.size);
  writePair(member, base + BUFFER.INODE_LOW, addTo64(memory, HEADER.INODES, 1) + 1);
  memory.store(base + BUFFER.EXPORTER, member.identity);
  memory.store(base + BUFFER.FLAGS, options.flags ?? 0);
  memory.store(base + BUFFER.VERSION, 0);
  memory.store(base + BUFFER.MOVER, 0);
  writeName(memory, nameWord(layout, slot, memory.load(base + BUFFER.NAMED)), options.name);
  writeName(memory, base + BUFFER.EXPORTER_NAME, options.exporterName);
  memory.store(layout.reservation(slot, memory.load(base + BUFFER.PUBLISHED) & 1), 0);
}

export function isBufferLive(segment: Segment, key: BufferKey): boolean {
  return isSlotLive(BUFFERS, segment, key);
}

/**
 * Takes this agent's reference. The agent holds none on this slot yet (it counts its own uses itself).
 *
 * @returns False if the buffer is gone.
 */
export function addReference(member: Member, key: BufferKey): boolean {
  return addSlotReference(BUFFERS, member, key);
}

/** Drops an agent's reference; frees the buffer if it was the last. Returns whether this call freed it. */
export function dropReference(segment: Segment, slot: number, agentSlot: number): boolean {
  return dropSlotReference(BUFFERS, segment, slot, agentSlot);
}

/**
 * Holds the buffer for a handle that is sent away. The caller holds a reference.
 *
 * @throws {DmaBufError} `EAGAIN` if too many handles to this buffer are in flight.
 */
export function addTransit(member: Member, key: BufferKey): Transit {
  return addSlotTransit(BUFFERS, member, key);
}

/** Ends a handle's hold on the buffer, once; returns whether this call ended it. */
export function endTransit(segment: Segment, slot: number, transit: Transit): boolean {
  return endSlotTransit(BUFFERS, segment, slot, transit);
}

/** Handles in flight to a buffer. */
export function bufferTransits(segment: Segment, slot: number): number {
  return countTransits(BUFFERS, segment, slot);
}

export const BUFFER_RECOVERY: RecoveryStep = {
  table: "buffers",
  sweep: (segment, slot, dead) => sweepSlot(BUFFERS, segment, slot, dead),
};

/** The live buffers of a domain. */
export function liveBuffers(segment: Segment): Generator<BufferKey> {
  return liveSlots(BUFFERS, segment);
}

export function bufferSize(segment: Segment, slot: number): number {
  return readPair(segment, segment.layout.buffer(slot) + BUFFER.SIZE_LOW);
}

export function bufferInode(segment: Segment, slot: number): number {
  return readPair(segment, segment.layout.buffer(slot) + BUFFER.INODE_LOW);
}

/** The name as one agent has given it, never parts of two. */
export function bufferName({ memory, layout }: Segment, slot: number): string {
  const named = layout.buffer(slot) + BUFFER.NAMED;
  for (;;) {
    const version = memory.load(named);
    const name = readName(memory, nameWord(layout, slot, version));
    // SYNC POINT name-before-named: pairs with renameBuffer().
    if (memory.load(named) === version) return name;
  }
}

/** @throws {DmaBufError} `EBUSY` if another agent stands still while it renames the buffer. */
export function renameBuffer(agent: Agent, slot: number, name: string): void {
  const { memory, layout } = agent;
  const [named, word] = [layout.buffer(slot) + BUFFER.NAMED, layout.buffer(slot) + BUFFER.RENAMER];
  const version = (): number => memory.load(named);
  shortlyLocked(agent, { word, noun: "buffer's name", version }, () => {
    const next = (version() + 1) | 0;
    writeName(memory, nameWord(layout, slot, next), name);
    memory.store(named, next);
  });
}

function nameWord(layout: Layout, slot: number, version: number): number {
  return layout.buffer(slot) + ((version & 1) === 0 ? BUFFER.NAME : BUFFER.OTHER_NAME);
}

export function exporterName({ memory, layout }: Segment, slot: number): string {
  return readName(memory, layout.buffer(slot) + BUFFER.EXPORTER_NAME);
}

/** Which operations the exporter has of its own; 0 for plain data. */
export function exporterFlags({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.buffer(slot) + BUFFER.FLAGS);
}

export function exporterOf({ memory, layout }: Segment, slot: number): Identity {
  return memory.load(layout.buffer(slot) + BUFFER.EXPORTER);
}

/** Whether the agent that exported the buffer is still joined. */
export function isExporterLive(segment: Segment, slot: number): boolean {
  return isLive(segment, exporterOf(segment, slot));
}

function writePair({ memory }: Segment, word: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  memory.store(word, (value - high * 2 ** 32) | 0);
  memory.store(word + 1, high);
}

function readPair({ memory }: Segment, word: number): number {
  return (memory.load(word + 1) >>> 0) * 2 ** 32 + (memory.load(word) >>> 0);
}
