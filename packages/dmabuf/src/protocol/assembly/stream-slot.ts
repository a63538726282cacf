import { isLive, ring, ringAll } from "./agent-slot";
import { setBit } from "./bits";
import { armHold, dropWriter, isFree, leaveReaders, leaveWriter, tryRead, tryWrite } from "./hold";
import {
  CONSUMER,
  CONSUMER_POLICY,
  FOUND,
  IDENTITY,
  PLACE,
  PLACE_FRAME,
  STREAM,
  STREAM_CONSUMERS,
  USAGE_LEVEL,
} from "./layout";
import { emptyClaims, groupsKeeping, groupsUsed, isKept } from "./stream-group";
import {
  bufferOf,
  distance,
  firstLook,
  frameAt,
  frameIn,
  hasEnded,
  isBefore,
  isReady,
  nextLook,
  NONE,
  numberIn,
  placeAt,
  placeIn,
  streamAt,
} from "./stream-place";
import { addWord, loadWord, storeWord } from "./words";

/** What a producer and its consumers do with each frame; see stream/stream-slot.ts for the rules. */

/**
 * Takes a place that may be filled, by the write hold of its buffer, and empties it if that is ready.
 *
 * @param tried A bit for each place that is not to be had.
 * @returns FOUND.
 */
export function loan(stream: i32, generation: i32, places: i32, tried: i32, identity: i32): i32 {
  if (hasEnded(stream, generation)) return FOUND.ENDED;
  const keepFrom = heldBackFrom(stream, 0);
  const keeping = groupsUsed(stream) == 0 ? 0 : groupsKeeping(stream, 0);
  let place = toReuse(stream, places, tried, keepFrom, keeping);
  while (place != NONE) {
    const buffer = bufferOf(stream, place);
    if (tryWrite(buffer, identity)) {
      // SYNC POINT hold-then-look: pairs with a consumer that joins, and then takes the hold of its first frame
      // (stream-slot.1).
      const groups = groupsUsed(stream);
      if (mayEmpty(stream, place, groups)) {
        if (!isReady(buffer, USAGE_LEVEL.READ)) return place;
        empty(stream, place, groups);
        return place + FOUND.READY;
      }
      dropWriter(buffer, identity);
    }
    tried |= 1 << place;
    place = toReuse(stream, places, tried, keepFrom, keeping);
  }
  return FOUND.NONE;
}

/** Whether there is a place that the consumers of an agent let its producer have. */
export function mayLoan(stream: i32, places: i32, tried: i32, consumersOf: i32): bool {
  const keeping = groupsKeeping(stream, consumersOf);
  return toReuse(stream, places, tried, heldBackFrom(stream, consumersOf), keeping) != NONE;
}

/**
 * The place to use next: an empty one, or else that with the oldest frame. It begins where that is in a ring that is filled in
 * order: the frame that was published a whole ring ago is the oldest, if none was lost (stream-slot.11).
 */
function toReuse(stream: i32, places: i32, tried: i32, keepFrom: i32, keeping: i32): i32 {
  const published = loadWord(streamAt(stream) + STREAM.PUBLISHED);
  const isDense = loadWord(streamAt(stream) + STREAM.LOST) == 0;
  let oldest = NONE;
  let oldestFrame = 0;
  for (let i = 0, place = firstLook(published, places); i < places; i++, place = nextLook(place, places)) {
    if (((tried >>> place) & 1) != 0) continue;
    const frame = frameIn(stream, place);
    if (frame == NONE) return place;
    if (!mayDrop(frame, keepFrom) || (oldest != NONE && isBefore(oldestFrame, frame))) continue;
    if (keeping != 0 && isKept(stream, place, keeping)) continue;
    if (isDense && distance(frame, published) == places) return place;
    oldest = place;
    oldestFrame = frame;
  }
  return oldest;
}

/** Whether a producer that has the write hold of a place may empty it: a consumer may have joined in between. */
function mayEmpty(stream: i32, place: i32, groups: i32): bool {
  const frame = frameIn(stream, place);
  if (frame == NONE) return true;
  if (!mayDrop(frame, heldBackFrom(stream, 0))) return false;
  return groups == 0 || !isKept(stream, place, groupsKeeping(stream, 0));
}

function mayDrop(frame: i32, keepFrom: i32): bool {
  return keepFrom == NONE || isBefore(frame, keepFrom);
}

