import { isLive, ring, ringAll, slotOf, type Identity, type Member } from "../domain/agent-slot.js";
import { setBit } from "../domain/bits.js";
import {
  CONSUMER,
  hint,
  searchStart,
  PLACE,
  STREAM,
  STREAM_BUFFERS,
  STREAM_CONSUMERS,
  type Segment,
} from "../domain/layout.js";
import { writeName } from "../domain/text.js";
import { DmaBufError, ERRNO } from "../errors.js";

/**
 * A frame stream in shared words: a ring of places, one buffer each, and the cursors of the consumers.
 *
 * M1. A place changes only under the write hold of its buffer, and is read for good only under a read hold: what a
 *     consumer saw before it held the buffer, it looks at again; and so does a producer: a consumer that joins may want
 *     a frame that nobody wanted before.
 * M2. Frames are numbered in the order of publication; a consumer's cursor only rises. A consumer reads the number of
 *     frames published before it looks at the places, and wants none beyond: so it passes over no frame that is there.
 * M3. A consumer takes the hold of a frame before it moves its cursor past it: a producer that holds back for it sees
 *     the one or the other.
 * M4. A producer publishes, then rings the consumers that wait; a consumer sets its bit, then looks again.
 * M5. The producer says that it waits, then looks again; a consumer moves on, then looks whether the producer waits.
 * M6. A slot is free when its producer and all its consumers have left. The words of the dead are the reaper's.
 * M7. Who takes a slot raises its generation and then looks for consumers; who joins takes a consumer's place and then
 *     looks at the generation. So no consumer of a past stream gets into the next one.
 */

/** What happens to a consumer that is slower than the producer. */
export type Policy = "hold" | "drop-oldest" | "newest";

const POLICIES: readonly Policy[] = ["hold", "drop-oldest", "newest"];

/** The number of a policy; 0 stands for a consumer that is only joining or leaving. */
export function policyNumber(policy: Policy): number {
  const index = POLICIES.indexOf(policy);
  if (index < 0) throw new TypeError(`A policy is one of ${POLICIES.join(", ")}, not ${String(policy)}`);
  return index + 1;
}

const HOLD = 1;

export interface StreamKey {
  readonly slot: number;
  readonly generation: number;
}

/** Takes a free slot for the calling agent as producer. @throws {DmaBufError} `ENOSPC` if all are taken. */
export function claimStream(member: Member, name: string): StreamKey {
  const { memory, layout } = member;
  const count = layout.sizes.streams;
  const first = searchStart(member, "streams");
  for (let i = 0; i < count; i++) {
    const slot = (first + i) % count;
    const base = layout.stream(slot);
    if (memory.load(base + STREAM.OWNER) !== 0 || consumerCount(member, slot) > 0) continue;
    if (memory.compareExchange(base + STREAM.OWNER, 0, member.identity) !== 0) continue;
    memory.store(hint("streams"), (slot + 1) % count);
    const generation = (memory.load(base + STREAM.GENERATION) + 1) | 0 || 1;
    memory.store(base + STREAM.GENERATION, generation);
    // SYNC POINT generation-before-consumers: pairs with joinStream().
    if (consumerCount(member, slot) > 0) {
      memory.store(base + STREAM.OWNER, 0);
      continue;
    }
    memory.store(base + STREAM.PUBLISHED, 0);
    memory.store(base + STREAM.PRODUCER_WAITS, 0);
    for (let i = 0; i < STREAM_BUFFERS; i++) memory.store(placeWord(member, slot, i) + PLACE.FULL, 0);
    writeName(memory, base + STREAM.NAME, name);
    memory.store(base + STREAM.END, 0);
    return { slot, generation };
  }
  throw new DmaBufError("ENOSPC", `Cannot create the stream: all ${count} are in use (option "streams")`);
}

/** The producer leaves; consumers may still take what was published. */
export function leaveStream(member: Member, slot: number): void {
  endStream(member, slot, 0);
  member.memory.compareExchange(member.layout.stream(slot) + STREAM.OWNER, member.identity, 0);
}

/** Says that no further frame comes, because of an error or without; the first reason stands. */
export function endStream(segment: Segment, slot: number, error: number): void {
  const base = segment.layout.stream(slot);
  segment.memory.compareExchange(base + STREAM.END, 0, error + 1);
  ringAll(segment, base + segment.layout.consumerWaiters);
  ringProducer(segment, slot);
}

/** `undefined` while the stream is open, 0 if it has ended, or the positive errno it failed with. */
export function streamEnd(segment: Segment, key: StreamKey): number | undefined {
  const end = segment.memory.load(segment.layout.stream(key.slot) + STREAM.END);
  if (!isStream(segment, key)) return 0;
  return end === 0 ? undefined : end - 1;
}

/** Whether the slot has not moved on to another stream. */
export function isStream({ memory, layout }: Segment, { slot, generation }: StreamKey): boolean {
  return memory.load(layout.stream(slot) + STREAM.GENERATION) === generation;
}

