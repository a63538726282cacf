import { oneOf } from "../arguments.js";
import { isLive, ringAll, type Identity, type Member } from "../domain/agent-slot.js";
import {
  CONSUMER,
  CONSUMER_POLICY,
  FORMAT_WORDS,
  GROUP,
  PLACE,
  STREAM,
  STREAM_BUFFERS,
  STREAM_CONSUMERS,
  STREAM_END as END,
  STREAM_GROUPS,
  type Segment,
} from "../domain/layout.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { claimFree, raiseTo } from "../domain/table.js";
import { writeName, writeText } from "../domain/text.js";
import { DmaBufError, ERRNO } from "../errors.js";

/**
 * A frame stream in shared words: a ring of places, one buffer each, and the cursors of the consumers.
 *
 * stream-slot.1. A place changes only under the write hold of its buffer, and is read for good only under a read hold:
 *     what a consumer saw before it held the buffer, it looks at again; and so does a producer: a consumer that joins
 *     may want a frame that none wanted before.
 * stream-slot.2. Frames are numbered in the order of publication; a consumer's cursor only rises. A consumer reads the
 *     number of frames published before it looks at the places, and wants none beyond: so it passes over no frame that
 *     is there.
 * stream-slot.3. A consumer takes the hold of a frame before it moves its cursor past it: a producer that holds back
 *     for it sees the one or the other.
 * stream-slot.4. A producer publishes, then rings the consumers that wait; a consumer sets its bit, then looks again.
 * stream-slot.5. The producer says that it waits, then looks again; a consumer moves on, then looks whether the
 *      producer waits.
 * stream-slot.6. A slot is free when its producer and all its consumers have left. The words of the dead are the
 *      reaper's.
 * stream-slot.7. Who takes a slot raises its generation and then looks for consumers; who joins takes a consumer's
 *     place and then looks at the generation. So no consumer of a past stream gets into the next one.
 * stream-slot.8. A consumer has joined from the store of its POLICY on, which is the last of its joining and the first
 *     of its leaving. No agent counts it or waits for it before and after; its place is taken even then, which OWNER
 *     says (stream-slot.6, stream-slot.7).
 * stream-slot.9. END names its stream's generation: what is said too late of a stream is not said of the next one in
 *     its slot. It says that the producer has left before OWNER is free, since the next owner comes before its
 *     generation does.
 * stream-slot.10. The dead are in no one's way: a consumer counts while its agent is live. The reaper frees its place,
 *      and only those wait for that who want the slot.
 * stream-slot.11. A frame that was lost before it came to the producer has a number, as if it had been published and dropped:
 *      so who was there has missed it, and who joins later has not. LOST counts them, before the next frame is announced; unless
 *      it is 0, the numbers in the ring have gaps.
 */

/** What happens to a consumer that is slower than the producer. */
export type Policy = "block" | "drop-oldest" | "newest";

const POLICIES: readonly Policy[] = ["block", "drop-oldest", "newest"];

export const POLICY = oneOf(POLICIES);

export const POLICY_NUMBER: Readonly<Record<Policy, number>> = {
  block: CONSUMER_POLICY.BLOCK,
  "drop-oldest": CONSUMER_POLICY.DROP_OLDEST,
  newest: CONSUMER_POLICY.NEWEST,
};

export interface StreamKey {
  readonly slot: number;
  readonly generation: number;
}