/**
 * The frame from which on nothing may be dropped, because a consumer that holds the producer has not taken it.
 *
 * @param consumersOf An agent, or 0 for all.
 * @returns Its number, or -1.
 */
export function heldBackFrom(stream: i32, consumersOf: i32): i32 {
  let lowest = NONE;
  const used = min(loadWord(streamAt(stream) + STREAM.CONSUMERS_USED), STREAM_CONSUMERS);
  for (let i = 0; i < used; i++) {
    const word = streamAt(stream) + STREAM.JOINED + i * CONSUMER.WORDS;
    if (loadWord(word + CONSUMER.POLICY) != CONSUMER_POLICY.BLOCK) continue;
    // SYNC POINT cursor-before-policy: pairs with joinStream().
    const cursor = loadWord(word + CONSUMER.CURSOR);
    const owner = loadWord(word + CONSUMER.OWNER);
    if (!isLive(owner) || (consumersOf != 0 && consumersOf != owner)) continue;
    if (lowest == NONE || isBefore(cursor, lowest)) lowest = cursor & 0x7fffffff;
  }
  return lowest;
}

/** Empties a place, under the write hold of its buffer. */
export function emptyPlace(stream: i32, place: i32): void {
  empty(stream, place, groupsUsed(stream));
}

function empty(stream: i32, place: i32, groups: i32): void {
  const isFull = groups != 0 && frameIn(stream, place) != NONE;
  storeWord(placeAt(stream, place) + PLACE.FRAME, 0);
  // Afterwards: a producer that dies in between must not leave a frame that is done as one that is not.
  if (isFull) emptyClaims(stream, place);
}

/**
 * Fills a place with the next frame, ends the write hold of its buffer, and says so. Returns false if the stream has ended.
 *
 * @param missed How many frames were lost before it: they have numbers, too (stream-slot.11).
 */
export function publish(stream: i32, generation: i32, place: i32, missed: i32, identity: i32): bool {
  if (hasEnded(stream, generation)) return false;
  const base = streamAt(stream);
  const number = loadWord(base + STREAM.PUBLISHED) + missed;
  if (missed != 0) addWord(base + STREAM.LOST, missed);
  storeWord(placeAt(stream, place) + PLACE.FRAME, PLACE_FRAME.ofFull(1) | PLACE_FRAME.ofNumber(number));
  leaveWriter(bufferOf(stream, place), identity);
  addWord(base + STREAM.PUBLISHED, missed + 1);
  // stream-slot.4
  ringAll(base + STREAM.WAITERS);
  return true;
}

/** Makes sure that a producer is rung when a place may have become free. */
export function armLoan(stream: i32, generation: i32, places: i32, identity: i32): void {
  // The buffers of an ended stream may be closed.
  if (hasEnded(stream, generation)) return;
  armProducer(stream);
  for (let place = 0; place < places; place++) armHold(bufferOf(stream, place), identity);
}

export function armProducer(stream: i32): void {
  storeWord(streamAt(stream) + STREAM.PRODUCER_WAITS, 1);
}

/**
 * Takes the frame that a consumer wants most of those from its cursor on, by a read hold of its buffer, and moves the
 * consumer past it.
 *
 * @param consumer The first word of its place.
 * @param reads A bit for each place whose buffer its agent reads already.
 * @returns FOUND.
 */
export function take(
  stream: i32,
  generation: i32,
  consumer: i32,
  policy: i32,
  places: i32,
  reads: i32,
  identity: i32,
): f64 {
  // The end is read first: what was published before it is then seen below.
  const nothing = hasEnded(stream, generation) ? FOUND.ENDED : FOUND.NONE;
  const cursor = loadWord(consumer + CONSUMER.CURSOR);
  let passed = 0;
  let frame = wanted(stream, places, cursor, policy, passed);
  while (frame != NONE) {
    const place = placeIn(frame);
    const buffer = bufferOf(stream, place);
    const isHeld = ((reads >>> place) & 1) != 0;
    if (isHeld || tryRead(buffer, identity)) {
      if (frameIn(stream, place) == numberIn(frame)) {
        const beyond = distance(cursor, numberIn(frame));
        // SYNC POINT hold-before-cursor: a producer that no longer waits for the cursor finds the hold (stream-slot.3).
        storeWord(consumer + CONSUMER.CURSOR, cursor + beyond + 1);
        ringProducer(stream);
        const ready = isReady(buffer, USAGE_LEVEL.WRITE) ? FOUND.READY : 0;
        return <f64>beyond * FOUND.BEYOND + <f64>(place + ready);
      }
      if (!isHeld) leaveReaders(buffer, identity);
    } else if (policy == CONSUMER_POLICY.BLOCK) {
      return nothing;
    }
    passed |= 1 << place;
    frame = wanted(stream, places, cursor, policy, passed);
  }
  return nothing;
}

