import { isLaterOrSame, keyContext } from "./fence-order";
import { isKeyFinished, isKeySignaled } from "./fence-slot";
import { BUFFER, ENTRY, ENTRY_FENCE, LAYOUT, RESERVATION, USAGE_LEVEL } from "./layout";
import { bufferAt } from "./places";
import { load64, loadNumber, loadWord, store64, storeWord } from "./words";

/** A buffer's fences; see reservation/entries.ts for the rules. */

function publishedOf(buffer: i32): i32 {
  return bufferAt(buffer) + BUFFER.PUBLISHED;
}

function copyAt(buffer: i32, version: i32): i32 {
  return bufferAt(buffer) + BUFFER.COPIES + (version & 1) * RESERVATION.WORDS;
}

/** A copy that is being rewritten may hold anything: no index is believed beyond the table. */
function countIn(copy: i32): i32 {
  const count = loadWord(copy + RESERVATION.COUNT);
  return <u32>count < <u32>LAYOUT.reservationEntries ? count : LAYOUT.reservationEntries;
}

function entryAt(copy: i32, index: i32): i32 {
  return copy + RESERVATION.ENTRIES + index * ENTRY.WORDS;
}

function levelIn(entry: i32): i32 {
  return ENTRY_FENCE.level(loadWord(entry + ENTRY.FENCE));
}

function slotIn(entry: i32): i32 {
  return min(ENTRY_FENCE.slot(loadWord(entry + ENTRY.FENCE)), LAYOUT.fenceSlots - 1);
}

function isFinished(entry: i32): bool {
  return isKeyFinished(slotIn(entry), loadWord(entry + ENTRY.GENERATION), <f64>loadNumber(entry + ENTRY.SEQUENCE));
}

function isSignaled(entry: i32): bool {
  return isKeySignaled(slotIn(entry), loadWord(entry + ENTRY.GENERATION), <f64>loadNumber(entry + ENTRY.SEQUENCE));
}

/**
 * Whether all fences up to a level are signaled, or finished, without the lock; -1 if they changed while they were read.
 * A signaled fence stays signaled: that each was so when it was looked at says that all are at the end.
 */
export function testEntries(buffer: i32, level: i32, finished: bool): i32 {
  const version = loadWord(publishedOf(buffer));
  const copy = copyAt(buffer, version);
  const count = countIn(copy);
  let index = 0;
  for (; index < count; index++) {
    const entry = entryAt(copy, index);
    if (levelIn(entry) <= level && !(finished ? isFinished(entry) : isSignaled(entry))) break;
  }
  // SYNC POINT copy-before-publish: pairs with publish().
  return loadWord(publishedOf(buffer)) == version ? i32(index == count) : -1;
}

/**
 * Adds a fence by the kernel's rules: over an older fence of its context with the same or a weaker usage, over a signaled
 * one that is not overdue (entries.4), or at the end. Only the holder of the lock may call this.
 *
 * @param room How many fences there may be.
 * @returns False if there is no room.
 */
export function addEntry(buffer: i32, slot: i32, generation: i32, sequence: f64, level: i32, room: i32): bool {
  const version = loadWord(publishedOf(buffer));
  const copy = copyAt(buffer, version);
  const count = countIn(copy);
  const place = placeFor(copy, count, slot, generation, <i64>sequence, level);
  if (place == count && place >= room) return false;
  const next = copyAt(buffer, version + 1);
  change(next + RESERVATION.COUNT, max(count, place + 1));
  countWrites(copy, next, writes(level));
  for (let index = 0; index < count; index++) {
    if (index != place) copyEntry(entryAt(copy, index), entryAt(next, index));
  }
  write(entryAt(next, place), slot, generation, <i64>sequence, level);
  publish(buffer, version);
  return true;
}

function placeFor(copy: i32, count: i32, slot: i32, generation: i32, sequence: i64, level: i32): i32 {
  for (let index = 0; index < count; index++) {
    const entry = entryAt(copy, index);
    if ((levelIn(entry) >= level && isReplacedBy(entry, slot, generation, sequence)) || isFinished(entry)) return index;
  }
  return count;
}

