import type { Identity, Member } from "./agent-slot.js";
import type { FencePosition } from "./fence-order.js";
import { RETIRED_RECOVERY } from "./failures.js";
import { ONE_SHOT, TIMELINE, type Segment } from "./layout.js";
import * as oneShot from "./one-shot-slot.js";
import { loadNumber } from "./record.js";
import type { RecoveryStep } from "./recovery.js";
import { readName } from "./text.js";
import { demandFence } from "./timeline-demand.js";
import * as timeline from "./timeline-slot.js";
import type { FenceKey } from "./timeline-slot.js";

/** What any agent can ask of a fence it knows by its key, whichever kind of slot it has. */

export function isKeySignaled(segment: Segment, { slot, generation, sequence }: FenceKey): boolean {
  return segment.protocol.isKeySignaled(slot, generation, sequence) !== 0;
}

/**
 * Whether a fence is signaled and its work has finished. It is overdue otherwise: hang recovery has ended it, and its
 * owner lives and has not said that the work no longer touches any memory.
 */
export function isKeyFinished(segment: Segment, { slot, generation, sequence }: FenceKey): boolean {
  return segment.protocol.isKeyFinished(slot, generation, sequence) !== 0;
}

export function isKeyOverdue(segment: Segment, key: FenceKey): boolean {
  return isKeySignaled(segment, key) && !isKeyFinished(segment, key);
}

/** 0 pending, 1 signaled, a negative errno if the fence failed, `-ESTALE` if what it failed with is no longer kept. */
export function keyStatus(segment: Segment, { slot, generation, sequence }: FenceKey): number {
  return segment.protocol.keyStatus(slot, generation, sequence);
}

/** When the fence signaled, in nanoseconds, or `undefined` if that is no longer kept. */
export function keyTime(segment: Segment, { slot, generation, sequence }: FenceKey): number | undefined {
  const time = segment.protocol.keyTime(slot, generation, sequence);
  return time < 0 ? undefined : time;
}

/**
 * Asks that this agent's doorbell rings when the fence signals, and for that if the fence signals only then. The caller
 * looks again afterwards.
 */
export function armKey(member: Member, key: FenceKey): void {
  member.protocol.armKey(key.slot, key.sequence, member.identity);
  demandFence(member, key);
}

/** Hang recovery: ends the fence, and all of its timeline, with `ETIMEDOUT`. */
export function endKey(segment: Segment, key: FenceKey, error: number, timestamp: number): void {
  if (segment.layout.isTimeline(key.slot)) timeline.endTimeline(segment, key.slot, key.generation, error);
  else oneShot.completeOneShot(segment, key, error, timestamp);
}

/** A number that changes with every step forward of the fence's context: of a timeline, the last that has completed. */
export function keyProgress(segment: Segment, { slot }: { readonly slot: number }): number {
  return segment.protocol.keyProgress(slot);
}

/**
 * Tells the fence's owner that another agent needs it by then. The earliest deadline counts, until it has passed.
 *
 * @param now Nanoseconds, as the deadline.
 */
export function hintDeadline(segment: Segment, { slot, generation }: FenceKey, deadlineNs: number, now: number): void {
  segment.protocol.hintDeadline(slot, generation, deadlineNs, now);
}

/** The earliest deadline that has been asked of the fence's context, in nanoseconds; 0 for none. */
export function keyDeadline(segment: Segment, { slot, generation }: FenceKey): number {
  return segment.protocol.keyDeadline(slot, generation);
}

/** Whether the calling agent is the one that signals the fence. */
export function isOwnKey(member: Member, key: FenceKey): boolean {
  return keyOwner(member, key) === member.identity;
}

/** The agent that signals the fence, 0 if its slot is free or has moved on. */
export function keyOwner(segment: Segment, { slot, generation }: FenceKey): Identity {
  return segment.protocol.keyOwner(slot, generation);
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
