import { ERRNO } from "../errors.js";
import { slotOf, type Identity, type Member } from "./agent-slot.js";
import {
  COMPLETED,
  END_ERROR,
  FAILURE,
  FAILURES_KEPT,
  HEADER,
  ONE_SHOT,
  RETIRED,
  TIMELINE,
  type Layout,
  type Segment,
} from "./layout.js";
import { loadNumber, storeNumber } from "./record.js";
import type { RecoveryStep } from "./recovery.js";
import { raiseTo, usedWord } from "./table.js";

/**
 * How fences failed: the last ranges of each timeline, the reason of its end, and the failures of slots that have been
 * used again, which are retired.
 *
 * failures.1. A failure is complete in memory before the exchange that makes its fence signaled.
 * failures.2. Entry number n of a timeline is readable until entry n + FAILURES_KEPT is complete; FORGOTTEN is raised
 *     before that.
 * failures.3. The failures of a slot's past use are retired before the slot's generation moves on.
 * failures.4. A retired failure is overwritten only after its slot's FORGOTTEN_GENERATION says so.
 * failures.5. Hence a reader finds a fence's own error, or knows that it may be gone (`ESTALE`).
 * failures.6. A failure for which no entry can be had is forgotten at once: its slot says so, as if it had been
 *     overwritten.
 */

/** No sequence number reaches this. */
const BEYOND_ALL = 2 ** COMPLETED.sequence.width - 1;

const { ESTALE } = ERRNO;

/** Records that the fences from `first` to `last` failed. Only the timeline's owner may call this. */
export function recordFailure(
  { memory, layout }: Segment,
  slot: number,
  first: number,
  last: number,
  error: number,
): void {
  const base = layout.timeline(slot);
  const count = memory.load(base + TIMELINE.FAILURES);
  const entry = failureEntry(layout, base, count);
  if (count >= FAILURES_KEPT) {
    // The entry that the next failure overwrites.
    const oldest = failureEntry(layout, base, count - FAILURES_KEPT);
    memory.store64(base + TIMELINE.FORGOTTEN, memory.load64(oldest + FAILURE.LAST));
  }
  storeNumber(memory, entry + FAILURE.FIRST, first);
  storeNumber(memory, entry + FAILURE.LAST, last);
  memory.store(entry + FAILURE.ERROR, error);
  // SYNC POINT failure-before-count: a reader trusts the entries below the count. Pairs with findFailure() in protocol/assembly.
  memory.store(base + TIMELINE.FAILURES, count + 1 === FAILURES_LAP ? FAILURES_KEPT + 1 : count + 1);
}

/** Where the count goes back by whole laps of the ring, far below 2^31: as many entries are readable as before. */
const FAILURES_LAP = (FAILURES_KEPT + 1) * 2 ** 20;

/** Forgets why the slot's last timeline ended. */
export function resetEnd({ memory, layout }: Segment, slot: number, generation: number): void {
  memory.store(layout.timeline(slot) + TIMELINE.END_ERROR, END_ERROR.generation.of(generation));
}

/** Sets why a timeline's pending fences fail. The first reason stays; one that is too late is not the next timeline's. */
export function recordEnd({ memory, layout }: Segment, slot: number, generation: number, error: number): void {
  const open = END_ERROR.generation.of(generation);
  memory.compareExchange(layout.timeline(slot) + TIMELINE.END_ERROR, open, open | END_ERROR.error.of(error));
}

/** The positive errno that the pending fences of an ended timeline failed with. */
function endError({ memory, layout }: Segment, slot: number): number {
  return END_ERROR.error.in(memory.load(layout.timeline(slot) + TIMELINE.END_ERROR));
}

