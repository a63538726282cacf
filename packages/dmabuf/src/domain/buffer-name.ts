import type { Agent } from "./agent.js";
import { BUFFER, type Layout, type Segment } from "./layout.js";
import { shortlyLocked } from "./short-lock.js";
import { readName, writeName } from "./text.js";

/** A buffer's name can be changed: it is stored twice, and the lowest bit of NAMED says which copy is valid. */

/** The name as one agent has given it, never parts of two. */
export function bufferName({ memory, layout }: Segment, slot: number): string {
  const named = layout.buffer(slot) + BUFFER.NAMED;
  for (;;) {
    const version = memory.load(named);
    const name = readName(memory, nameWord(layout, slot, version));
    // SYNC POINT name-before-named: pairs with renameBuffer().
    if (memory.load(named) === version) return name;
  }
}

/** What a buffer is called in texts. */
export function bufferText(segment: Segment, slot: number): string {
  const name = bufferName(segment, slot);
  return name === "" ? `buffer ${slot}` : `buffer "${name}"`;
}

/** @throws {DmaBufError} `EBUSY` if another agent is stopped while it renames the buffer. */
export function renameBuffer(agent: Agent, slot: number, name: string): void {
  const { memory, layout } = agent;
  const [named, word] = [layout.buffer(slot) + BUFFER.NAMED, layout.buffer(slot) + BUFFER.RENAMER];
  const version = (): number => memory.load(named);
  shortlyLocked(agent, { word, noun: "buffer's name", version }, () => {
    const next = (version() + 1) | 0;
    writeName(memory, nameWord(layout, slot, next), name);
    memory.store(named, next);
  });
}

/** Names a buffer whose slot has just been taken. */
export function nameBuffer({ memory, layout }: Segment, slot: number, name: string): void {
  writeName(memory, nameWord(layout, slot, memory.load(layout.buffer(slot) + BUFFER.NAMED)), name);
}

function nameWord(layout: Layout, slot: number, version: number): number {
  return layout.buffer(slot) + (version % 2 === 0 ? BUFFER.NAME : BUFFER.OTHER_NAME);
}