/**
 * Takes a free slot for the calling agent as producer.
 *
 * @param buffers The slots of its buffers.
 * @param format The format of its frames, as formatText() gives it.
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimStream(member: Member, name: string, buffers: readonly number[], format = ""): StreamKey {
  const { memory, layout } = member;
  const { slot, generation } = claimFree(member, "streams", "create the stream", (slot) => {
    const base = layout.stream(slot);
    if (memory.load(base + STREAM.OWNER) !== 0 || hasTakenPlaces(member, slot)) return undefined;
    if (memory.compareExchange(base + STREAM.OWNER, 0, member.identity) !== 0) return undefined;
    const generation = (memory.load(base + STREAM.GENERATION) + 1) | 0 || 1;
    memory.store(base + STREAM.GENERATION, generation);
    // SYNC POINT generation-before-consumers: pairs with joinStream().
    if (!hasTakenPlaces(member, slot)) return { slot, generation };
    memory.store(base + STREAM.OWNER, 0);
    return undefined;
  });
  const base = layout.stream(slot);
  memory.store(base + STREAM.PUBLISHED, 0);
  memory.store(base + STREAM.LOST, 0);
  memory.store(base + STREAM.PRODUCER_WAITS, 0);
  const places = base + layout.STREAM.PLACES;
  for (let i = 0; i < STREAM_BUFFERS; i++) memory.store(places + i * PLACE.WORDS + PLACE.FRAME, 0);
  memory.store(base + STREAM.RING, buffers.length);
  for (const [i, buffer] of buffers.entries()) memory.store(places + i * PLACE.WORDS + PLACE.BUFFER, buffer);
  forgetGroups(member, slot);
  writeName(memory, base + STREAM.NAME, name);
  writeText(memory, base + STREAM.FORMAT, FORMAT_WORDS, format);
  memory.store(base + STREAM.END, openWord(generation));
  return { slot, generation };
}

/** Those of the last stream in the slot: none of their members is left. */
function forgetGroups({ memory, layout }: Segment, slot: number): void {
  const used = layout.stream(slot) + STREAM.GROUPS_USED;
  const start = layout.stream(slot) + layout.STREAM.SHARING;
  const words = Math.min(memory.load(used), STREAM_GROUPS) * GROUP.WORDS;
  for (let i = 0; i < words; i++) memory.store(start + i, 0);
  memory.store(used, 0);
}

/** The producer leaves; consumers may still take what was published. */
export function leaveStream(member: Member, key: StreamKey): void {
  endStream(member, key, 0);
  sayLeft(member, key);
  member.memory.compareExchange(member.layout.stream(key.slot) + STREAM.OWNER, member.identity, 0);
}

/** Says that no further frame comes, because of an error or without; the first reason stays. */
export function endStream(segment: Segment, key: StreamKey, error: number): void {
  const { memory, layout } = segment;
  const base = layout.stream(key.slot);
  const open = openWord(key.generation);
  memory.compareExchange(base + STREAM.END, open, open | END.end.of(error + 1));
  ringAll(segment, base + layout.STREAM.WAITERS);
  ringProducer(segment, key.slot);
}

/** `undefined` while the stream is open, 0 if it has ended, or the positive errno it failed with. */
export function streamEnd(segment: Segment, key: StreamKey): number | undefined {
  const end = END.end.in(segment.memory.load(segment.layout.stream(key.slot) + STREAM.END));
  if (!isStream(segment, key)) return 0;
  return end === 0 ? undefined : end - 1;
}

/** Whether the slot has not moved on to another stream. */
export function isStream({ memory, layout }: Segment, { slot, generation }: StreamKey): boolean {
  return memory.load(layout.stream(slot) + STREAM.GENERATION) === generation;
}

/** Whether its producer is there: it has neither left it nor died, nor given it up by failing it with `ESRCH`. */
export function hasProducer(segment: Segment, key: StreamKey): boolean {
  const { memory, layout } = segment;
  const base = layout.stream(key.slot);
  const owner = memory.load(base + STREAM.OWNER);
  // Afterwards: the owner that was read may be the next stream's, which comes when this one's has said that it leaves.
  const end = memory.load(base + STREAM.END);
  if (!isPresent(end, key.generation)) return false;
  return owner !== 0 && isLive(segment, owner) && isStream(segment, key) && END.end.in(end) !== ERRNO.ESRCH + 1;
}