/** Retires what is known of a timeline slot's failures, before the slot is used again. */
export function retireFailures(member: Member, slot: number, lastCompleted: number): void {
  const { memory, layout } = member;
  const base = layout.timeline(slot);
  const generation = memory.load(base + TIMELINE.GENERATION);
  const count = memory.load(base + TIMELINE.FAILURES);
  const forgotten = loadNumber(memory, base + TIMELINE.FORGOTTEN);
  if (forgotten !== 0) retireFailure(member, { slot, generation, error: ESTALE, first: 1, last: forgotten });
  for (let n = Math.max(0, count - FAILURES_KEPT); n < count; n++) {
    const entry = failureEntry(layout, base, n);
    const first = loadNumber(memory, entry + FAILURE.FIRST);
    const last = loadNumber(memory, entry + FAILURE.LAST);
    // Recorded, but then the timeline's end was faster: that is what became of these fences.
    if (last > lastCompleted) continue;
    retireFailure(member, { slot, generation, error: memory.load(entry + FAILURE.ERROR), first, last });
  }
  const error = endError(member, slot);
  if (error !== 0) retireFailure(member, { slot, generation, error, first: lastCompleted + 1, last: BEYOND_ALL });
}

/** The end of a fence that failed in a slot that may be used again. */
export interface RetiredFailure {
  readonly slot: number;
  readonly generation: number;
  readonly error: number;
  readonly first: number;
  readonly last: number;
}

/** Keeps a failure in the oldest one's place. What the writer leaves unfinished when it dies, its sweep frees. */
export function retireFailure(member: Member, failure: RetiredFailure): void {
  const { memory, layout } = member;
  for (let attempt = 0; attempt < layout.counts.retired; attempt++) {
    const index = (memory.add(HEADER.RETIRED, 1) >>> 0) % INDEX_LAP;
    // SYNC POINT used-before-taken: as for a table's slots.
    raiseTo(memory, usedWord("retired"), (index % layout.counts.retired) + 1);
    const entry = layout.retired(index);
    const tag = memory.load(entry + RETIRED.TAG);
    if (tag < 0) continue;
    if (tag > 0) forgetRetired(member, entry, tag);
    if (memory.compareExchange(entry + RETIRED.TAG, tag, writing(member.identity)) !== tag) continue;
    memory.store(entry + RETIRED.SLOT, failure.slot);
    memory.store(entry + RETIRED.GENERATION, failure.generation);
    memory.store(entry + RETIRED.ERROR, failure.error);
    storeNumber(memory, entry + RETIRED.FIRST, failure.first);
    storeNumber(memory, entry + RETIRED.LAST, failure.last);
    memory.store(entry + RETIRED.TAG, index + 1);
    return;
  }
  forgetGeneration(member, failure.slot, failure.generation);
}

export const RETIRED_RECOVERY: RecoveryStep = {
  table: "retired",
  /** Frees an entry that a dead agent was writing. Its fence slots still hold what it would have said. */
  sweep({ memory, layout }, index, dead) {
    memory.compareExchange(layout.retired(index) + RETIRED.TAG, writing(dead), 0);
  },
};

/** Far below 2^31, and whole laps of the ring: the indices go on where they wrap. */
const INDEX_LAP = 0x4000_0000;

function writing(identity: Identity): number {
  return -(slotOf(identity) + 1);
}

/** The slot of an retired failure about to be overwritten remembers that it had one. */
function forgetRetired(segment: Segment, entry: number, tag: number): void {
  const { memory } = segment;
  const slot = memory.load(entry + RETIRED.SLOT);
  const generation = memory.load(entry + RETIRED.GENERATION);
  // What was read may be of two failures, if another writer has been faster; it has seen to this.
  if (memory.load(entry + RETIRED.TAG) === tag) forgetGeneration(segment, slot, generation);
}

function forgetGeneration(segment: Segment, slot: number, generation: number): void {
  const { memory, layout } = segment;
  if (slot >>> 0 >= layout.fenceSlots) return;
  const word = forgottenWord(segment, slot);
  for (;;) {
    const forgotten = memory.load(word);
    if (((forgotten - generation) | 0) >= 0 || memory.compareExchange(word, forgotten, generation) === forgotten)
      return;
  }
}

/** How far a slot's generation may be from the last that may be forgotten: they are compared by their signed difference. */
const FARTHEST_GENERATION = 0x4000_0000;

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

function failureEntry(layout: Layout, base: number, n: number): number {
  return base + layout.TIMELINE.FAILED + ((n >>> 0) % (FAILURES_KEPT + 1)) * FAILURE.WORDS;
}
