import { deadIn, isLive, slotOf } from "../../../src/domain/agent-slot.js";
import { BUFFER_SLOTS } from "../../../src/buffer/buffer-slot.js";
import { isKeySignaled } from "../../../src/domain/fence-slot.js";
import { ONE_SHOT, TIMELINE, type Segment } from "../../../src/domain/layout.js";
import type { FenceKey } from "../../../src/domain/timeline-slot.js";
import { tryReadEntries } from "../../../src/reservation/entries.js";

/** The pending fences of buffers whose owner neither lives nor has just died: in words. */
export function* orphans(segment: Segment): Generator<string> {
  for (const { slot } of BUFFER_SLOTS.live(segment)) {
    for (const { key } of tryReadEntries(segment, slot) ?? []) {
      const owner = ownerOf(segment, key);
      const isOwned = owner !== 0 && (isLive(segment, owner) || deadIn(segment, slotOf(owner)) === owner);
      // Looked at last: what has signaled may have lost its owner since.
      if (!isOwned && !isKeySignaled(segment, key)) {
        yield `fence ${key.sequence} of slot ${key.slot} is pending on buffer ${slot}, and its owner ${owner} is gone`;
      }
    }
  }
}

function ownerOf({ memory, layout }: Segment, { slot }: FenceKey): number {
  return layout.isTimeline(slot)
    ? memory.load(layout.timeline(slot) + TIMELINE.OWNER)
    : memory.load(layout.oneShot(slot) + ONE_SHOT.OWNER);
}
