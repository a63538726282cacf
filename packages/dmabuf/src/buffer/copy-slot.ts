import type { Identity, Member } from "../domain/agent-slot.js";
import { COPY, SITE_WORDS, type Segment } from "../domain/layout.js";
import { loadNumber, storeNumber } from "../domain/record.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { claimFree, usedSlots } from "../domain/table.js";
import { readText, writeText } from "../domain/text.js";
import { DmaBufError } from "../errors.js";
import { COPY_REASONS, type CopyReason } from "../domain/copying.js";

/**
 * What agents have copied: one entry for each agent, reason and place.
 *
 * copy-slot.1. An entry has one owner, which takes a free slot by one compare-exchange of OWNER, keeps it until it leaves,
 *     and alone stores there. After its death its reaper frees the slot.
 * copy-slot.2. TIMES is 0 until the entry is whole, and before its slot is free. What was read counts if TIMES was not 0
 *     before, and OWNER is the same after: an agent gives no entry back, and its identity is given to no other.
 * copy-slot.3. Where the table is full, an entry is missing, and nothing else.
 */

/** Bytes that were copied for one reason. */
export interface CopyEntry {
  readonly owner: Identity;
  readonly why: CopyReason;
  /** "" if it is not known. */
  readonly place: string;
  readonly bytes: number;
  readonly times: number;
}

/** Of a longer place the end is stored: there are the file and the line. */
const LONGEST_PLACE = (SITE_WORDS * 4 - 1) / 2;

/** Takes a slot for an entry of the calling agent; returns nothing if the table is full. */
export function claimCopy(member: Member, { why, place, bytes, times }: Omit<CopyEntry, "owner">): number | undefined {
  const { memory, layout, identity } = member;
  if (layout.sizes.copies === 0) return undefined;
  let slot: number;
  try {
    slot = claimFree(member, "copies", "say what this agent copies", (slot) => {
      const owner = layout.copy(slot) + COPY.OWNER;
      const isTaken = memory.load(owner) === 0 && memory.compareExchange(owner, 0, identity) === 0;
      return isTaken ? slot : undefined;
    });
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return undefined;
    throw error;
  }
  const base = layout.copy(slot);
  memory.store(base + COPY.WHY, COPY_REASONS.indexOf(why));
  writeText(memory, base + COPY.PLACE, SITE_WORDS, place.slice(-LONGEST_PLACE));
  storeCopies(member, slot, bytes, times);
  return slot;
}

/** Stores how much it is by now. Only the owner. */
export function storeCopies({ memory, layout }: Segment, slot: number, bytes: number, times: number): void {
  const base = layout.copy(slot);
  storeNumber(memory, base + COPY.BYTES, bytes);
  // SYNC POINT entry-before-times: pairs with readCopy().
  memory.store(base + COPY.TIMES, times);
}

/** All entries. */
export function storedCopies(segment: Segment): CopyEntry[] {
  const entries = Array.from({ length: usedSlots(segment, "copies") }, (_, slot) => readCopy(segment, slot));
  return entries.filter((entry) => entry !== undefined);
}

function readCopy({ memory, layout }: Segment, slot: number): CopyEntry | undefined {
  const base = layout.copy(slot);
  const owner = memory.load(base + COPY.OWNER);
  const times = memory.load(base + COPY.TIMES);
  if (owner === 0 || times === 0) return undefined;
  const why = COPY_REASONS[memory.load(base + COPY.WHY)];
  const place = readText(memory, base + COPY.PLACE, SITE_WORDS);
  const bytes = loadNumber(memory, base + COPY.BYTES);
  if (memory.load(base + COPY.OWNER) !== owner || why === undefined) return undefined;
  return { owner, why, place, bytes, times: times >>> 0 };
}

/** Takes away the entries of one that dies or leaves. */
export const COPY_RECOVERY: RecoveryStep = {
  table: "copies",
  sweep({ memory, layout }, slot, owner) {
    const base = layout.copy(slot);
    if (memory.load(base + COPY.OWNER) !== owner) return;
    memory.store(base + COPY.TIMES, 0);
    // SYNC POINT times-before-free: the next owner finds 0.
    memory.store(base + COPY.OWNER, 0);
  },
};
