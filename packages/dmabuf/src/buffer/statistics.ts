import { agentName, isLive, liveAgentsIn, slotOf, type Member } from "../domain/agent-slot.js";
import { attachmentCount } from "./agent-counter.js";
import { forEachBit } from "../domain/bits.js";
import { BUFFER_SLOTS, bufferInode, type BufferKey, bufferSize, exporterName } from "./buffer-slot.js";
import { bufferName } from "../domain/buffer-name.js";
import { isKeyOverdue, isKeySignaled } from "../domain/fence-slot.js";
import type { Segment } from "../domain/layout.js";
import { tryReadEntries } from "../reservation/entries.js";
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
  /** Names of the agents whose code reads it just now. */
  readonly readers: readonly string[];
  /** Name of the agent whose code writes it just now. */
  readonly writer: string | undefined;
}

/** All live buffers of the domain. Each is read by itself: the list is no snapshot of one instant. */
export function bufferStatistics(member: Member): BufferStatistics[] {
  return wholeBuffers(member, ({ slot }) => statisticsOf(member, slot));
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

function statisticsOf(member: Member, slot: number): BufferStatistics {
  const base = member.layout.buffer(slot);
  const holds = currentHolds(member, slot);
  const entries = tryReadEntries(member, slot) ?? [];
  return {
    inode: bufferInode(member, slot),
    name: bufferName(member, slot),
    size: bufferSize(member, slot),
    exporterName: exporterName(member, slot),
    holders: agentNamesIn(member, base + member.layout.BUFFER.REFERENCES),
    attachments: attachmentCount(member, slot),
    pendingFences: entries.filter(({ key }) => !isKeySignaled(member, key)).length,
    overdueFences: entries.filter(({ key }) => isKeyOverdue(member, key)).length,
    readers: agentNamesIn(member, holds.readers),
    writer: isLive(member, holds.writer) ? agentName(member, holds.writer) : undefined,
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

function agentNamesIn(member: Member, bits: number): string[] {
  return liveAgentsIn(member, bits).map((identity) => agentName(member, identity));
}
