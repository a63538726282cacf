import { bufferInode } from "../buffer/buffer-slot.js";
import { currentHolds } from "../buffer/hold.js";
import { anyBit, testBit } from "../domain/bits.js";
import { slotOf } from "../domain/agent-slot.js";
import {
  CLAIM,
  CONSUMER,
  CONSUMER_POLICY,
  FORMAT_WORDS,
  GROUP,
  PLACE,
  PLACE_FRAME,
  STREAM,
  STREAM_BUFFERS,
  STREAM_END,
  STREAM_GROUPS,
  type Segment,
} from "../domain/layout.js";
import { usedSlots } from "../domain/table.js";
import { readName, readText } from "../domain/text.js";
import { errorCode } from "../errors.js";
import type { FrameFormat } from "./format.js";
import { formatIn } from "./format-snapshot.js";
import { groupWord, membersOf } from "./stream-group.js";
import { forEachPlace, framesFrom, type Policy } from "./stream-slot.js";

/** One buffer of a stream's ring. */
export interface SnapshotPlace {
  /** The buffer's place in the table of buffers. */
  readonly slot: number;
  /** The buffer's number; 0 if it is gone. */
  readonly inode: number;
  /** The number of the frame that it holds. It counts in 31 bits. */
  readonly frame?: number;
  /** "filling": the producer has it. "published": a frame is there, which no agent reads just now. "held": agents read it. */
  readonly state: "free" | "filling" | "published" | "held";
}

/** A consumer of a stream. */
export interface SnapshotConsumer {
  /** The agent that it belongs to, by its identity. */
  readonly agent: number;
  /** What it loses when it is slower than the producer; of a member of a group, that of the group. */
  readonly policy: Policy;
  /** The number of the next frame it has not taken. It counts in 31 bits. A member of a group has none. */
  readonly cursor?: number;
  /** How many frames were published that it has not taken; of a member, how many its group has not taken. */
  readonly behind: number;
  /** The name of its group. */
  readonly group?: string;
  /** Whether it is to be rung when a frame comes. */
  readonly waits: boolean;
}

/** Consumers of a stream that share the work. */
export interface SnapshotGroup {
  /** The name by which its members join. */
  readonly name: string;
  /** What it loses when it is slower than the producer. */
  readonly policy: Policy;
  /** Frames that were dropped before a member had done them. */
  readonly missed: number;
  /** Frames that are there and no member has done. */
  readonly behind: number;
  /** The agents of its members, by their identities. */
  readonly members: readonly number[];
}

/** A stream as it is at one moment. */
export interface SnapshotStream {
  /** Its place in the table. */
  readonly slot: number;
  /** Which of all streams that ever had the place. */
  readonly generation: number;
  /** The stream's name. */
  readonly name: string;
  /** The agent that produces it, by its identity; 0 if it has left. */
  readonly producer: number;
  /** Whether the producer waits for a buffer to fill. */
  readonly producerWaits: boolean;
  /** How many frames were published. It counts in 31 bits. */
  readonly published: number;
  /** Its buffers, in the order of the ring. */
  readonly places: readonly SnapshotPlace[];
  /** How a frame's bytes are arranged. It is not known of a format that takes more than 500 characters to say. */
  readonly format?: FrameFormat;
  /** How it has ended: "ended", or the errno name that it failed with. */
  readonly end?: string;
  /** Those that have joined and not left. */
  readonly consumers: readonly SnapshotConsumer[];
  /** The groups that its consumers have made. */
  readonly groups: readonly SnapshotGroup[];
}

/** All streams that have a producer or a consumer. */
export function streamsIn(segment: Segment): SnapshotStream[] {
  const slots = Array.from({ length: usedSlots(segment, "streams") }, (_, slot) => slot);
  return slots.map((slot) => streamIn(segment, slot)).filter((stream) => stream !== undefined);
}

function streamIn(segment: Segment, slot: number): SnapshotStream | undefined {
  const { memory, layout } = segment;
  const base = layout.stream(slot);
  const generation = memory.load(base + STREAM.GENERATION);
  const producer = memory.load(base + STREAM.OWNER);
  const end = memory.load(base + STREAM.END);
  const published = memory.load(base + STREAM.PUBLISHED);
  const places = placesIn(segment, slot);
  const groups = groupsIn(segment, slot, places);
  const consumers = consumersIn(segment, slot, published, groups);
  if (producer === 0 && consumers.length === 0) return undefined;
  const format = formatIn(readText(memory, base + STREAM.FORMAT, FORMAT_WORDS));
  const stream = {
    slot,
    generation,
    name: readName(memory, base + STREAM.NAME),
    producer,
    producerWaits: memory.load(base + STREAM.PRODUCER_WAITS) !== 0,
    published: PLACE_FRAME.number.in(PLACE_FRAME.number.of(published)),
    places,
    ...(format !== undefined && { format }),
    ...endOf(end),
    consumers,
    groups: groups.map((group, i) => ({ ...group, members: membersOf(segment, slot, i) })),
  };
  // A slot that is taken has its generation afterwards, and its END last (stream-slot.9).
  const isWhole = STREAM_END.generation.in(end) === (generation & ((1 << STREAM_END.generation.width) - 1));
  return isWhole && memory.load(base + STREAM.GENERATION) === generation ? stream : undefined;
}

