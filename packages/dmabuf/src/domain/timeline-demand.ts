import { ring, slotOf } from "./agent-slot.js";
import { DEMAND, TIMELINE, type Segment } from "./layout.js";
import { demandWord, type FenceKey } from "./timeline-slot.js";

/**
 * Fences that signal only when an agent asks for them: their owner goes on with its work until then.
 *
 * timeline-demand.1. The owner of such a timeline says so with its slot, in DEMAND; the word of any other is 0, and costs
 *     those that wait one look.
 * timeline-demand.2. An agent that waits for a fence first arms itself, then raises the number in DEMAND to the fence's,
 *     and then rings the owner, who looks at the number. One that finds it raised does not ring.
 * timeline-demand.3. Within a generation the number only rises, and an agent that comes too late raises none of the next
 *     generation: so no fence is taken for asked for that no agent has asked for.
 * timeline-demand.4. If the agent dies that has raised the number, and has not rung, the owner is rung with all others
 *     (recovery.7).
 */

/** Asks the owner of a fence for its end. The caller has armed itself, and looks again afterwards. */
export function demandFence(segment: Segment, { slot, generation, sequence }: FenceKey): void {
  const { memory, layout } = segment;
  if (!layout.isTimeline(slot)) return;
  const base = layout.timeline(slot);
  for (;;) {
    const word = memory.load64(base + TIMELINE.DEMAND);
    if (!isOf(word, generation) || DEMAND.sequence.in(word) >= sequence) return;
    const raised = (word & ~DEMAND.sequence.mask) | DEMAND.sequence.of(sequence);
    if (memory.compareExchange64(base + TIMELINE.DEMAND, word, raised) === word) break;
  }
  const owner = memory.load(base + TIMELINE.OWNER);
  if (owner !== 0) ring(segment, slotOf(owner));
}

/** The highest number of a timeline's fences that an agent has asked for, 0 for none. */
export function keyDemand(segment: Segment, key: Omit<FenceKey, "sequence">): number {
  const word = demandOf(segment, key);
  return isOf(word, key.generation) ? DEMAND.sequence.in(word) : 0;
}

/** Whether an agent has asked for a fence. */
export function isKeyDemanded(segment: Segment, key: FenceKey): boolean {
  return keyDemand(segment, key) >= key.sequence;
}

/** Whether a fence signals only when an agent asks for it. */
export function isKeyOnDemand(segment: Segment, key: FenceKey): boolean {
  if (!segment.layout.isTimeline(key.slot)) return false;
  return isOf(demandOf(segment, key), key.generation);
}

function demandOf({ memory, layout }: Segment, { slot }: { readonly slot: number }): bigint {
  return memory.load64(layout.timeline(slot) + TIMELINE.DEMAND);
}

function isOf(word: bigint, generation: number): boolean {
  return word !== 0n && (word & ~DEMAND.sequence.mask) === demandWord(generation);
}
