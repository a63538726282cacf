import { ring, slotOf, type Identity, type Member } from "../domain/agent-slot.js";
import { nameBuffer } from "../domain/buffer-name.js";
import { BUFFER, HEADER, RESERVATION, type Segment } from "../domain/layout.js";
import { addNumber, loadNumber, storeNumber } from "../domain/record.js";
import { ReferencedTable, type SlotKey } from "../domain/referenced-table.js";
import { readName, writeName } from "../domain/text.js";
import type { StorageFile } from "./storage.js";

/** The agents that hold a buffer; and what is known of it. */
export const BUFFER_SLOTS = new ReferencedTable({
  table: "buffers",
  noun: "buffer",
  action: "export the buffer",
  slot: (layout, slot) => layout.buffer(slot),
  places: (layout) => layout.BUFFER,
  beforeFree(segment, slot) {
    // Read before the slot is free: the next buffer there has another exporter.
    const exporter = exporterOf(segment, slot);
    // It may have something to release.
    return () => ring(segment, slotOf(exporter));
  },
});

export interface BufferOptions {
  readonly size: number;
  readonly name: string;
  readonly exporterName: string;
  /** Which operations its exporter has of its own. Default 0: none. */
  readonly flags?: number;
  /** Where its bytes are, if that is a file. */
  readonly file?: StorageFile | undefined;
}

/** Which buffer, among all that ever used its slot. */
export type BufferKey = SlotKey;

/**
 * Takes a free slot; the calling agent holds the first reference.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimBuffer(member: Member, options: BufferOptions): BufferKey {
  return BUFFER_SLOTS.claim(member, (slot) => describeBuffer(member, slot, options));
}

function describeBuffer(member: Member, slot: number, options: BufferOptions): void {
  const { memory, layout } = member;
  const base = layout.buffer(slot);
  storeNumber(memory, base + BUFFER.SIZE, options.size);
  storeNumber(memory, base + BUFFER.INODE, addNumber(memory, HEADER.INODES, 1) + 1);
  sayFile(member, slot, options.file);
  memory.store(base + BUFFER.EXPORTER, member.identity);
  memory.store(base + BUFFER.FLAGS, options.flags ?? 0);
  memory.store(base + BUFFER.VERSION, 0);
  memory.store(base + BUFFER.MOVER, 0);
  nameBuffer(member, slot, options.name);
  writeName(memory, base + BUFFER.EXPORTER_NAME, options.exporterName);
  memory.store(base + BUFFER.CONTENT, 0);
  const copy = layout.reservation(slot, memory.load(base + BUFFER.PUBLISHED) & 1);
  memory.store(copy + RESERVATION.COUNT, 0);
  memory.store(copy + RESERVATION.WRITES, 0);
}

/** Says in which file the bytes are. */
export function sayFile({ memory, layout }: Segment, slot: number, file: StorageFile | undefined): void {
  const base = layout.buffer(slot);
  storeNumber(memory, base + BUFFER.FILE, file?.inode ?? 0);
  storeNumber(memory, base + BUFFER.FILE_OFFSET, file?.offset ?? 0);
}

/** In which file the bytes are; nothing if they are in none, or in several. */
export function fileOf({ memory, layout }: Segment, slot: number): StorageFile | undefined {
  const base = layout.buffer(slot);
  const inode = loadNumber(memory, base + BUFFER.FILE);
  return inode === 0 ? undefined : { inode, offset: loadNumber(memory, base + BUFFER.FILE_OFFSET) };
}

export function bufferSize({ memory, layout }: Segment, slot: number): number {
  return loadNumber(memory, layout.buffer(slot) + BUFFER.SIZE);
}

export function bufferInode({ memory, layout }: Segment, slot: number): number {
  return loadNumber(memory, layout.buffer(slot) + BUFFER.INODE);
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
