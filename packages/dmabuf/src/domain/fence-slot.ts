import { ring, slotOf, type Identity, type Member } from "./agent-slot.js";
import { isLaterFence, type FencePosition } from "./fence-order.js";
import { RETIRED_RECOVERY } from "./failures.js";
import { ONE_SHOT, TIMELINE, type Layout, type Segment } from "./layout.js";
import * as oneShot from "./one-shot-slot.js";
import { loadNumber } from "./record.js";
import type { RecoveryStep } from "./recovery.js";
import { timed, timeIn } from "./tagged-time.js";
import { readName } from "./text.js";
import * as timeline from "./timeline-slot.js";
import type { FenceKey } from "./timeline-slot.js";

/** What any agent can ask of a fence it knows by its key, whichever kind of slot it has. */

export function isKeySignaled(segment: Segment, key: FenceKey): boolean {
  return segment.layout.isTimeline(key.slot)
    ? timeline.isTimelineSignaled(segment, key)
    : oneShot.isOneShotSignaled(segment, key);
}

/**
 * Whether a fence is signaled and its work has finished. It is overdue otherwise: hang recovery has ended it, and its
 * owner lives and has not said that the work no longer touches any memory.
 */
export function isKeyFinished(segment: Segment, key: FenceKey): boolean {
  return segment.layout.isTimeline(key.slot)
    ? timeline.isTimelineFinished(segment, key)
    : oneShot.isOneShotFinished(segment, key);
}

export function isKeyOverdue(segment: Segment, key: FenceKey): boolean {
  return isKeySignaled(segment, key) && !isKeyFinished(segment, key);
}

/** 0 pending, 1 signaled, a negative errno if the fence failed. */
export function keyStatus(segment: Segment, key: FenceKey): number {
  return segment.layout.isTimeline(key.slot)
    ? timeline.timelineStatus(segment, key)
    : oneShot.oneShotStatus(segment, key);
}

/** When the fence signaled, in nanoseconds, or `undefined` if that is no longer kept. */
export function keyTime(segment: Segment, key: FenceKey): number | undefined {
  return segment.layout.isTimeline(key.slot) ? timeline.timelineTime(segment, key) : oneShot.oneShotTime(segment, key);
}

export function armKey(member: Member, key: FenceKey): void {
  if (member.layout.isTimeline(key.slot)) timeline.armTimeline(member, key.slot, key.sequence);
  else oneShot.armOneShot(member, key.slot);
}

/** Hang recovery: ends the fence, and all of its timeline, with `ETIMEDOUT`. */
export function endKey(segment: Segment, key: FenceKey, error: number, timestamp: number): void {
  if (segment.layout.isTimeline(key.slot)) timeline.endTimeline(segment, key.slot, key.generation, error);
  else oneShot.completeOneShot(segment, key, error, timestamp);
}

/** A number that changes with every step forward of the fence's context. */
export function keyProgress({ memory, layout }: Segment, key: FenceKey): number {
  return layout.isTimeline(key.slot) ? timeline.timelineProgress({ memory, layout }, key.slot).completed : 0;
}

/**
 * Tells the fence's owner that another agent needs it by then. The earliest deadline counts, until it has passed: then
 * the owner has been told, and later ones must not be hidden behind it.
 *
 * @param now Nanoseconds, as the deadline.
 */
export function hintDeadline(segment: Segment, key: FenceKey, deadlineNs: number, now: number): void {
  const { memory, layout } = segment;
  const word = deadlineWord(layout, key);
  const deadline = timed(key.generation, deadlineNs);
  for (;;) {
    const earliest = memory.load64(word);
    const time = timeIn(earliest, key.generation);
    // The slot has moved on: the fence has signaled, and this is nothing for the next owner.
    if (time === undefined) return;
    if (time !== 0 && (earliest === deadline || (earliest < deadline && time >= now))) return;
    if (memory.compareExchange64(word, earliest, deadline) === earliest) break;
  }
  const owner = keyOwner(segment, key);
  if (owner !== 0) ring(segment, slotOf(owner));
}

/** The earliest deadline that has been asked of the fence's context, in nanoseconds; 0 for none. */
export function keyDeadline({ memory, layout }: Segment, key: FenceKey): number {
  return timeIn(memory.load64(deadlineWord(layout, key)), key.generation) ?? 0;
}

/** Whether the calling agent is the one that signals the fence. */
export function isOwnKey({ memory, layout, identity }: Member, key: FenceKey): boolean {
  return keyOwner({ memory, layout }, key) === identity;
}

/** The agent that signals the fence, 0 if its slot is free or has moved on. */
export function keyOwner({ memory, layout }: Segment, key: FenceKey): Identity {
  const owner = memory.load(ownerWord(layout, key));
  const isTimeline = layout.isTimeline(key.slot);
  const generation = isTimeline
    ? layout.timeline(key.slot) + TIMELINE.GENERATION
    : layout.oneShot(key.slot) + ONE_SHOT.GENERATION;
  // Looked at afterwards: the next owner comes before its generation.
  return memory.load(generation) === key.generation ? owner : 0;
}