/** Whether there is a frame that a consumer wants. */
export function isThere(stream: i32, consumer: i32, places: i32): bool {
  return wanted(stream, places, loadWord(consumer + CONSUMER.CURSOR), CONSUMER_POLICY.BLOCK, 0) != NONE;
}

/**
 * Of the frames from the cursor on the one that a consumer wants most, and its place.
 *
 * @param passed A bit for each place that it does not look at.
 */
function wanted(stream: i32, places: i32, cursor: i32, policy: i32, passed: i32): f64 {
  // SYNC POINT published-before-places: a place that is filled while we look might be seen without an earlier frame
  // (stream-slot.2).
  const end = loadWord(streamAt(stream) + STREAM.PUBLISHED);
  // Most looks of a wait end here: it spins on one word.
  if (!isBefore(cursor, end)) return NONE;
  const isNewest = policy == CONSUMER_POLICY.NEWEST;
  // Nothing is better, and in a ring that is filled in order the first look finds it.
  const ideal = isNewest ? end - 1 : cursor;
  let best = NONE;
  let bestFrame = 0;
  for (let i = 0, place = firstLook(ideal, places); i < places; i++, place = nextLook(place, places)) {
    if (((passed >>> place) & 1) != 0) continue;
    const frame = frameIn(stream, place);
    if (frame == NONE || isBefore(frame, cursor) || !isBefore(frame, end)) continue;
    if (distance(frame, ideal) == 0) return frameAt(frame, place);
    if (best != NONE && isBefore(bestFrame, frame) != isNewest) continue;
    best = place;
    bestFrame = frame;
  }
  return best == NONE ? NONE : frameAt(bestFrame, best);
}

/**
 * Makes sure that a consumer is rung when there may be a frame. One that it wants and that is there already can only be
 * under a write hold. One that comes is announced; and to hear of every hold that ends would wake this consumer for each
 * frame that another gives back.
 */
export function armTake(stream: i32, consumer: i32, policy: i32, places: i32, identity: i32): void {
  setBit(streamAt(stream) + STREAM.WAITERS, IDENTITY.slot(identity));
  const cursor = loadWord(consumer + CONSUMER.CURSOR);
  let passed = 0;
  let frame = wanted(stream, places, cursor, policy, passed);
  while (frame != NONE) {
    armHold(bufferOf(stream, placeIn(frame)), identity);
    passed |= 1 << placeIn(frame);
    frame = wanted(stream, places, cursor, policy, passed);
  }
}

/** The oldest frame there is: where a consumer that joins begins. */
export function oldestFrame(stream: i32, places: i32, end: i32): i32 {
  let oldest = end;
  for (let place = 0; place < places; place++) {
    const frame = frameIn(stream, place);
    if (frame != NONE && isBefore(frame, oldest)) oldest += distance(oldest, frame);
  }
  return oldest;
}

/** Looks up to so many times whether a consumer's next frame may be there, or the stream has ended. */
export function spinTake(stream: i32, generation: i32, consumer: i32, looks: i32): void {
  const cursor = loadWord(consumer + CONSUMER.CURSOR);
  for (; looks > 0; looks--) {
    if (isBefore(cursor, loadWord(streamAt(stream) + STREAM.PUBLISHED)) || hasEnded(stream, generation)) return;
  }
}

/** Looks up to so many times whether a producer may find a place, or the stream has ended. */
export function spinLoan(stream: i32, generation: i32, places: i32, looks: i32): void {
  for (; looks > 0; looks--) {
    if (hasEnded(stream, generation)) return;
    const place = toReuse(stream, places, 0, heldBackFrom(stream, 0), groupsKeeping(stream, 0));
    if (place != NONE && isFree(bufferOf(stream, place))) return;
  }
}

/** Rings the producer if it waits (stream-slot.5). */
export function ringProducer(stream: i32): void {
  const base = streamAt(stream);
  if (loadWord(base + STREAM.PRODUCER_WAITS) == 0) return;
  storeWord(base + STREAM.PRODUCER_WAITS, 0);
  const owner = loadWord(base + STREAM.OWNER);
  if (owner != 0 && isLive(owner)) ring(IDENTITY.slot(owner));
}
