import { ringAll, slotOf, type Member } from "../domain/agent-slot.js";
import { setBit } from "../domain/bits.js";
import type { Layout, Segment } from "../domain/layout.js";
import { raiseContent } from "./content-version.js";
import type { MemoryWord } from "../substrate/memory-word.js";

/** The part of memory-fence.2 and memory-fence.3 that is in the buffer's slot: those that wait for any of its words. */

/** Raises a word of a buffer, and rings those that wait; returns false if it was as high. */
export function raiseWord(segment: Segment, slot: number, word: Pick<MemoryWord, "raise">, value: bigint): boolean {
  if (!word.raise(value)) return false;
  raiseContent(segment, slot);
  ringAll(segment, waitersOf(segment.layout, slot));
  return true;
}

/** Asks that this agent's doorbell rings when a word is raised. The caller looks again afterwards. */
export function armWord({ memory, layout, identity }: Member, slot: number): void {
  setBit(memory, waitersOf(layout, slot), slotOf(identity));
}

function waitersOf(layout: Layout, slot: number): number {
  return layout.buffer(slot) + layout.BUFFER.WORD_WAITERS;
}
