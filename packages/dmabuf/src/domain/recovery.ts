import {
  deadIn,
  freeAgentSlot,
  isLive,
  markDead,
  retireAgentSlot,
  ring,
  slotOf,
  type Identity,
  type Member,
} from "./agent-slot.js";
import { ERRNO } from "../errors.js";
import { AGENT, type Segment, type TableName } from "./layout.js";
import { orphanInvitation } from "./invitation-slot.js";
import { usedSlots } from "./table.js";

/**
 * What happens when an agent dies or leaves.
 *
 * recovery.1. What others wait for is released by anyone, at once and twice: a generation or an identity says whose it
 *     is. Or it counts for nothing once its agent is not live, and need not be ended at all.
 * recovery.2. Slots, and what is stored in them by the number of the agent's slot (bits, handles in flight, pins), belong
 *     to one reaper, which claims the dead agent's slot by one compare-exchange; the claim passes on only when the
 *     claimer is dead too. No agent waits for it: a reaper that is stopped delays the next use of slots, and nothing
 *     else.
 * recovery.3. The slot opens to a new joiner only when its sweep is complete, and before the claim ends.
 * recovery.4. A reaper that gives its claim up looks again: a death that came in between is not overlooked.
 * recovery.5. An agent that leaves by itself gives back what it held while it is still live, then frees its own slot, and
 *     rings every agent: one may wait for its end.
 * recovery.6. A sweep may be done in part by a reaper that dies and again from the start by the next one.
 * recovery.7. When all is released, every agent is rung: what it waits for may have been the dead one's, or the dead
 *     one may have opened it, or taken the agent's bit, and not have come to the ring.
 * recovery.8. RELEASED says that both were done, and comes before the sweep. Agents that look around do it for a dead
 *     one of whom it does not say so: the agent that began it may be stopped.
 * recovery.9. All this touches what was ever used (table.2): its time and memory grow with that, and not with the sizes
 *     of the domain.
 *
 * What one agent waits for another for, and what its death makes of it:
 *
 * | waited for                                         | after the death                                                        |
 * | -------------------------------------------------- | ---------------------------------------------------------------------- |
 * | fences (timeline-slot.1, one-shot-slot.1)          | released: the owner's identity, with the generation                    |
 * | the frames of a producer (stream-slot.9)           | released: the owner's identity, with the generation                    |
 * | a reservation's lock, lent or not (lock.1, lock.5) | released, or opened by the agent that finds it: the holder's identity  |
 * | a syncobj's lock (syncobj-slot.6)                  | released, or opened by the agent that finds it: the holder's identity  |
 * | the hold of a writer (hold.5)                      | released, or cleared by the agent that finds it: the writer's identity |
 * | the hold of a reader (hold.5)                      | counts for nothing: the agent in the bit's slot is not live            |
 * | a consumer that misses nothing (stream-slot.10)    | counts for nothing: the consumer's identity                            |
 * | a frame of a group (stream-group.1, stream-group.4) | counts for nothing: the identity in its claim, and those of its members |
 * | overdue work (timeline-slot.8, one-shot-slot.4)    | counts for nothing: the owner's identity                               |
 * | pins, and a mover (storage-slot.5)                 | count for nothing: the agent in the pin's slot, the mover's identity   |
 * | an answer to a request (pending-request.1)         | none comes: the identity of the agent that is asked                    |
 * | moved storage (file-carrier.2)                     | is asked of those that live                                            |
 * | slots, references, handles in flight               | swept by the reaper: no agent waits                                    |
 */

/** What one table's slots need when an agent dies or leaves: this module walks the table and calls it for each. */
export interface RecoveryStep {
  readonly table: TableName;
  /**
   * Ends what others wait for, by identity or generation (recovery.1). Any number of agents may do it, at once and
   * twice.
   *
   * @param error Positive errno: how the pending fences end.
   * @param now Monotonic nanoseconds.
   */
  release?(segment: Segment, slot: number, gone: Identity, error: number, now: number): void;
  /** Takes away what only the reaper may. */
  sweep?(segment: Segment, slot: number, gone: Identity): void;
}

/**
 * Declares an agent dead and gives back what it held. Call it only when the agent will not run again.
 *
 * @param steps What there is to do, in this order: what comes first is released, and swept, before the rest.
 * @param now Monotonic nanoseconds.
 */