/** Whether its producer is there: it has neither left it nor died, nor given it up by failing it with `ESRCH`. */
export function hasProducer(segment: Segment, key: StreamKey): boolean {
  // Before the generation: the owner that was read may be the next stream's.
  const owner = segment.memory.load(segment.layout.stream(key.slot) + STREAM.OWNER);
  const end = streamEnd(segment, key);
  return owner !== 0 && isLive(segment, owner) && isStream(segment, key) && end !== ERRNO.ESRCH;
}

/** The number of the frame that a place holds, or `undefined`. For good only under a hold of its buffer (M1). */
export function frameIn(segment: Segment, slot: number, place: number): number | undefined {
  const word = placeWord(segment, slot, place);
  if (segment.memory.load(word + PLACE.FULL) === 0) return undefined;
  return segment.memory.load(word + PLACE.FRAME);
}

/**
 * The place that a producer should use next: an empty one, or else that with the oldest frame; -1 if there is none.
 *
 * @param tried A bit for each place that is not to be had.
 * @param keepFrom See {@link heldBackFrom}.
 */
export function placeToReuse(
  segment: Segment,
  slot: number,
  buffers: number,
  tried: number,
  keepFrom: number | undefined,
): number {
  let oldest = -1;
  let oldestFrame = 0;
  for (let place = 0; place < buffers; place++) {
    if (((tried >>> place) & 1) !== 0) continue;
    const frame = frameIn(segment, slot, place);
    if (frame === undefined) return place;
    if (!mayDrop(frame, keepFrom) || (oldest >= 0 && ((frame - oldestFrame) | 0) > 0)) continue;
    oldest = place;
    oldestFrame = frame;
  }
  return oldest;
}

/** Whether a producer that has the write hold of a place may empty it: a consumer may have joined meanwhile. */
export function mayReuse(segment: Segment, slot: number, place: number): boolean {
  const frame = frameIn(segment, slot, place);
  return frame === undefined || mayDrop(frame, heldBackFrom(segment, slot));
}

function mayDrop(frame: number, keepFrom: number | undefined): boolean {
  return keepFrom === undefined || ((frame - keepFrom) | 0) < 0;
}

/** The frame from which on nothing may be dropped, because a consumer that holds the producer has not taken it. */
export function heldBackFrom({ memory, layout }: Segment, slot: number): number | undefined {
  let lowest: number | undefined;
  forEachConsumer({ memory, layout }, slot, (word) => {
    if (memory.load(word + CONSUMER.OWNER) === 0 || memory.load(word + CONSUMER.POLICY) !== HOLD) return;
    const cursor = memory.load(word + CONSUMER.CURSOR);
    if (lowest === undefined || ((cursor - lowest) | 0) < 0) lowest = cursor;
  });
  return lowest;
}

/** The agents of the consumers that may miss no frame and have not taken all. */
export function slowConsumers({ memory, layout }: Segment, slot: number): Identity[] {
  const slow: Identity[] = [];
  const published = publishedFrames({ memory, layout }, slot);
  forEachConsumer({ memory, layout }, slot, (word) => {
    const owner = memory.load(word + CONSUMER.OWNER);
    const isBehind = ((memory.load(word + CONSUMER.CURSOR) - published) | 0) < 0;
    if (owner !== 0 && memory.load(word + CONSUMER.POLICY) === HOLD && isBehind) slow.push(owner);
  });
  return slow;
}

/** Empties a place, under the write hold of its buffer. */
export function emptyPlace(segment: Segment, slot: number, place: number): void {
  segment.memory.store(placeWord(segment, slot, place) + PLACE.FULL, 0);
}

/** Fills a place with the next frame, under the write hold of its buffer; returns the frame's number. */
export function fillPlace({ memory, layout }: Segment, slot: number, place: number): number {
  const word = placeWord({ memory, layout }, slot, place);
  const frame = memory.load(layout.stream(slot) + STREAM.PUBLISHED);
  memory.store(word + PLACE.FRAME, frame);
  memory.store(word + PLACE.FULL, 1);
  return frame;
}

/** Makes the frame that was filled last known. Call it after its write hold has ended. */
export function announceFrame(segment: Segment, slot: number): void {
  const { memory, layout } = segment;
  memory.add(layout.stream(slot) + STREAM.PUBLISHED, 1);
  ringAll(segment, layout.stream(slot) + layout.consumerWaiters);
}

/** How many frames have been announced; the number of the next one. */
export function publishedFrames({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.stream(slot) + STREAM.PUBLISHED);
}

export function armProducer({ memory, layout }: Segment, slot: number): void {
  memory.store(layout.stream(slot) + STREAM.PRODUCER_WAITS, 1);
}

/**
 * Takes a free consumer's place, its cursor at the oldest frame there is.
 *
 * @returns Its word.
 * @throws {DmaBufError} `ENOSPC` if there is none; `ESTALE` if the slot has moved on to another stream.
 */