/** The word END of a stream that is open. */
function openWord(generation: number): number {
  return END.generation.of(generation);
}

/** Whether the word END is of this generation, and its producer is not gone. */
function isPresent(end: number, generation: number): boolean {
  return END.generation.in(end) === END.generation.in(openWord(generation)) && END.left.in(end) === 0;
}

/** Says that the producer is gone, before the slot is free to the next one. Anyone may do it who knows, and twice. */
function sayLeft({ memory, layout }: Segment, { slot, generation }: StreamKey): void {
  const word = layout.stream(slot) + STREAM.END;
  for (;;) {
    const end = memory.load(word);
    if (!isPresent(end, generation)) return;
    if (memory.compareExchange(word, end, end | END.left.mask) === end) return;
  }
}

/** The agents of the consumers that may miss no frame and have not taken all. */
export function slowConsumers(segment: Segment, { slot, generation }: StreamKey): Identity[] {
  const { memory } = segment;
  const slow: Identity[] = [];
  const published = publishedFrames(segment, slot);
  forEachPlace(segment, slot, (word) => {
    const owner = memory.load(word + CONSUMER.OWNER);
    const isHolding = memory.load(word + CONSUMER.POLICY) === CONSUMER_POLICY.BLOCK;
    const isBehind = framesFrom(memory.load(word + CONSUMER.CURSOR), published) > 0;
    // What was read is of one consumer if its place has not changed hands.
    if (!isHolding || !isBehind || memory.load(word + CONSUMER.OWNER) !== owner) return;
    if (isLive(segment, owner)) slow.push(owner);
  });
  return isStream(segment, { slot, generation }) ? slow : [];
}

/** The agent that produces the stream which has the slot now, 0 if it has left. */
export function producerOf({ memory, layout }: Segment, slot: number): Identity {
  return memory.load(layout.stream(slot) + STREAM.OWNER);
}

/** How many frames there are from one number to another: 31 bits of them count. */
export function framesFrom(number: number, to: number): number {
  return ((to - number) << 1) >> 1;
}

/** How many frames have been announced, with those that were lost before; the number of the next one. */
export function publishedFrames({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.stream(slot) + STREAM.PUBLISHED);
}

/** How many frames were lost before they came to the producer. Modulo 2³². */
export function lostFrames({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.stream(slot) + STREAM.LOST);
}

/** A consumer's place. */
export interface Joined {
  readonly word: number;
  /** How many frames from its cursor on were published before it had joined; or began to, if it may lose frames. */
  readonly early: number;
}

/**
 * Takes a free consumer's place, its cursor at the oldest frame there is.
 *
 * @throws {DmaBufError} `ENOSPC` if there is none; `ESTALE` if the slot has moved on to another stream.
 */
export function joinStream(member: Member, key: StreamKey, policy: Policy, buffers: number): Joined {
  const { memory } = member;
  const number = POLICY_NUMBER[policy];
  const word = takeConsumerPlace(member, key);
  const begun = publishedFrames(member, key.slot);
  const cursor = member.protocol.oldestFrame(key.slot, buffers, begun);
  memory.store(word + CONSUMER.CURSOR, cursor);
  // SYNC POINT cursor-before-policy: from here on it is counted and waited for (stream-slot.8).
  memory.store(word + CONSUMER.POLICY, number);
  ringProducer(member, key.slot);
  // What was dropped while it joined, one that holds the producer has not missed: later nothing is dropped before it.
  const from = policy === "block" ? publishedFrames(member, key.slot) : begun;
  return { word, early: Math.max(0, framesFrom(cursor, from)) };
}

/** @throws {DmaBufError} As {@link joinStream}. */
export function takeConsumerPlace(member: Member, key: StreamKey): number {
  const word = claimConsumer(member, key.slot);
  // SYNC POINT generation-before-consumers: pairs with claimStream().
  if (isStream(member, key)) return word;
  leaveConsumer(member, key.slot, word);
  throw new DmaBufError("ESTALE", "Cannot join the stream: it is gone, and another has its place");
}

