import { BUFFER, type Segment } from "./layout.js";
import { usedSlots } from "./table.js";

/**
 * A buffer's arrays with a word for each agent. Most buffers never use them: TOUCHED says which were used, and is set
 * before that, so that a sweep leaves the others' memory alone (table.2).
 */

export function touchArray({ memory, layout }: Segment, bufferSlot: number, array: number): void {
  const word = layout.buffer(bufferSlot) + BUFFER.TOUCHED;
  // SYNC POINT used-before-taken: whoever dies in between has no word that no sweep looks at.
  if ((memory.load(word) & array) === 0) memory.or(word, array);
}

export function isArrayTouched({ memory, layout }: Segment, bufferSlot: number, array: number): boolean {
  return (memory.load(layout.buffer(bufferSlot) + BUFFER.TOUCHED) & array) !== 0;
}

/** How many words of an array there are to look at. */
export function agentsInArray(segment: Segment, bufferSlot: number, array: number): number {
  return isArrayTouched(segment, bufferSlot, array) ? usedSlots(segment, "agents") : 0;
}
