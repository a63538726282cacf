import { ACTIVITIES, type Activity } from "../domain/activity.js";
import { isLive, type Identity, type Member } from "../domain/agent-slot.js";
import { ACTIVITY, DOES, SITE_WORDS, type Segment } from "../domain/layout.js";
import { loadNumber, loadTime, storeNumber, storeTime } from "../domain/record.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { claimFree, usedSlots } from "../domain/table.js";
import { readText, writeText } from "../domain/text.js";
import { DmaBufError } from "../errors.js";

/**
 * What agents do that lasts: one entry for each hold and each wait that is older than a tenth of a second. It tells since
 * when, and where in the program; who is in whose way is known without it.
 *
 * activity-slot.1. An entry has one owner, who takes a free slot by one compare-exchange of OWNER, and alone stores there
 *     until it stores 0. After its death its reaper does that.
 * activity-slot.2. VERSION is odd while the entry is whole. It is raised when all other words are stored, and again before
 *     the slot is free: what was read in between counts if VERSION was odd before, and is the same after.
 * activity-slot.3. An entry counts while its owner is live. No agent waits for one, and none decides by one what it may do.
 * activity-slot.4. Where the table is full, an entry is missing, and nothing else.
 */

/** An entry as it was read. */
export interface StoredActivity extends Required<Activity> {
  readonly owner: Identity;
  /** Whether its owner's thread was blocked by it. */
  readonly blocks: boolean;
  /** Monotonic nanoseconds. */
  readonly since: number;
  /** "" if it is not known. */
  readonly place: string;
}

/** Takes a slot and stores an entry of the calling agent; returns nothing if the table is full. */
export function storeActivity(member: Member, entry: Omit<StoredActivity, "owner">): number | undefined {
  const { memory, layout, identity } = member;
  if (layout.sizes.activities === 0) return undefined;
  let slot: number;
  try {
    slot = claimFree(member, "activities", "say what this agent does", (slot) => {
      const owner = layout.activity(slot) + ACTIVITY.OWNER;
      const isTaken = memory.load(owner) === 0 && memory.compareExchange(owner, 0, identity) === 0;
      return isTaken ? slot : undefined;
    });
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return undefined;
    throw error;
  }
  const base = layout.activity(slot);
  const activity = ACTIVITIES.indexOf(entry.does);
  memory.store(base + ACTIVITY.DOES, DOES.activity.of(activity) | DOES.blocks.of(entry.blocks ? 1 : 0));
  memory.store(base + ACTIVITY.SLOT, entry.slot);
  memory.store(base + ACTIVITY.GENERATION, entry.generation);
  storeNumber(memory, base + ACTIVITY.NUMBER, entry.number);
  storeTime(memory, base + ACTIVITY.SINCE, entry.since);
  writeText(memory, base + ACTIVITY.PLACE, SITE_WORDS, entry.place.slice(-PLACE_LENGTH));
  // SYNC POINT words-before-version: pairs with readActivity().
  memory.add(base + ACTIVITY.VERSION, 1);
  return slot;
}

/** Takes an entry back. Only its owner, or the reaper of its dead owner. */
export function clearActivity({ memory, layout }: Segment, slot: number, owner: Identity): void {
  const base = layout.activity(slot);
  if (memory.load(base + ACTIVITY.OWNER) !== owner) return;
  // SYNC POINT version-before-free: the next owner finds an even one.
  if (isWhole(memory.load(base + ACTIVITY.VERSION))) memory.add(base + ACTIVITY.VERSION, 1);
  memory.store(base + ACTIVITY.OWNER, 0);
}

/** The entries of live agents. */
export function storedActivities(segment: Segment): StoredActivity[] {
  const entries = Array.from({ length: usedSlots(segment, "activities") }, (_, slot) => readActivity(segment, slot));
  return entries.filter((entry) => entry !== undefined);
}

/** An entry as a whole; nothing if there is none in a slot, or it has changed while it was read. */
export function readActivity(segment: Segment, slot: number): StoredActivity | undefined {
  const { memory, layout } = segment;
  const base = layout.activity(slot);
  const version = memory.load(base + ACTIVITY.VERSION);
  if (!isWhole(version)) return undefined;
  const owner = memory.load(base + ACTIVITY.OWNER);
  const does = memory.load(base + ACTIVITY.DOES);
  const known = ACTIVITIES[DOES.activity.in(does)];
  const entry = {
    owner,
    blocks: DOES.blocks.in(does) !== 0,
    slot: memory.load(base + ACTIVITY.SLOT) >>> 0,
    generation: memory.load(base + ACTIVITY.GENERATION),
    number: loadNumber(memory, base + ACTIVITY.NUMBER),
    since: loadTime(memory, base + ACTIVITY.SINCE),
    place: readText(memory, base + ACTIVITY.PLACE, SITE_WORDS),
  };
  if (memory.load(base + ACTIVITY.VERSION) !== version || known === undefined || !isLive(segment, owner))
    return undefined;
  return { ...entry, does: known };
}

/** Takes away the entries of one that dies or leaves. */
export const ACTIVITY_RECOVERY: RecoveryStep = { table: "activities", sweep: clearActivity };

function isWhole(version: number): boolean {
  return version % 2 !== 0;
}

/** So many characters of two bytes fit. Of a longer place the end is stored: there are the file and the line. */
const PLACE_LENGTH = SITE_WORDS * 2 - 1;
