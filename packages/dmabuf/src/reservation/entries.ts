import { BUFFER, ENTRY, ENTRY_FENCE, RESERVATION, type Segment } from "../domain/layout.js";
import { loadNumber } from "../domain/record.js";
import type { FenceKey } from "../domain/timeline-slot.js";

/**
 * A buffer's fences in shared memory: two copies, of which PUBLISHED says the valid one. They are tested and written in
 * protocol/assembly/entries.ts; here they are read for those who want them one by one.
 *
 * entries.1. Only the holder of the lock writes, only the copy that is not valid, and publishes it by one store of
 *      PUBLISHED.
 * entries.2. A reader takes no lock: what it read counts if PUBLISHED has not changed until then.
 * entries.3. A writer that dies before the store has changed nothing.
 * entries.4. A signaled entry whose work is overdue keeps its place, until a later fence of its context has that.
 * entries.5. A copy also counts the fences of usage kernel and write that were ever added: who sees such a fence sees that
 *      the content has another number from then on.
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
  // SYNC POINT copy-before-publish: a writer that publishes is seen here.
  return segment.memory.load(published) === version ? entries : undefined;
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

/** How many fences of usage kernel and write were ever added; wraps (entries.5). `undefined` if that changed while it was read. */
export function tryReadWrites({ memory, layout }: Segment, bufferSlot: number): number | undefined {
  const published = layout.buffer(bufferSlot) + BUFFER.PUBLISHED;
  const version = memory.load(published);
  const writes = memory.load(layout.reservation(bufferSlot, version & 1) + RESERVATION.WRITES);
  return memory.load(published) === version ? writes : undefined;
}
