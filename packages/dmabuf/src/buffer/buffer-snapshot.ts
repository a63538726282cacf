import { exporterOf, bufferInode, bufferSize, BUFFER_SLOTS, exporterFlags, exporterName } from "./buffer-slot.js";
import { isLive, liveAgentsIn } from "../domain/agent-slot.js";
import { bufferName } from "../domain/buffer-name.js";
import { isKeySignaled } from "../domain/fence-slot.js";
import type { Segment } from "../domain/layout.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { tryReadEntries } from "../reservation/entries.js";
import { holderOf, lockHolder } from "../reservation/lock.js";
import { USAGES, type Usage } from "../reservation/usage.js";
import { attachmentCount } from "./agent-counter.js";
import { currentHolds } from "./hold.js";
import { EXPORTER_FLAG } from "./request-slot.js";
import { wholeBuffers } from "./statistics.js";
import { pinners, storageVersion } from "./storage-slot.js";

/** A fence of a buffer's reservation that is not over. */
export interface SnapshotEntry {
  /** What it means for others. */
  readonly usage: Usage;
  /** Its name, as `context:seqno`. */
  readonly fence: string;
  /** "overdue": a time limit has ended it while its work may still be at the memory. */
  readonly state: "pending" | "overdue";
}

/** Where a buffer is in a stream. */
export interface SnapshotRingPlace {
  /** The stream, by its slot. */
  readonly stream: number;
  /** Which of its places. */
  readonly place: number;
}

/** A buffer as it is at one moment. Agents are named by their identities. */
export interface SnapshotBuffer {
  /** The buffer's number: the same for all its holders, and no other buffer's. */
  readonly inode: number;
  /** Its place in the table. */
  readonly slot: number;
  /** The buffer's name; "" if it has none. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Which program, device or heap owns the storage. */
  readonly exporterName: string;
  /** The agent that has exported it. It may have left since. */
  readonly exporter: number;
  /** "plain": the storage is data. "custom": its exporter has operations of its own. "paged": it comes page by page. */
  readonly kind: "plain" | "custom" | "paged";
  /** The agents that hold it. */
  readonly holders: readonly number[];
  /** Handles that were made and neither imported nor closed. */
  readonly inflight: number;
  /** Importers attached, in all agents. */
  readonly attachments: number;
  /** The agents that have pinned the storage. */
  readonly pinners: readonly number[];
  /** How often the storage was moved. */
  readonly moves: number;
  /** The agents whose code reads it just now. */
  readonly readers: readonly number[];
  /** The agent whose code writes it just now, or is the next to do it. */
  readonly writer?: number;
  /** The agent that holds the reservation's lock. */
  readonly lockOwner?: number;
  /** Fences that have not signaled. */
  readonly pendingFences: number;
  /** Fences that a time limit has ended while the agents that signal them may still be at the memory. */
  readonly overdueFences: number;
  /** Both of these, by their usages. */
  readonly fences: readonly SnapshotEntry[];
  /** Where it is in a stream, if it is of one. */
  readonly stream?: SnapshotRingPlace;
}

/** Names a fence that is not over, and is told of what for it is in a reservation. */
export type NameEntry = (key: FenceKey, use: { readonly inode: number; readonly usage: Usage }) => string | undefined;

/**
 * All buffers of a domain.
 *
 * @param placeOf The place of a stream that the buffer in a slot is.
 */
export function buffersIn(
  segment: Segment,
  name: NameEntry,
  placeOf: (slot: number) => SnapshotRingPlace | undefined,
): SnapshotBuffer[] {
  return wholeBuffers(segment, ({ slot }) => bufferIn(segment, slot, name, placeOf(slot)));
}

function bufferIn(
  segment: Segment,
  slot: number,
  name: NameEntry,
  stream: SnapshotRingPlace | undefined,
): SnapshotBuffer {
  const { layout } = segment;
  const inode = bufferInode(segment, slot);
  const holds = currentHolds(segment, slot);
  const lockOwner = holderOf(lockHolder(segment, slot));
  const fences = (tryReadEntries(segment, slot) ?? []).flatMap(({ key, level }): SnapshotEntry[] => {
    const usage = USAGES[level]!;
    const fence = name(key, { inode, usage });
    if (fence === undefined) return [];
    return [{ usage, fence, state: isKeySignaled(segment, key) ? "overdue" : "pending" }];
  });
  const overdueFences = fences.filter(({ state }) => state === "overdue").length;
  return {
    inode,
    slot,
    name: bufferName(segment, slot),
    size: bufferSize(segment, slot),
    exporterName: exporterName(segment, slot),
    exporter: exporterOf(segment, slot),
    kind: kindOf(exporterFlags(segment, slot)),
    holders: liveAgentsIn(segment, layout.buffer(slot) + layout.BUFFER.REFERENCES),
    inflight: BUFFER_SLOTS.countInflight(segment, slot),
    attachments: attachmentCount(segment, slot),
    pinners: pinners(segment, slot),
    moves: storageVersion(segment, slot) >>> 0,
    readers: liveAgentsIn(segment, holds.readers),
    ...(isLive(segment, holds.writer) && { writer: holds.writer }),
    ...(lockOwner !== 0 && { lockOwner }),
    pendingFences: fences.length - overdueFences,
    overdueFences,
    fences,
    ...(stream !== undefined && { stream }),
  };
}

function kindOf(flags: number): SnapshotBuffer["kind"] {
  if (flags === 0) return "plain";
  return (flags & EXPORTER_FLAG.PAGED) === 0 ? "custom" : "paged";
}