export function recover(member: Member, dead: Identity, steps: readonly RecoveryStep[], now: number): void {
  markDead(member, dead);
  // Not only this one: a reaper may have died too.
  const used = usedSlots(member, "agents");
  for (let slot = 0; slot < used; slot++) reap(member, slot, steps, now);
}

/** The agents that are declared dead and not released: the one that does that may be stopped, or dead (recovery.8). */
export function* unreleased(segment: Segment): Generator<Identity> {
  const used = usedSlots(segment, "agents");
  for (let slot = 0; slot < used; slot++) {
    const dead = deadIn(segment, slot);
    if (dead !== 0 && !isReleased(segment, dead)) yield dead;
  }
}

/** Gives back all that the calling agent holds, and its slot. Its pending fences end with `ECANCELED`. */
export function leave(member: Member, steps: readonly RecoveryStep[], now: number): void {
  release(member, member.identity, steps, ERRNO.ECANCELED, now);
  sweep(member, member.identity, steps);
  const used = usedSlots(member, "agents");
  for (let slot = 0; slot < used; slot++) orphanInvitation(member, slot, member.identity);
  retireAgentSlot(member, member.identity);
  ringEvery(member);
}

function reap(member: Member, slot: number, steps: readonly RecoveryStep[], now: number): void {
  const { memory, layout } = member;
  const claim = layout.agent(slot) + AGENT.REAPER;
  for (let dead = deadIn(member, slot); dead !== 0; dead = deadIn(member, slot)) {
    releaseDead(member, dead, steps, now);
    const claimer = memory.load(claim);
    if (claimer !== 0 && isLive(member, claimer) && claimer !== member.identity) return;
    if (memory.compareExchange(claim, claimer, member.identity) !== claimer) continue;
    if (deadIn(member, slot) === dead) {
      sweep(member, dead, steps);
      // SYNC POINT free-before-unclaim: a late reaper that claims now finds no dead agent here.
      freeAgentSlot(member, dead);
    }
    memory.store(claim, 0);
    // SYNC POINT look-after-unclaim: another reaper may have turned away from our claim.
  }
}

function releaseDead(member: Member, dead: Identity, steps: readonly RecoveryStep[], now: number): void {
  if (isReleased(member, dead)) return;
  release(member, dead, steps, ERRNO.ESRCH, now);
  const used = usedSlots(member, "agents");
  for (let slot = 0; slot < used; slot++) {
    orphanInvitation(member, slot, dead);
    ring(member, slot);
  }
  // SYNC POINT ring-before-released: an agent that finds this neither releases nor rings.
  member.memory.store(releasedWord(member, dead), dead);
}

function ringEvery(segment: Segment): void {
  const used = usedSlots(segment, "agents");
  for (let slot = 0; slot < used; slot++) ring(segment, slot);
}

function isReleased(segment: Segment, dead: Identity): boolean {
  return segment.memory.load(releasedWord(segment, dead)) === dead;
}

function releasedWord({ layout }: Segment, dead: Identity): number {
  return layout.agent(slotOf(dead)) + AGENT.RELEASED;
}

/** Ends what others wait for. */
export function release(
  segment: Segment,
  gone: Identity,
  steps: readonly RecoveryStep[],
  error: number,
  now: number,
): void {
  forEachSlot(segment, steps, "release", (step, slot) => step.release!(segment, slot, gone, error, now));
}

/** Takes away what is stored by the number of the agent's slot; for its reaper, or for itself when it leaves. */
export function sweep(segment: Segment, gone: Identity, steps: readonly RecoveryStep[]): void {
  forEachSlot(segment, steps, "sweep", (step, slot) => step.sweep!(segment, slot, gone));
}

/** Walks each table once, in the order of the steps, and takes all steps that it has at each of its slots. */
function forEachSlot(
  segment: Segment,
  steps: readonly RecoveryStep[],
  half: "release" | "sweep",
  visit: (step: RecoveryStep, slot: number) => void,
): void {
  const having = steps.filter((step) => step[half] !== undefined);
  for (const table of new Set(having.map((step) => step.table))) {
    const own = having.filter((step) => step.table === table);
    const used = usedSlots(segment, table);
    for (let slot = 0; slot < used; slot++) for (const step of own) visit(step, slot);
  }
}
