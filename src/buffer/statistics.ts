import { agentName, isLive, liveAgents, liveAgentsIn, slotOf, type Member } from "../domain/agent-slot.js";
import { attachmentCount } from "../domain/attachment-count.js";
import { forEachBit } from "../domain/bits.js";
import {
  bufferInode,
  bufferName,
  bufferSize,
  bufferTransits,
  exporterName,
  liveBuffers,
} from "../domain/buffer-slot.js";
import { isKeyLate, isKeySignaled } from "../domain/fence-slot.js";
import { tryReadEntries } from "../reservation/entries.js";
import { currentHolds } from "./hold.js";

/** What the domain knows of one live buffer; every agent sees the same. */
export interface BufferStatistics {
  readonly inode: number;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly exporterName: string;
  /** Names of the agents that hold it. */
  readonly holders: readonly string[];
  /** Importers attached, in all agents. */
  readonly attachments: number;
  /** Fences that have not signaled. */
  readonly pendingFences: number;
  /** Fences that a time limit has ended while the agents that signal them may still be at the memory. */
  readonly lateFences: number;
  /** Names of the agents whose code reads it just now. */
  readonly readers: readonly string[];
  /** Name of the agent whose code writes it just now. */
  readonly writer: string | undefined;
}

/** All live buffers of the domain. Each is read by itself: the list is no snapshot of one instant. */
export function bufferStatistics(member: Member): BufferStatistics[] {
  return [...liveBuffers(member)].map(({ slot }) => {
    const base = member.layout.buffer(slot);
    const holds = currentHolds(member, slot);
    const entries = tryReadEntries(member, slot) ?? [];
    return {
      inode: bufferInode(member, slot),
      name: bufferName(member, slot),
      size: bufferSize(member, slot),
      exporterName: exporterName(member, slot),
      holders: agentNames(member, base + member.layout.references),
      attachments: attachmentCount(member, slot),
      pendingFences: entries.filter(({ key }) => !isKeySignaled(member, key)).length,
      lateFences: entries.filter(({ key }) => isKeyLate(member, key)).length,
      readers: agentNames(member, holds.readers),
      writer: isLive(member, holds.writer) ? agentName(member, holds.writer) : undefined,
    };
  });
}

/** References of all kinds: the holders in this agent, the other agents that hold the buffer, the handles in flight. */
export function countReferences(member: Member, bufferSlot: number, holdersHere: number): number {
  const { memory, layout, identity } = member;
  const base = layout.buffer(bufferSlot);
  let count = holdersHere;
  forEachBit(memory, base + layout.references, layout.agentWords, (slot) => {
    if (slot !== slotOf(identity)) count++;
  });
  return count + bufferTransits(member, bufferSlot);
}

function agentNames(member: Member, bits: number): string[] {
  return liveAgentsIn(member, bits).map((identity) => agentName(member, identity));
}

/** Names of the agents that are joined. */
export function agentList(member: Member): string[] {
  return [...liveAgents(member)].map((identity) => agentName(member, identity));
}
