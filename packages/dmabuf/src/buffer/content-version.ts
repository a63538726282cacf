import { isLive } from "../domain/agent-slot.js";
import { BUFFER, type Segment } from "../domain/layout.js";
import { tryReadWrites } from "../reservation/entries.js";

/**
 * The number of a buffer's content. It is CONTENT, which those raise that write by their own code, and the write fences that
 * were ever added (entries.5).
 *
 * content-version.1. A reader that has a read hold, and has waited for the write fences, finds what the number names: the same
 *     number again means the same bytes.
 * content-version.2. The number rises by the end of a write hold, also of one whose agent has died (hold.7), by the fence of work
 *     that writes, when it is added, and by what writes without a hold, when it has written.
 * content-version.3. A dead agent may still be in WRITER and keeps no reader away (hold.5). Who asks for the number then first
 *     does what the reaper would.
 * content-version.4. Nothing lowers it while the buffer lives, until it wraps.
 */
export function contentVersion(segment: Segment, slot: number): number {
  const { memory, layout } = segment;
  const base = layout.buffer(slot);
  const writer = memory.load(base + BUFFER.WRITER);
  if (writer !== 0 && !isLive(segment, writer)) {
    raiseContent(segment, slot);
    memory.compareExchange(base + BUFFER.WRITER, writer, 0);
  }
  return lastContentVersion(segment, slot);
}

/** The same for one that only looks on: what an agent was writing when it died counts once another has noticed. */
export function lastContentVersion(segment: Segment, slot: number): number {
  // A change is one store after much other work: a look is quicker, so it is whole after a few.
  let writes = tryReadWrites(segment, slot);
  while (writes === undefined) writes = tryReadWrites(segment, slot);
  const content = segment.memory.load(segment.layout.buffer(slot) + BUFFER.CONTENT);
  return (content + writes) >>> 0;
}

/** The bytes were changed by this agent's code without a write hold. */
export function raiseContent({ memory, layout }: Segment, slot: number): void {
  memory.add(layout.buffer(slot) + BUFFER.CONTENT, 1);
}
