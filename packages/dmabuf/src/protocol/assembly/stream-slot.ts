import { isLive, ring, ringAll } from "./agent-slot";
import { setBit } from "./bits";
import { CONSUMER, IDENTITY, PLACE, START, STREAM, STREAM_CONSUMERS } from "./layout";
import { addWord, loadWord, storeWord } from "./words";

/** The places and cursors of streams; see stream/stream-slot.ts for the rules. */

/** Instead of a frame's number: there is none. Numbers have 32 bits, and wrap. */
const NONE: i64 = -1;

/** The policy of a consumer that holds the producer. */
const BLOCK = 1;

function streamAt(slot: i32): i32 {
  return START.streams + slot * STREAM.WORDS;
}

function placeAt(stream: i32, place: i32): i32 {
  return streamAt(stream) + STREAM.PLACES + place * PLACE.WORDS;
}

function consumerAt(stream: i32, index: i32): i32 {
  return streamAt(stream) + STREAM.JOINED + index * CONSUMER.WORDS;
}

/** Whether one frame is published before another. */
function isBefore(frame: i32, other: i32): bool {
  return frame - other < 0;
}

function frameAt(stream: i32, place: i32): i64 {
  const word = placeAt(stream, place);
  if (loadWord(word + PLACE.FULL) == 0) return NONE;
  return <i64>(<u32>loadWord(word + PLACE.FRAME));
}

/** The number of the frame that a place holds, or -1. For good only under a hold of its buffer (stream-slot.1). */
export function frameIn(stream: i32, place: i32): f64 {
  return <f64>frameAt(stream, place);
}

/**
 * The place that a producer should use next: an empty one, or else that with the oldest frame; -1 if there is none.
 * `tried` has a bit for each place that is not to be had.
 */
export function placeToReuse(stream: i32, places: i32, tried: i32, keepFrom: f64): i32 {
  let oldest = -1;
  let oldestFrame = 0;
  for (let place = 0; place < places; place++) {
    if (((tried >>> place) & 1) != 0) continue;
    const frame = frameAt(stream, place);
    if (frame == NONE) return place;
    if (!mayDrop(frame, <i64>keepFrom) || (oldest >= 0 && isBefore(oldestFrame, <i32>frame))) continue;
    oldest = place;
    oldestFrame = <i32>frame;
  }
  return oldest;
}

/** Whether a producer that has the write hold of a place may empty it: a consumer may have joined in between. */
export function mayReuse(stream: i32, place: i32): bool {
  const frame = frameAt(stream, place);
  return frame == NONE || mayDrop(frame, keptFrom(stream, 0));
}

function mayDrop(frame: i64, keepFrom: i64): bool {
  return keepFrom == NONE || isBefore(<i32>frame, <i32>keepFrom);
}

/**
 * The frame from which on nothing may be dropped, because a consumer that holds the producer has not taken it; or -1.
 * `agent` says whose consumers, 0 for those of all.
 */
export function heldBackFrom(stream: i32, agent: i32): f64 {
  return <f64>keptFrom(stream, agent);
}

function keptFrom(stream: i32, agent: i32): i64 {
  let lowest = NONE;
  const used = min(loadWord(streamAt(stream) + STREAM.CONSUMERS_USED), STREAM_CONSUMERS);
  for (let i = 0; i < used; i++) {
    const word = consumerAt(stream, i);
    if (loadWord(word + CONSUMER.POLICY) != BLOCK) continue;
    // SYNC POINT cursor-before-policy: pairs with joinStream().
    const cursor = loadWord(word + CONSUMER.CURSOR);
    const owner = loadWord(word + CONSUMER.OWNER);
    if (!isLive(owner) || (agent != 0 && agent != owner)) continue;
    if (lowest == NONE || isBefore(cursor, <i32>lowest)) lowest = <i64>(<u32>cursor);
  }
  return lowest;
}

/** Empties a place, under the write hold of its buffer. */
export function emptyPlace(stream: i32, place: i32): void {
  storeWord(placeAt(stream, place) + PLACE.FULL, 0);
}

/** Fills a place with the next frame, under the write hold of its buffer. */
export function fillPlace(stream: i32, place: i32): void {
  const word = placeAt(stream, place);
  storeWord(word + PLACE.FRAME, loadWord(streamAt(stream) + STREAM.PUBLISHED));
  storeWord(word + PLACE.FULL, 1);
}

/** Makes the frame that was filled last known (stream-slot.4). Call it after its write hold has ended. */
export function announceFrame(stream: i32): void {
  addWord(streamAt(stream) + STREAM.PUBLISHED, 1);
  ringAll(streamAt(stream) + STREAM.WAITERS);
}

/**
 * Of the frames from the cursor on the one that a consumer wants most: its number, and its place in the lowest five bits;
 * -1 if there is none. `passed` has a bit for each other place.
 */
export function wanted(stream: i32, places: i32, cursor: i32, passed: i32, newest: bool): f64 {
  // SYNC POINT published-before-places: a place that is filled while we look might be seen without an earlier frame
  // (stream-slot.2).
  const end = loadWord(streamAt(stream) + STREAM.PUBLISHED);
  // Most looks of a wait end here: it spins on one word.
  if (!isBefore(cursor, end)) return -1;
  let best = -1;
  let bestFrame = 0;
  for (let place = 0; place < places; place++) {
    if (((passed >>> place) & 1) != 0) continue;
    const frame = frameAt(stream, place);
    if (frame == NONE || isBefore(<i32>frame, cursor) || !isBefore(<i32>frame, end)) continue;
    if (best >= 0 && isBefore(bestFrame, <i32>frame) != newest) continue;
    best = place;
    bestFrame = <i32>frame;
  }
  return best < 0 ? -1 : <f64>(<u32>bestFrame) * 32 + <f64>best;
}

/** Moves a consumer past a frame that it holds (stream-slot.3). */
export function advanceCursor(stream: i32, consumer: i32, cursor: i32): void {
  storeWord(consumer + CONSUMER.CURSOR, cursor);
  ringProducer(stream);
}

export function armConsumer(stream: i32, identity: i32): void {
  setBit(streamAt(stream) + STREAM.WAITERS, IDENTITY.slot(identity));
}

export function armProducer(stream: i32): void {
  storeWord(streamAt(stream) + STREAM.PRODUCER_WAITS, 1);
}

/** Rings the producer if it waits (stream-slot.5). */
export function ringProducer(stream: i32): void {
  const base = streamAt(stream);
  if (loadWord(base + STREAM.PRODUCER_WAITS) == 0) return;
  storeWord(base + STREAM.PRODUCER_WAITS, 0);
  const owner = loadWord(base + STREAM.OWNER);
  if (owner != 0 && isLive(owner)) ring(IDENTITY.slot(owner));
}