function isReplacedBy(entry: i32, slot: i32, generation: i32, sequence: i64): bool {
  const other = loadWord(entry + ENTRY.GENERATION);
  return isLaterOrSame(slot, generation, sequence, slotIn(entry), other, loadNumber(entry + ENTRY.SEQUENCE));
}

/** How many fences there are, for the holder. */
export function countEntries(buffer: i32): i32 {
  return countIn(copyAt(buffer, loadWord(publishedOf(buffer))));
}

/**
 * Puts the unfinished fences of a buffer in the place of all fences of one that is locked, which may be the same.
 *
 * @returns How many there are now; -1 if those of the source changed while they were read.
 */
export function copyEntries(buffer: i32, source: i32): i32 {
  const sourceVersion = loadWord(publishedOf(source));
  const version = loadWord(publishedOf(buffer));
  const copy = copyAt(source, sourceVersion);
  const next = copyAt(buffer, version + 1);
  const count = countIn(copy);
  let copied = 0;
  let added = 0;
  for (let index = 0; index < count; index++) {
    const entry = entryAt(copy, index);
    if (isFinished(entry)) continue;
    if (buffer != source) added += writes(levelIn(entry));
    copyEntry(entry, entryAt(next, copied++));
  }
  // SYNC POINT copy-before-publish.
  if (loadWord(publishedOf(source)) != sourceVersion) return -1;
  change(next + RESERVATION.COUNT, copied);
  countWrites(copyAt(buffer, version), next, added);
  publish(buffer, version);
  return copied;
}

/** Puts a fence in the place of every fence of a context. For the holder. */
export function replaceEntries(buffer: i32, context: f64, slot: i32, generation: i32, sequence: f64, level: i32): void {
  const version = loadWord(publishedOf(buffer));
  const copy = copyAt(buffer, version);
  const next = copyAt(buffer, version + 1);
  const count = countIn(copy);
  change(next + RESERVATION.COUNT, count);
  countWrites(copy, next, writes(level));
  for (let index = 0; index < count; index++) {
    const entry = entryAt(copy, index);
    const isOfContext = keyContext(slotIn(entry), loadWord(entry + ENTRY.GENERATION)) == <i64>context;
    if (isOfContext) write(entryAt(next, index), slot, generation, <i64>sequence, level);
    else copyEntry(entry, entryAt(next, index));
  }
  publish(buffer, version);
}

/** Whether a fence of a level stands for work that may change the bytes: 1 or 0. */
function writes(level: i32): i32 {
  return i32(level <= USAGE_LEVEL.WRITE);
}

/** entries.5 */
function countWrites(copy: i32, next: i32, added: i32): void {
  change(next + RESERVATION.WRITES, loadWord(copy + RESERVATION.WRITES) + added);
}

function copyEntry(from: i32, to: i32): void {
  change(to + ENTRY.FENCE, loadWord(from + ENTRY.FENCE));
  change(to + ENTRY.GENERATION, loadWord(from + ENTRY.GENERATION));
  change64(to + ENTRY.SEQUENCE, load64(from + ENTRY.SEQUENCE));
}

function write(entry: i32, slot: i32, generation: i32, sequence: i64, level: i32): void {
  change(entry + ENTRY.FENCE, ENTRY_FENCE.ofSlot(slot) | ENTRY_FENCE.ofLevel(level));
  change(entry + ENTRY.GENERATION, generation);
  change64(entry + ENTRY.SEQUENCE, sequence);
}

/** Only the holder writes: a word that holds the value already needs no store, which takes the line from all readers. */
function change(word: i32, value: i32): void {
  if (loadWord(word) != value) storeWord(word, value);
}

function change64(word: i32, value: i64): void {
  if (load64(word) != value) store64(word, value);
}

function publish(buffer: i32, version: i32): void {
  // SYNC POINT copy-before-publish: a reader that sees the new version finds the copy complete.
  storeWord(publishedOf(buffer), version + 1);
}
