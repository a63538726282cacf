import { BUFFER, ENTRY, ENTRY_FENCE, RESERVATION, type Segment } from "../domain/layout.js";
import { loadNumber, storeNumber } from "../domain/record.js";
import { isKeyFinished, isKeyOverduerOrSame, isKeySignaled } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";

/**
 * A buffer's fences in shared memory: two copies, of which PUBLISHED says the valid one.
 *
 * entries.1. Only the holder of the lock writes, only the copy that is not valid, and publishes it by one store of
 *      PUBLISHED.
 * entries.2. A reader takes no lock: what it read counts if PUBLISHED has not changed until then.
 * entries.3. A writer that dies before the store has changed nothing.
 * entries.4. A signaled entry whose work is overdue keeps its place, until a later fence of its context has that.
 */

export interface Entry {
  readonly key: FenceKey;
  /** 0 kernel, 1 write, 2 read, 3 bookkeep. */
  readonly level: number;
}

/** The entries as of one instant, without the lock; `undefined` if they changed while they were read. */
export function tryReadEntries(segment: Segment, bufferSlot: number): Entry[] | undefined {
  const published = segment.layout.buffer(bufferSlot) + BUFFER.PUBLISHED;
  const version = segment.memory.load(published);
  const entries = readCopy(segment, bufferSlot, version & 1);
  // SYNC POINT copy-before-publish: pairs with publishEntries().
  return segment.memory.load(published) === version ? entries : undefined;
}

/** The entries, for the holder of the lock. */
export function readEntries(segment: Segment, bufferSlot: number): Entry[] {
  const version = segment.memory.load(segment.layout.buffer(bufferSlot) + BUFFER.PUBLISHED);
  return readCopy(segment, bufferSlot, version & 1);
}

/** Replaces the entries. Only the holder of the lock may call this. */
export function publishEntries(segment: Segment, bufferSlot: number, entries: readonly Entry[]): void {
  const { memory, layout } = segment;
  const published = layout.buffer(bufferSlot) + BUFFER.PUBLISHED;
  const version = memory.load(published);
  const copy = layout.reservation(bufferSlot, (version + 1) & 1);
  memory.store(copy + RESERVATION.COUNT, entries.length);
  let word = copy + layout.RESERVATION.ENTRIES;
  for (const { key, level } of entries) {
    memory.store(word + ENTRY.FENCE, ENTRY_FENCE.slot.of(key.slot) | ENTRY_FENCE.level.of(level));
    memory.store(word + ENTRY.GENERATION, key.generation);
    storeNumber(memory, word + ENTRY.SEQUENCE, key.sequence);
    word += ENTRY.WORDS;
  }
  // SYNC POINT copy-before-publish: a reader that sees the new version finds the copy complete.
  memory.store(published, (version + 1) | 0);
}

/** Whether an unsignaled entry of at most this level exists. May be wrong only if the entries change during the look. */
export function hasPending(segment: Segment, entries: readonly Entry[], level: number): boolean {
  return entries.some((entry) => entry.level <= level && !isKeySignaled(segment, entry.key));
}

/** As {@link hasPending}, for work that has not finished: it is pending or overdue. */
export function hasUnfinished(segment: Segment, entries: readonly Entry[], level: number): boolean {
  return entries.some((entry) => entry.level <= level && !isKeyFinished(segment, entry.key));
}

/**
 * Where a new fence goes by the kernel's rules: over an older fence of its context with the same or a weaker usage,
 * over a signaled one that is not overdue, or at the end.
 */
export function placeFor(segment: Segment, entries: readonly Entry[], added: Entry): number {
  const index = entries.findIndex(
    (entry) =>
      (entry.level >= added.level && isKeyOverduerOrSame(segment, added.key, entry.key)) ||
      isKeyFinished(segment, entry.key),
  );
  return index < 0 ? entries.length : index;
}

/** Whether two lists name the same fences with the same usages in the same places. */
export function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ key, level }, i) => {
      const other = b[i]!;
      const sameKey = key.slot === other.key.slot && key.generation === other.key.generation;
      return sameKey && key.sequence === other.key.sequence && level === other.level;
    })
  );
}

function readCopy({ memory, layout }: Segment, bufferSlot: number, copyIndex: number): Entry[] {
  const copy = layout.reservation(bufferSlot, copyIndex);
  // A copy that is being rewritten may hold anything: no index is believed beyond the table.
  const count = Math.min(memory.load(copy + RESERVATION.COUNT) >>> 0, layout.reservationEntries);
  const lastSlot = layout.fenceSlots - 1;
  const entries: Entry[] = [];
  let word = copy + layout.RESERVATION.ENTRIES;
  for (let i = 0; i < count; i++, word += ENTRY.WORDS) {
    const packed = memory.load(word + ENTRY.FENCE);
    const key = {
      slot: Math.min(ENTRY_FENCE.slot.in(packed), lastSlot),
      generation: memory.load(word + ENTRY.GENERATION),
      sequence: loadNumber(memory, word + ENTRY.SEQUENCE),
    };
    entries.push({ key, level: ENTRY_FENCE.level.in(packed) });
  }
  return entries;
}
