import { slotOf, type Identity, type Member } from "./agent-slot.js";
import { FAILURE, FAILURES_KEPT, HEADER, OBITUARY, ONE_SHOT, TIMELINE, type Segment } from "./layout.js";
import type { RecoveryStep } from "./recovery.js";
import { raiseTo, usedSlots, usedWord } from "./table.js";

/**
 * How fences failed: the last ranges of each timeline, the reason of its end, and the obituaries of reused slots.
 *
 * failures.1. A failure is complete in memory before the exchange that makes its fence signaled.
 * failures.2. Entry number n of a timeline is readable until entry n + FAILURES_KEPT is complete; FORGOTTEN is raised
 *      before that.
 * failures.3. The failures of a slot's past use stand among the obituaries before the slot's generation moves on.
 * failures.4. An obituary is overwritten only after its slot's FORGOTTEN_GENERATION says so.
 * failures.5. Hence a reader finds a fence's own error, or knows that it may be gone (`ESTALE`).
 * failures.6. An obituary for which no entry can be had is forgotten at once: its slot says so, as if it had been
 *      overwritten.
 */

/** No sequence number reaches this. */
const LAST_SEQUENCE = 0x7fff_ffff_ffffn;

export const ESTALE = 116;

/** The rest of the word tells as many generations apart as it can. */
const END_ERROR_BITS = 12;

/** Records that the fences from `first` to `last` failed. Only the timeline's owner may call this. */
export function recordFailure(
  { memory, layout }: Segment,
  slot: number,
  first: bigint,
  last: bigint,
  error: number,
): void {
  const base = layout.timeline(slot);
  const count = memory.load(base + TIMELINE.FAILURES);
  const entry = failureEntry(layout.failures, base, count);
  if (count >= FAILURES_KEPT) {
    // The entry that the next failure overwrites.
    const oldest = failureEntry(layout.failures, base, count - FAILURES_KEPT);
    memory.store64(base + TIMELINE.FORGOTTEN, memory.load64(oldest + FAILURE.LAST));
  }
  memory.store64(entry + FAILURE.FIRST, first);
  memory.store64(entry + FAILURE.LAST, last);
  memory.store(entry + FAILURE.ERROR, error);
  // SYNC POINT failure-before-count: a reader trusts the entries below the count. Pairs with findFailure().
  memory.store(base + TIMELINE.FAILURES, count + 1 === FAILURES_LAP ? FAILURES_KEPT + 1 : count + 1);
}

/** Where the count goes back by whole laps of the ring, far below 2^31: as many entries are readable as before. */
const FAILURES_LAP = (FAILURES_KEPT + 1) * 2 ** 20;

/** The positive errno a completed fence failed with, 0 for none, `ESTALE` if that is no longer known. */
export function findFailure({ memory, layout }: Segment, slot: number, sequence: bigint): number {
  const base = layout.timeline(slot);
  for (;;) {
    const count = memory.load(base + TIMELINE.FAILURES);
    if (count === 0) return 0;
    let error = 0;
    for (let n = count - 1; n >= Math.max(0, count - FAILURES_KEPT) && error === 0; n--) {
      const entry = failureEntry(layout.failures, base, n);
      const inside =
        memory.load64(entry + FAILURE.FIRST) <= sequence && sequence <= memory.load64(entry + FAILURE.LAST);
      if (inside) error = memory.load(entry + FAILURE.ERROR);
    }
    // SYNC POINT failure-before-count: if the count stands still, no entry that was read was being rewritten.
    if (memory.load(base + TIMELINE.FAILURES) !== count) continue;
    if (error !== 0) return error;
    return sequence <= memory.load64(base + TIMELINE.FORGOTTEN) ? ESTALE : 0;
  }
}

/** Forgets why the slot's last timeline ended. */
export function resetEnd({ memory, layout }: Segment, slot: number, generation: number): void {
  memory.store(layout.timeline(slot) + TIMELINE.END_ERROR, generation << END_ERROR_BITS);
}

/** Sets why a timeline's pending fences fail. The first reason stands; one that is too late is not the next timeline's. */
export function recordEnd({ memory, layout }: Segment, slot: number, generation: number, error: number): void {
  const open = generation << END_ERROR_BITS;
  memory.compareExchange(layout.timeline(slot) + TIMELINE.END_ERROR, open, open | error);
}

/** The positive errno that the pending fences of an ended timeline failed with. */
export function endError({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.timeline(slot) + TIMELINE.END_ERROR) & (2 ** END_ERROR_BITS - 1);
}

/** Moves what is known of a timeline slot's failures to the obituaries, before the slot is used again. */
export function buryTimeline(member: Member, slot: number, lastCompleted: bigint): void {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  const generation = memory.load(base + TIMELINE.GENERATION);
  const count = memory.load(base + TIMELINE.FAILURES);
  const forgotten = memory.load64(base + TIMELINE.FORGOTTEN);
  if (forgotten !== 0n) addObituary(member, { slot, generation, error: ESTALE, first: 1n, last: forgotten });
  for (let n = Math.max(0, count - FAILURES_KEPT); n < count; n++) {
    const entry = failureEntry(layout.failures, base, n);
    const first = memory.load64(entry + FAILURE.FIRST);
    const last = memory.load64(entry + FAILURE.LAST);
    // Recorded, but then the timeline's end was faster: that is what became of these fences.
    if (last > lastCompleted) continue;
    addObituary(member, { slot, generation, error: memory.load(entry + FAILURE.ERROR), first, last });
  }
  const error = endError(member, slot);
  if (error !== 0) addObituary(member, { slot, generation, error, first: lastCompleted + 1n, last: LAST_SEQUENCE });
}