/** A fence's place in its context, or `undefined` if its slot has moved on. */
export function keyPosition({ memory, layout }: Segment, key: FenceKey): FencePosition | undefined {
  const isTimeline = layout.isTimeline(key.slot);
  const base = isTimeline ? layout.timeline(key.slot) : layout.oneShot(key.slot);
  const table = isTimeline ? TIMELINE : ONE_SHOT;
  const context = loadNumber(memory, base + table.CONTEXT);
  const number = isTimeline
    ? { seqno: key.sequence, seqno32: false }
    : oneShot.numberOf(memory.load64(base + ONE_SHOT.SEQUENCE));
  return memory.load(base + table.GENERATION) === key.generation ? { context, ...number } : undefined;
}

/** Whether the fence of one key comes after that of another in their context, or is the same. */
export function isKeyOverduerOrSame(segment: Segment, one: FenceKey, other: FenceKey): boolean {
  // The fences of one slot are those of one timeline, whose numbers do not wrap, or the same.
  if (one.slot === other.slot && one.generation === other.generation) return one.sequence >= other.sequence;
  // Two timelines are two contexts; published fences of one agent may share one.
  if (segment.layout.isTimeline(one.slot) || segment.layout.isTimeline(other.slot)) return false;
  const [a, b] = [keyPosition(segment, one), keyPosition(segment, other)];
  return a !== undefined && b !== undefined && isLaterFence(a, b);
}

/** Milliseconds after which hang recovery may end the fence, or `undefined` if its slot has moved on. */
export function keyTimeLimit({ memory, layout }: Segment, key: FenceKey): number | undefined {
  const isTimeline = layout.isTimeline(key.slot);
  const base = isTimeline ? layout.timeline(key.slot) : layout.oneShot(key.slot);
  const table = isTimeline ? TIMELINE : ONE_SHOT;
  const timeLimit = memory.load(base + table.TIME_LIMIT);
  return memory.load(base + table.GENERATION) === key.generation ? timeLimit : undefined;
}

/** What a fence's slot says of its origin, or `undefined` if the slot has moved on. */
export interface Origin extends FencePosition {
  readonly driverName: string;
  readonly timelineName: string;
  readonly timeLimit: number;
}

export function keyOrigin(segment: Segment, key: FenceKey): Origin | undefined {
  const { memory, layout } = segment;
  const position = keyPosition(segment, key);
  if (position === undefined) return undefined;
  const isTimeline = layout.isTimeline(key.slot);
  const base = isTimeline ? layout.timeline(key.slot) : layout.oneShot(key.slot);
  const table = isTimeline ? TIMELINE : ONE_SHOT;
  const origin = {
    ...position,
    driverName: readName(memory, base + table.DRIVER_NAME),
    timelineName: readName(memory, base + table.NAME),
    timeLimit: memory.load(base + table.TIME_LIMIT),
  };
  return memory.load(base + table.GENERATION) === key.generation ? origin : undefined;
}

function ownerWord(layout: Layout, { slot }: FenceKey): number {
  return layout.isTimeline(slot) ? layout.timeline(slot) + TIMELINE.OWNER : layout.oneShot(slot) + ONE_SHOT.OWNER;
}

function deadlineWord(layout: Layout, { slot }: FenceKey): number {
  return layout.isTimeline(slot) ? layout.timeline(slot) + TIMELINE.DEADLINE : layout.oneShot(slot) + ONE_SHOT.DEADLINE;
}

/** Ends the pending fences of one that dies or leaves, and gives their slots back. */
export const FENCE_RECOVERY: readonly RecoveryStep[] = [
  {
    table: "timelines",
    release(segment, slot, owner, error) {
      const { memory, layout } = segment;
      const base = layout.timeline(slot);
      // SYNC POINT generation-before-owner: a slot that a reaper frees in between may belong to a newcomer, whose
      // generation must not be taken for the dead owner's.
      const generation = memory.load(base + TIMELINE.GENERATION);
      if (memory.load(base + TIMELINE.OWNER) === owner) timeline.endTimeline(segment, slot, generation, error);
    },
    sweep: timeline.freeTimeline,
  },
  {
    table: "oneShots",
    release(segment, index, owner, error, now) {
      const { memory, layout } = segment;
      const slot = layout.sizes.timelines + index;
      const base = layout.oneShot(slot);
      // SYNC POINT generation-before-owner, as above.
      const generation = memory.load(base + ONE_SHOT.GENERATION);
      if (memory.load(base + ONE_SHOT.OWNER) !== owner) return;
      oneShot.completeOneShot(segment, { slot, generation, sequence: 1 }, error, now);
    },
    sweep: (segment, index, owner) => oneShot.freeOneShot(segment, segment.layout.sizes.timelines + index, owner),
  },
  RETIRED_RECOVERY,
];