function endOf(word: number): { readonly end?: string } {
  const end = STREAM_END.end.in(word);
  if (end === 0) return {};
  return { end: end === 1 ? "ended" : errorCode(end - 1) };
}

function placesIn(segment: Segment, slot: number): SnapshotPlace[] {
  const { memory, layout } = segment;
  const base = layout.stream(slot);
  const count = Math.min(memory.load(base + STREAM.RING) >>> 0, STREAM_BUFFERS);
  return Array.from({ length: count }, (_, i): SnapshotPlace => {
    const word = base + layout.STREAM.PLACES + i * PLACE.WORDS;
    const frame = memory.load(word + PLACE.FRAME);
    const buffer = memory.load(word + PLACE.BUFFER);
    const isFull = PLACE_FRAME.full.in(frame) === 1;
    const isThere = buffer >= 0 && buffer < layout.sizes.buffers;
    return {
      slot: buffer,
      inode: isThere ? bufferInode(segment, buffer) : 0,
      ...(isFull && { frame: PLACE_FRAME.number.in(frame) }),
      state: isThere ? stateOf(segment, buffer, isFull) : "free",
    };
  });
}

function stateOf(segment: Segment, buffer: number, isFull: boolean): SnapshotPlace["state"] {
  const { memory, layout } = segment;
  const { writer, readers } = currentHolds(segment, buffer);
  if (!isFull) return writer === 0 ? "free" : "filling";
  return anyBit(memory, readers, layout.agentWords) ? "held" : "published";
}

const POLICIES: Readonly<Record<number, Policy>> = {
  [CONSUMER_POLICY.BLOCK]: "block",
  [CONSUMER_POLICY.DROP_OLDEST]: "drop-oldest",
  [CONSUMER_POLICY.NEWEST]: "newest",
};

type Group = Omit<SnapshotGroup, "members">;

function groupsIn(segment: Segment, slot: number, places: readonly SnapshotPlace[]): Group[] {
  const { memory, layout } = segment;
  const count = Math.min(memory.load(layout.stream(slot) + STREAM.GROUPS_USED) >>> 0, STREAM_GROUPS);
  return Array.from({ length: count }, (_, i) => {
    const word = groupWord(segment, slot, i);
    const isOpen = (place: number): boolean => memory.load(word + GROUP.CLAIMS + place) === CLAIM.OPEN;
    return {
      name: readName(memory, word + GROUP.NAME),
      policy: POLICIES[memory.load(word + GROUP.POLICY)] ?? "block",
      missed: memory.load(word + GROUP.MISSED) >>> 0,
      behind: places.filter(({ frame }, place) => frame !== undefined && isOpen(place)).length,
    };
  });
}

function consumersIn(segment: Segment, slot: number, published: number, groups: readonly Group[]): SnapshotConsumer[] {
  const { memory, layout } = segment;
  const waiters = layout.stream(slot) + layout.STREAM.WAITERS;
  const consumers: SnapshotConsumer[] = [];
  forEachPlace(segment, slot, (word) => {
    const agent = memory.load(word + CONSUMER.OWNER);
    const policy = memory.load(word + CONSUMER.POLICY);
    if (agent === 0 || policy === 0 || slotOf(agent) >= layout.sizes.agents) return;
    const cursor = memory.load(word + CONSUMER.CURSOR);
    const group = policy === CONSUMER_POLICY.SHARED ? groups[memory.load(word + CONSUMER.GROUP)] : undefined;
    const behind = group === undefined ? Math.max(0, framesFrom(cursor, published)) : group.behind;
    const isRung = testBit(memory, waiters, slotOf(agent));
    const own = { cursor: PLACE_FRAME.number.in(PLACE_FRAME.number.of(cursor)) };
    const consumer: SnapshotConsumer = {
      agent,
      policy: group?.policy ?? POLICIES[policy] ?? "block",
      ...(group === undefined ? own : { group: group.name }),
      behind,
      waits: isRung && behind === 0,
    };
    if (memory.load(word + CONSUMER.OWNER) === agent) consumers.push(consumer);
  });
  return consumers;
}
