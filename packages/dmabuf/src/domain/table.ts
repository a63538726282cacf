import { DmaBufError } from "../errors.js";
import type { Substrate } from "../substrate/substrate.js";
import { HEADER, TABLE_NAMES, type Segment, type TableName } from "./layout.js";
import type { Sizes } from "./sizes.js";

/**
 * The tables of the control segment: how a free slot is found, and how far a table was ever used.
 *
 * table.1. USED of a table is raised beyond a slot before the slot is taken, and is never lowered: an agent that dies
 *     in between holds nothing that no sweep looks at.
 * table.2. A loop over a table ends at USED. What was never used is not touched: it costs no time, and its memory no
 *     page.
 * table.3. A hint says where the next search begins. It may be wrong, and then costs time.
 */

/** How many slots of a table, from the first one on, were ever used. */
export function usedSlots({ memory, layout }: Segment, table: TableName): number {
  return Math.min(memory.load(usedWord(table)) >>> 0, layout.counts[table]);
}

/**
 * Takes a free slot of a table.
 *
 * @param action What needs the slot, for the error's message: "create the timeline".
 * @param take Takes the slot if it is free, and returns what the caller wants of it; `undefined` if it is not free.
 * @throws {DmaBufError} `ENOSPC` if no slot is free; the message names the option.
 */
export function claimFree<T>(
  { memory, layout }: Segment,
  table: keyof Sizes,
  action: string,
  take: (slot: number) => T | undefined,
): T {
  const count = layout.sizes[table];
  const first = (memory.load(hint(table)) >>> 0) % count;
  for (let i = 0; i < count; i++) {
    const slot = (first + i) % count;
    // SYNC POINT used-before-taken: an agent that finds the slot taken finds it counted. Pairs with usedSlots().
    raiseTo(memory, usedWord(table), slot + 1);
    const taken = take(slot);
    if (taken === undefined) continue;
    memory.store(hint(table), (slot + 1) % count);
    return taken;
  }
  throw new DmaBufError("ENOSPC", `Cannot ${action}: all ${count} are in use (option "${table}")`);
}

/** Raises a word that is only raised. */
export function raiseTo(memory: Substrate, word: number, count: number): void {
  for (let n = memory.load(word); n < count; n = memory.load(word)) memory.compareExchange(word, n, count);
}

/** The word that says where the next search for a free slot of a table begins. */
export function hint(table: keyof Sizes): number {
  return HEADER.HINTS + TABLE_NAMES.indexOf(table);
}

/** The word that says how many of a table's slots were ever used. */
export function usedWord(table: TableName): number {
  return HEADER.USED + TABLE_NAMES.indexOf(table);
}
