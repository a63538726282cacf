import { BUFFER_SLOTS } from "../buffer/buffer-slot.js";
import { currentHolds } from "../buffer/hold.js";
import { bufferText } from "../domain/buffer-name.js";
import { slotOf, type Identity } from "../domain/agent-slot.js";
import { testBit } from "../domain/bits.js";
import { keyOrigin, keyOwner } from "../domain/fence-slot.js";
import { BUFFER, ONE_SHOT, SLOT_STATE, THING, TIMELINE, type Segment } from "../domain/layout.js";
import { pairOf } from "../domain/packing.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Thing } from "../domain/validation.js";
import { backingOf, type Fence } from "../fence/fence.js";
import { unwrap } from "../fence/unwrap.js";
import { holderOf, lockHolder } from "../reservation/lock.js";

/** Things as all agents name them: in one word, with the generation of their slot. */

const KINDS = ["none", "lock", "read", "write", "fence"] as const;
type Kind = (typeof KINDS)[number];

/** The words of a thing: none for a fence that no other agent knows, several for a container. */
export function wordsOf(segment: Segment, thing: Thing): bigint[] {
  if (thing.kind !== "fence") return [word(thing.kind, thing.slot, bufferGeneration(segment, thing.slot))];
  const keys = [...unwrap(thing.fence as Fence)].map((leaf) => backingOf(leaf).key(leaf));
  return [...new Set(keys.filter((key) => key !== undefined).map(fenceWord))];
}

/** The word of the context of a fence that others know. */
export function fenceWord({ slot, generation }: FenceKey): bigint {
  return word("fence", slot, generation);
}

function word(kind: Kind, slot: number, generation: number): bigint {
  return THING.kind.of(KINDS.indexOf(kind)) | pairOf(THING.slot, slot, THING.generation, generation);
}

export function kindOf(word: bigint): Kind {
  return KINDS[THING.kind.in(word)] ?? "none";
}

/** Whether a thing is no more: its slot is free, or another's. */
export function isGone(segment: Segment, word: bigint): boolean {
  const [slot, generation] = [THING.slot.in(word), THING.generation.in(word)];
  const { memory, layout } = segment;
  if (kindOf(word) !== "fence")
    return slot >= layout.sizes.buffers || !BUFFER_SLOTS.isLive(segment, { slot, generation });
  if (slot >= layout.fenceSlots) return true;
  const now = layout.isTimeline(slot)
    ? memory.load(layout.timeline(slot) + TIMELINE.GENERATION)
    : memory.load(layout.oneShot(slot) + ONE_SHOT.GENERATION);
  return now >>> 0 !== generation;
}

/** Whether one who has the one must wait who wants the other. */
export function conflict(one: bigint, other: bigint): boolean {
  const kinds = [kindOf(one), kindOf(other)];
  const isShared = kinds.includes("read") && kinds.includes("write");
  const sameKind = kinds[0] === kinds[1] && kinds[0] !== "read";
  return (sameKind || isShared) && placeOf(one) === placeOf(other);
}

/** A thing for people. */
export function nameOf(segment: Segment, word: bigint): string {
  const [slot, generation] = [THING.slot.in(word), THING.generation.in(word)];
  const kind = kindOf(word);
  if (kind === "fence") {
    const origin = isGone(segment, word) ? undefined : keyOrigin(segment, { slot, generation, sequence: 0 });
    return `the fences of "${origin?.timelineName ?? `timeline ${slot}`}"`;
  }
  const buffer = isGone(segment, word) ? `buffer ${slot}` : bufferText(segment, slot);
  return kind === "lock" ? `the lock of ${buffer}` : `the ${kind} access of ${buffer}`;
}

/** Whether an agent has a thing just now; of a fence, whether it signals it. */
export function isHeldBy(segment: Segment, word: bigint, agent: Identity): boolean {
  const slot = THING.slot.in(word);
  const kind = kindOf(word);
  if (kind === "fence")
    return keyOwner(segment, { slot, generation: THING.generation.in(word) | 0, sequence: 0 }) === agent;
  if (kind === "lock") return holderOf(lockHolder(segment, slot)) === agent;
  const { writer, readers } = currentHolds(segment, slot);
  return kind === "write" ? writer === agent : testBit(segment.memory, readers, slotOf(agent));
}

/** Whether an agent is to be rung for a thing. */
export function isAwaitedBy({ memory, layout }: Segment, word: bigint, agent: Identity): boolean {
  const slot = THING.slot.in(word);
  const kind = kindOf(word);
  const { BUFFER, ONE_SHOT, TIMELINE } = layout;
  const waiters =
    kind !== "fence"
      ? layout.buffer(slot) + (kind === "lock" ? BUFFER.LOCK_WAITERS : BUFFER.HOLD_WAITERS)
      : layout.isTimeline(slot)
        ? layout.timeline(slot) + TIMELINE.WAITERS
        : layout.oneShot(slot) + ONE_SHOT.WAITERS;
  return testBit(memory, waiters, slotOf(agent));
}

/** The slot, and which user of it. */
function placeOf(word: bigint): bigint {
  return word >> BigInt(THING.slot.shift);
}

function bufferGeneration({ memory, layout }: Segment, slot: number): number {
  return SLOT_STATE.generation.in(memory.load64(layout.buffer(slot) + BUFFER.STATE));
}