export function joinStream(member: Member, key: StreamKey, policy: Policy, buffers: number): number {
  const { memory, layout } = member;
  const number = policyNumber(policy);
  const joined = claimConsumer(member, key.slot);
  // SYNC POINT generation-before-consumers: pairs with claimStream().
  if (!isStream(member, key)) {
    leaveConsumer(member, key.slot, joined);
    throw new DmaBufError("ESTALE", "Cannot join the stream: it is gone, and another has its place");
  }
  let cursor = memory.load(layout.stream(key.slot) + STREAM.PUBLISHED);
  for (let place = 0; place < buffers; place++) {
    const frame = frameIn(member, key.slot, place);
    if (frame !== undefined && ((frame - cursor) | 0) < 0) cursor = frame;
  }
  memory.store(joined + CONSUMER.CURSOR, cursor);
  memory.store(joined + CONSUMER.POLICY, number);
  ringProducer(member, key.slot);
  return joined;
}

function claimConsumer(member: Member, slot: number): number {
  const { memory, layout } = member;
  const used = layout.stream(slot) + STREAM.CONSUMERS;
  for (let i = 0; i < STREAM_CONSUMERS; i++) {
    const word = consumerWord(member, slot, i);
    if (memory.load(word + CONSUMER.OWNER) !== 0) continue;
    // Before the place is taken: whoever dies in between must not have one that no sweep looks at.
    for (let n = memory.load(used); n <= i; n = memory.load(used)) memory.compareExchange(used, n, i + 1);
    if (memory.compareExchange(word + CONSUMER.OWNER, 0, member.identity) === 0) return word;
  }
  throw new DmaBufError("ENOSPC", `Cannot join the stream: it has ${STREAM_CONSUMERS} consumers already`);
}

export function leaveConsumer(member: Member, slot: number, word: number): void {
  member.memory.store(word + CONSUMER.POLICY, 0);
  member.memory.compareExchange(word + CONSUMER.OWNER, member.identity, 0);
  ringProducer(member, slot);
}

/** Moves a consumer past a frame that it holds. */
export function advanceCursor(segment: Segment, slot: number, word: number, cursor: number): void {
  segment.memory.store(word + CONSUMER.CURSOR, cursor);
  ringProducer(segment, slot);
}

export function armConsumer(member: Member, slot: number): void {
  const { memory, layout } = member;
  setBit(memory, layout.stream(slot) + layout.consumerWaiters, slotOf(member.identity));
}

/** How many consumers have joined the stream that has the slot now, and not left. */
export function consumerCount(segment: Segment, slot: number): number {
  let count = 0;
  forEachConsumer(segment, slot, (word) => {
    if (segment.memory.load(word + CONSUMER.OWNER) !== 0) count++;
  });
  return count;
}

/** The streams of a dead producer fail with `ESRCH`. Anyone may do it, at once and twice. */
export function failStreams(segment: Segment, dead: Identity): void {
  for (let slot = 0; slot < segment.layout.sizes.streams; slot++) {
    if (segment.memory.load(segment.layout.stream(slot) + STREAM.OWNER) === dead) endStream(segment, slot, ERRNO.ESRCH);
  }
}

/** Takes a dead agent out of all streams; for the reaper alone. */
export function sweepStreams(segment: Segment, dead: Identity): void {
  const { memory, layout } = segment;
  for (let slot = 0; slot < layout.sizes.streams; slot++) {
    forEachConsumer(segment, slot, (word) => {
      if (memory.load(word + CONSUMER.OWNER) !== dead) return;
      memory.store(word + CONSUMER.POLICY, 0);
      memory.store(word + CONSUMER.OWNER, 0);
      ringProducer(segment, slot);
    });
    memory.compareExchange(layout.stream(slot) + STREAM.OWNER, dead, 0);
  }
}

function ringProducer(segment: Segment, slot: number): void {
  const { memory, layout } = segment;
  const base = layout.stream(slot);
  if (memory.load(base + STREAM.PRODUCER_WAITS) === 0) return;
  memory.store(base + STREAM.PRODUCER_WAITS, 0);
  const owner = memory.load(base + STREAM.OWNER);
  if (owner !== 0 && isLive(segment, owner)) ring(segment, slotOf(owner));
}

function placeWord({ layout }: Segment, slot: number, place: number): number {
  return layout.stream(slot) + layout.places + place * PLACE.WORDS;
}

function consumerWord({ layout }: Segment, slot: number, index: number): number {
  return layout.stream(slot) + layout.consumers + index * CONSUMER.WORDS;
}

function forEachConsumer(segment: Segment, slot: number, visit: (word: number) => void): void {
  const used = Math.min(segment.memory.load(segment.layout.stream(slot) + STREAM.CONSUMERS), STREAM_CONSUMERS);
  for (let i = 0; i < used; i++) visit(consumerWord(segment, slot, i));
}
