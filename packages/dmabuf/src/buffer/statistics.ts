import { agentName, isLive, liveAgentsIn, slotOf, type Member } from "../domain/agent-slot.js";
import { attachmentCount } from "./agent-counter.js";
import { forEachBit } from "../domain/bits.js";
import { BUFFER_SLOTS, bufferInode, type BufferKey, bufferSize, exporterName } from "./buffer-slot.js";
import { bufferName } from "../domain/buffer-name.js";
import { isKeyOverdue, isKeySignaled } from "../domain/fence-slot.js";
import type { Segment } from "../domain/layout.js";
import { tryReadEntries } from "../reservation/entries.js";
import { lastContentVersion } from "./content-version.js";
import { currentHolds } from "./hold.js";

/** What the domain knows of one live buffer; every agent sees the same. */
export interface BufferStatistics {
  /** The buffer's number: the same for all its holders, and no other buffer's. */
  readonly inode: number;
  /** The buffer's name; "" if it has none. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Which program, device or heap owns the storage. */
  readonly exporterName: string;
  /** Names of the agents that hold it. */
  readonly holders: readonly string[];
  /** Importers attached, in all agents. */
  readonly attachments: number;
  /** Fences that have not signaled. */
  readonly pendingFences: number;
  /** Fences that a time limit has ended while the agents that signal them may still be at the memory. */
  readonly overdueFences: number;
  /** The number of its content (`buffer.contentVersion`). */
  readonly contentVersion: number;
  /** Names of the agents whose code reads it just now. */
  readonly readers: readonly string[];
  /** Name of the agent whose code writes it just now. */
  readonly writer: string | undefined;
}

/** All live buffers of the domain. Each is read by itself: the list is no snapshot of one instant. */
export function bufferStatistics(segment: Segment): BufferStatistics[] {
  return wholeBuffers(segment, ({ slot }) => statisticsOf(segment, slot));
}

/** Reads all live buffers. One that is freed while it is read is left out: what was read may be of the next one in its slot. */
export function wholeBuffers<T>(segment: Segment, read: (key: BufferKey) => T): T[] {
  const found: T[] = [];
  for (const key of BUFFER_SLOTS.live(segment)) {
    const value = read(key);
    if (BUFFER_SLOTS.isLive(segment, key)) found.push(value);
  }
  return found;
}

function statisticsOf(segment: Segment, slot: number): BufferStatistics {
  const base = segment.layout.buffer(slot);
  const holds = currentHolds(segment, slot);
  const entries = tryReadEntries(segment, slot) ?? [];
  return {
    inode: bufferInode(segment, slot),
    name: bufferName(segment, slot),
    size: bufferSize(segment, slot),
    exporterName: exporterName(segment, slot),
    holders: agentNamesIn(segment, base + segment.layout.BUFFER.REFERENCES),
    attachments: attachmentCount(segment, slot),
    pendingFences: entries.filter(({ key }) => !isKeySignaled(segment, key)).length,
    overdueFences: entries.filter(({ key }) => isKeyOverdue(segment, key)).length,
    contentVersion: lastContentVersion(segment, slot),
    readers: agentNamesIn(segment, holds.readers),
    writer: isLive(segment, holds.writer) ? agentName(segment, holds.writer) : undefined,
  };
}

/** References of all kinds: the holders in this agent, the other agents that hold the buffer, the handles in flight. */
export function countReferences(member: Member, bufferSlot: number, holdersHere: number): number {
  const { memory, layout, identity } = member;
  const base = layout.buffer(bufferSlot);
  let count = holdersHere;
  forEachBit(memory, base + layout.BUFFER.REFERENCES, layout.agentWords, (slot) => {
    if (slot !== slotOf(identity)) count++;
  });
  return count + BUFFER_SLOTS.countInflight(member, bufferSlot);
}

function agentNamesIn(segment: Segment, bits: number): string[] {
  return liveAgentsIn(segment, bits).map((identity) => agentName(segment, identity));
}