/** The end of a fence that failed in a slot that may be used again. */
export interface Obituary {
  readonly slot: number;
  readonly generation: number;
  readonly error: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** Adds an obituary, overwriting the oldest. What the writer leaves unfinished when it dies, its sweep frees. */
export function addObituary(member: Member, obituary: Obituary): void {
  const { memory, layout } = member;
  for (let attempt = 0; attempt < layout.obituariesKept; attempt++) {
    const index = memory.add(HEADER.OBITUARIES, 1) & 0x3fff_ffff;
    // SYNC POINT used-before-taken: as for a table's slots.
    raiseTo(memory, usedWord("retired"), (index % layout.obituariesKept) + 1);
    const entry = layout.obituary(index);
    const tag = memory.load(entry + OBITUARY.TAG);
    if (tag < 0) continue;
    if (tag > 0) forgetObituary(member, entry, tag);
    if (memory.compareExchange(entry + OBITUARY.TAG, tag, writing(member.identity)) !== tag) continue;
    memory.store(entry + OBITUARY.SLOT, obituary.slot);
    memory.store(entry + OBITUARY.GENERATION, obituary.generation);
    memory.store(entry + OBITUARY.ERROR, obituary.error);
    memory.store64(entry + OBITUARY.FIRST, obituary.first);
    memory.store64(entry + OBITUARY.LAST, obituary.last);
    memory.store(entry + OBITUARY.TAG, index + 1);
    return;
  }
  forgetGeneration(member, obituary.slot, obituary.generation);
}

export const RETIRED_RECOVERY: RecoveryStep = {
  table: "retired",
  /** Frees an entry that a dead agent was writing. Its fence slots still hold what it would have said. */
  sweep({ memory, layout }, index, dead) {
    memory.compareExchange(layout.obituary(index) + OBITUARY.TAG, writing(dead), 0);
  },
};

/** As `findFailure`, for a fence whose slot has moved on to another generation. */
export function findObituary(segment: Segment, slot: number, generation: number, sequence: bigint): number {
  const { memory, layout } = segment;
  const used = usedSlots(segment, "retired");
  for (let i = 0; i < used; i++) {
    const entry = layout.obituary(i);
    const tag = memory.load(entry + OBITUARY.TAG);
    if (tag <= 0 || memory.load(entry + OBITUARY.SLOT) !== slot) continue;
    if (memory.load(entry + OBITUARY.GENERATION) !== generation) continue;
    const error = memory.load(entry + OBITUARY.ERROR);
    const inside =
      memory.load64(entry + OBITUARY.FIRST) <= sequence && sequence <= memory.load64(entry + OBITUARY.LAST);
    if (inside && memory.load(entry + OBITUARY.TAG) === tag) return error;
  }
  const forgotten = memory.load(forgottenWord({ memory, layout }, slot));
  return ((generation - forgotten) | 0) > 0 ? 0 : ESTALE;
}

function writing(identity: Identity): number {
  return -(slotOf(identity) + 1);
}

/** The slot of an obituary about to be overwritten remembers that it had one. */
function forgetObituary(segment: Segment, entry: number, tag: number): void {
  const { memory } = segment;
  const slot = memory.load(entry + OBITUARY.SLOT);
  const generation = memory.load(entry + OBITUARY.GENERATION);
  // What was read may be of two obituaries, if another writer has been faster; it has seen to this.
  if (memory.load(entry + OBITUARY.TAG) === tag) forgetGeneration(segment, slot, generation);
}

function forgetGeneration(segment: Segment, slot: number, generation: number): void {
  const { memory, layout } = segment;
  if (slot >>> 0 >= layout.sizes.timelines + layout.sizes.oneShots) return;
  const word = forgottenWord(segment, slot);
  for (;;) {
    const forgotten = memory.load(word);
    if (((forgotten - generation) | 0) >= 0 || memory.compareExchange(word, forgotten, generation) === forgotten)
      return;
  }
}

/** How far a slot's generation may be from the last that may be forgotten: they are compared by their signed difference. */
const FARTHEST_GENERATION = 2 ** 30;

/** A slot begins another generation: one that is too far back for a comparison counts as forgotten (failures.5). */
export function forgetTooOld(segment: Segment, slot: number, generation: number): void {
  const oldest = (generation - FARTHEST_GENERATION) | 0;
  if (((segment.memory.load(forgottenWord(segment, slot)) - oldest) | 0) < 0) forgetGeneration(segment, slot, oldest);
}

function forgottenWord({ layout }: Segment, slot: number): number {
  return layout.isTimeline(slot)
    ? layout.timeline(slot) + TIMELINE.FORGOTTEN_GENERATION
    : layout.oneShot(slot) + ONE_SHOT.FORGOTTEN_GENERATION;
}

function failureEntry(failures: number, base: number, n: number): number {
  return base + failures + ((n >>> 0) % (FAILURES_KEPT + 1)) * FAILURE.WORDS;
}