function claimConsumer(member: Member, slot: number): number {
  const { memory, layout } = member;
  const used = layout.stream(slot) + STREAM.CONSUMERS_USED;
  for (let i = 0; i < STREAM_CONSUMERS; i++) {
    const word = consumerWord(member, slot, i);
    if (memory.load(word + CONSUMER.OWNER) !== 0) continue;
    // Before the place is taken: an agent that dies in between must not have one that no sweep looks at.
    raiseTo(memory, used, i + 1);
    if (memory.compareExchange(word + CONSUMER.OWNER, 0, member.identity) === 0) return word;
  }
  throw new DmaBufError("ENOSPC", `Cannot join the stream: it has ${STREAM_CONSUMERS} consumers already`);
}

/** Another policy for a consumer that has joined. Its cursor stays: what it is waited for begins with its next frame. */
export function setPolicy(member: Member, slot: number, word: number, policy: Policy): void {
  member.memory.store(word + CONSUMER.POLICY, POLICY_NUMBER[policy]);
  ringProducer(member, slot);
}

export function leaveConsumer(member: Member, slot: number, word: number): void {
  member.memory.store(word + CONSUMER.POLICY, 0);
  member.memory.compareExchange(word + CONSUMER.OWNER, member.identity, 0);
  ringProducer(member, slot);
}

/** How many consumers have joined the stream, and neither left nor died. */
export function consumerCount(segment: Segment, key: StreamKey): number {
  let count = 0;
  forEachPlace(segment, key.slot, (word) => {
    if (segment.memory.load(word + CONSUMER.POLICY) === 0) return;
    if (isLive(segment, segment.memory.load(word + CONSUMER.OWNER))) count++;
  });
  return isStream(segment, key) ? count : 0;
}

/** Whether any agent has a consumer's place, also one that only joins or leaves. */
function hasTakenPlaces(segment: Segment, slot: number): boolean {
  let taken = false;
  forEachPlace(segment, slot, (word) => (taken ||= segment.memory.load(word + CONSUMER.OWNER) !== 0));
  return taken;
}

export const STREAM_RECOVERY: RecoveryStep = {
  table: "streams",
  /** A dead producer's stream fails with `ESRCH`. */
  release(segment, slot, dead) {
    const { memory, layout } = segment;
    const base = layout.stream(slot);
    // SYNC POINT generation-before-owner: the slot may be swept in between, and be a newcomer's.
    const generation = memory.load(base + STREAM.GENERATION);
    if (memory.load(base + STREAM.OWNER) !== dead) return;
    endStream(segment, { slot, generation }, ERRNO.ESRCH);
    sayLeft(segment, { slot, generation });
  },
  sweep(segment, slot, dead) {
    const { memory, layout } = segment;
    forEachPlace(segment, slot, (word) => {
      if (memory.load(word + CONSUMER.OWNER) !== dead) return;
      memory.store(word + CONSUMER.POLICY, 0);
      memory.store(word + CONSUMER.OWNER, 0);
      ringProducer(segment, slot);
    });
    memory.compareExchange(layout.stream(slot) + STREAM.OWNER, dead, 0);
  },
};

export function ringProducer(segment: Segment, slot: number): void {
  segment.protocol.ringProducer(slot);
}

function consumerWord({ layout }: Segment, slot: number, index: number): number {
  return layout.stream(slot) + layout.STREAM.JOINED + index * CONSUMER.WORDS;
}

/** All consumers' places that were ever used, taken or not. */
export function forEachPlace(segment: Segment, slot: number, visit: (word: number) => void): void {
  const used = Math.min(segment.memory.load(segment.layout.stream(slot) + STREAM.CONSUMERS_USED), STREAM_CONSUMERS);
  for (let i = 0; i < used; i++) visit(consumerWord(segment, slot, i));
}
